//! What is done to a copy.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hob_log::record::Header;

use crate::stage::{Stage, copy};

/// Damage to one file or folder.
#[derive(Debug, Clone)]
pub struct Harm {
    /// Relative to the data folder.
    pub path: PathBuf,
    pub how: How,
    /// Whether the log that it belongs to keeps its sled database.
    pub has_sled: bool,
}

#[derive(Debug, Clone)]
pub enum How {
    /// One bit of a byte.
    Flip(usize),
    /// Not there any more: file or folder.
    Gone,
    /// No bytes; for a folder no entries.
    Emptied,
    /// As long as before, all zeros.
    Zeroed,
    /// The first half.
    Halved,
    /// Other bytes, as many.
    Garbage,
    /// As it was earlier.
    Older,
    /// Two groups change places.
    Swapped(usize, usize),
    /// A group is missing.
    CutOut(usize),
    /// A group is there twice.
    Repeated(usize),
    /// A group is that of another log.
    Replayed(usize, PathBuf),
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sled = if self.has_sled { "" } else { " without sled" };
        write!(f, "{} {:?}{sled}", self.path.display(), self.how)
    }
}

fn groups_of(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut begin = 0;
    while let Some(header) = bytes.get(begin..).and_then(Header::parse) {
        groups.push(begin..begin + header.total_bytes);
        begin += header.total_bytes;
    }
    groups
}

/// Everything that is tried.
pub fn all(stage: &Stage) -> Vec<Harm> {
    let mut harms = Vec::new();
    let mut add = |path: &Path, how: How, both: bool| {
        harms.push(Harm { path: path.to_path_buf(), how: how.clone(), has_sled: true });
        if both {
            harms.push(Harm { path: path.to_path_buf(), how, has_sled: false });
        }
    };
    let journals = ["log/windows/1", "log/windows/2", "log/windows/3", "log/ledger/1"].map(PathBuf::from);
    let marks: Vec<PathBuf> =
        std::fs::read_dir(stage.data.join("log/marks")).unwrap().flatten().map(|entry| entry.path()).collect();
    for log in &journals {
        let journal = log.join("journal");
        let bytes = std::fs::read(stage.data.join(&journal)).unwrap();
        for at in (0..bytes.len()).step_by(10) {
            add(&journal, How::Flip(at), true);
        }
        for how in [How::Gone, How::Emptied, How::Zeroed, How::Halved, How::Garbage, How::Older] {
            add(&journal, how, true);
        }
        let groups = groups_of(&bytes).len();
        for group in 0..groups {
            add(&journal, How::CutOut(group), true);
            add(&journal, How::Repeated(group), true);
            add(&journal, How::Swapped(group, (group + 1) % groups), groups > 1);
            for other in journals.iter().filter(|other| *other != log) {
                add(&journal, How::Replayed(group, other.join("journal")), true);
            }
        }
        for how in [How::Gone, How::Emptied, How::Older] {
            add(&log.join("events"), how, false);
        }
        for file in ["db", "conf"] {
            for how in [How::Emptied, How::Zeroed, How::Halved, How::Garbage] {
                add(&log.join("events").join(file), how, false);
            }
        }
        add(log, How::Older, true);
        add(log, How::Gone, false);
    }
    let two_slots: Vec<PathBuf> = marks
        .iter()
        .map(|mark| mark.strip_prefix(&stage.data).unwrap().to_path_buf())
        .chain([PathBuf::from("log/clock/mark")])
        .collect();
    for mark in &two_slots {
        for at in (0..80).chain(4096..4176).step_by(10) {
            add(mark, How::Flip(at), false);
        }
        for how in [How::Gone, How::Emptied, How::Zeroed, How::Halved, How::Garbage] {
            add(mark, how, false);
        }
    }
    for (path, step) in [("keys/log.keys", 997), ("keys/box.key", 10), ("log/ledger/current", 1), ("format", 1)] {
        let path = Path::new(path);
        let bytes = std::fs::metadata(stage.data.join(path)).unwrap().len() as usize;
        for at in (0..bytes).step_by(step) {
            add(path, How::Flip(at), false);
        }
        for how in [How::Gone, How::Emptied, How::Zeroed, How::Halved, How::Garbage] {
            add(path, how, false);
        }
    }
    for folder in ["log/tmp", "log/quarantine", "log/marks", "log/clock", "log/windows", "log/ledger", "log", "keys"] {
        add(Path::new(folder), How::Gone, false);
    }
    harms
}

impl Harm {
    pub const fn is_flip(&self) -> bool {
        matches!(self.how, How::Flip(_))
    }

    /// The window that it is done to.
    pub fn window(&self) -> Option<u32> {
        let inside = self.path.strip_prefix("log/windows").ok()?;
        inside.components().next()?.as_os_str().to_str()?.parse().ok()
    }

    /// Whether it is done to the ledger's journal, its sled database or its folder.
    pub fn is_ledger(&self) -> bool {
        self.path.starts_with("log/ledger/1")
    }

    /// Does it to a copy.
    pub fn inflict(&self, stage: &Stage, data: &Path) {
        let path = data.join(&self.path);
        let read = || std::fs::read(&path).unwrap();
        let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
        let older = stage.older.join(&self.path);
        match &self.how {
            How::Flip(at) => {
                let mut bytes = read();
                bytes[*at] ^= 1 << (at % 8);
                write(&bytes);
            }
            How::Gone => remove(&path),
            How::Emptied if path.is_dir() => {
                remove(&path);
                std::fs::create_dir(&path).unwrap();
            }
            How::Emptied => write(&[]),
            How::Zeroed => write(&vec![0; read().len()]),
            How::Halved => write(&read()[..read().len() / 2]),
            How::Garbage => write(&(0..read().len()).map(|at| (at * 167 % 251) as u8).collect::<Vec<_>>()),
            How::Older if older.is_dir() => {
                remove(&path);
                copy(&older, &path, self.has_sled);
            }
            How::Older => drop(std::fs::copy(older, &path).unwrap()),
            How::Swapped(..) | How::CutOut(_) | How::Repeated(_) | How::Replayed(..) => {
                write(&self.spliced(stage, &read()))
            }
        }
    }

    fn spliced(&self, stage: &Stage, bytes: &[u8]) -> Vec<u8> {
        let groups = groups_of(bytes);
        let mut parts: Vec<Vec<u8>> = groups.iter().map(|range| bytes[range.clone()].to_vec()).collect();
        match &self.how {
            How::Swapped(one, other) => parts.swap(*one, *other),
            How::CutOut(at) => drop(parts.remove(*at)),
            How::Repeated(at) => parts.insert(*at, parts[*at].clone()),
            How::Replayed(at, from) => {
                let theirs = std::fs::read(stage.data.join(from)).unwrap();
                let their_groups = groups_of(&theirs);
                let chosen = their_groups.get(*at).unwrap_or(&their_groups[0]).clone();
                parts[*at] = theirs[chosen].to_vec();
            }
            _ => {}
        }
        parts.concat()
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}
