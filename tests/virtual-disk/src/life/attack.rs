//! Damage that somebody or the medium does between a stop and a start.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hob_log::record::Header;
use hob_log::{DiskLog, EventLog as _, Options};
use hob_relay::clock::{BoxTime, Now};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::DATA;
use super::oracle::Envelope;
use crate::VirtualDisk;

/// What was done.
pub(crate) struct Done {
    pub(crate) what: String,
    /// The window that was damaged; none if nothing that a box serves was.
    pub(crate) window: Option<u32>,
    /// Envelopes of another history, which may show up.
    pub(crate) foreign: Vec<Envelope>,
}

struct Attacker<'a> {
    dice: &'a mut ChaCha8Rng,
    disk: &'a VirtualDisk,
    older: Option<&'a VirtualDisk>,
    folder: PathBuf,
}

/// Damages one window, or the spare part of a pair: by lot. None if there is nothing to damage.
pub(crate) fn choose(
    dice: &mut ChaCha8Rng,
    disk: &VirtualDisk,
    older: Option<&VirtualDisk>,
    now: Now,
    next: &mut u64,
) -> Option<Done> {
    let windows = disk.names(&Path::new(DATA).join("log/windows"));
    let name = windows.get(dice.next_u32() as usize % windows.len().max(1))?;
    let window: u32 = name.parse().ok()?;
    let folder = Path::new(DATA).join("log/windows").join(name);
    let mut attacker = Attacker { dice, disk, older, folder };
    let mut foreign = Vec::new();
    let what = match attacker.below(12) {
        0..=2 => attacker.flip()?,
        3 => attacker.shorten()?,
        4 => attacker.empty()?,
        5 => attacker.lose()?,
        6 => attacker.older_folder()?,
        7 => attacker.reorder()?,
        8 => attacker.older_journal()?,
        9 => attacker.foreign_group(&windows)?,
        10 => attacker.twin(now, next, &mut foreign)?,
        _ => return Some(Done { what: attacker.spare()?, window: None, foreign }),
    };
    Some(Done { what, window: Some(window), foreign })
}

impl Attacker<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.dice.next_u32() as usize % bound.max(1)
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// The journal's bytes up to the end of its last group, and its groups. None for an empty one.
    fn groups(&self) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
        let mut bytes = self.disk.read(&self.journal())?;
        let groups = groups_of(&bytes);
        bytes.truncate(groups.last()?.end);
        Some((bytes, groups))
    }

    fn write(&self, bytes: &[u8]) -> Option<()> {
        self.disk.replace(&self.journal(), bytes).ok()
    }

    fn flip(&mut self) -> Option<String> {
        let (bytes, _) = self.groups()?;
        let at = self.below(bytes.len()) as u64;
        let bit = self.below(8);
        self.disk.flip(&self.journal(), at, 1 << bit).ok()?;
        Some(format!("bit {bit} of byte {at} of {} flipped", bytes.len()))
    }

    fn shorten(&mut self) -> Option<String> {
        let (bytes, _) = self.groups()?;
        let kept = self.below(bytes.len());
        self.write(bytes.get(..kept)?)?;
        Some(format!("cut to {kept} of {} bytes", bytes.len()))
    }

    fn empty(&mut self) -> Option<String> {
        let (bytes, _) = self.groups()?;
        if self.below(2) == 0 {
            self.disk.lose(&self.journal());
            return Some("journal gone".into());
        }
        self.write(&vec![0; bytes.len()])?;
        Some("journal zeroed".into())
    }

    fn lose(&mut self) -> Option<String> {
        self.disk.lose(&self.folder);
        Some("folder gone".into())
    }

    fn older_folder(&mut self) -> Option<String> {
        let older = self.older?;
        older.exists(&self.folder).then(|| self.disk.put_back(older, &self.folder))?;
        Some("folder replaced by an older copy".into())
    }

    fn older_journal(&mut self) -> Option<String> {
        let older = self.older?.read(&self.journal())?;
        self.write(&older)?;
        Some("journal replaced by an older copy".into())
    }

    fn reorder(&mut self) -> Option<String> {
        let (bytes, groups) = self.groups()?;
        let first = self.below(groups.len());
        let mut order: Vec<usize> = (0..groups.len()).collect();
        let what = match self.below(3) {
            0 => {
                let second = self.below(groups.len());
                order.swap(first, second);
                format!("groups {first} and {second} swapped")
            }
            1 => {
                order.remove(first);
                format!("group {first} cut out")
            }
            _ => {
                order.insert(first, first);
                format!("group {first} repeated")
            }
        };
        let parts: Vec<&[u8]> =
            order.iter().filter_map(|at| groups.get(*at)).filter_map(|range| bytes.get(range.clone())).collect();
        self.write(&parts.concat())?;
        Some(what)
    }

    /// A group of another window in place of one of this.
    fn foreign_group(&mut self, windows: &[String]) -> Option<String> {
        let (bytes, groups) = self.groups()?;
        let other = windows.get(self.below(windows.len()))?;
        let path = self.folder.parent()?.join(other).join("journal");
        let theirs = self.disk.read(&path)?;
        let their_groups = groups_of(&theirs);
        let number = self.below(groups.len());
        let (ours, replay) = (groups.get(number)?, their_groups.get(number)?);
        let replayed = [bytes.get(..ours.start)?, theirs.get(replay.clone())?, bytes.get(ours.end..)?].concat();
        if replayed == bytes {
            return None;
        }
        self.write(&replayed)?;
        Some(format!("group {number} replaced by that of window {other}"))
    }

    /// The box's twin, from an older copy, took another envelope: its group in place of ours. Right key, right number,
    /// right predecessor; only the group behind it knows.
    fn twin(&mut self, now: Now, next: &mut u64, foreign: &mut Vec<Envelope>) -> Option<String> {
        let twin = self.older?.fork(self.dice.next_u64());
        twin.heal();
        let (bytes, groups) = self.groups()?;
        let common = groups_of(&twin.read(&self.journal())?).len();
        let replaced = groups.get(common)?.clone();
        let header = Header::parse(bytes.get(replaced.clone())?)?;
        let options = Options { files: twin.layer(), has_events: false, ..Options::new(DATA) };
        let opened_ms = now.box_time.0.saturating_sub(60_000);
        let early = Now { box_time: BoxTime(opened_ms), ..now };
        let mut log = DiskLog::open(options, |_| early).ok()?.log;
        let stats = log.stats();
        // Only an open window takes envelopes in; it must be this one.
        let open = stats.windows.iter().find(|window| window.is_open)?;
        if self.folder.file_name()?.to_str()?.parse() != Ok(open.number) {
            return None;
        }
        let at = Now { box_time: open.opened, ..early };
        let batch: Vec<Envelope> = (0..header.records)
            .map(|_| {
                *next += 1;
                Envelope::new(*next - 1, 2048, at.box_time.plus(Duration::from_secs(3600)), open.opened.0)
            })
            .collect();
        let appends: Vec<_> = batch.iter().map(Envelope::append).collect();
        log.commit(at, &appends).ok()?;
        drop(log);
        let theirs = twin.read(&self.journal())?;
        let group = groups_of(&theirs).get(common)?.clone();
        let spliced = [bytes.get(..replaced.start)?, theirs.get(group)?, bytes.get(replaced.end..)?].concat();
        self.write(&spliced)?;
        *foreign = batch;
        Some(format!("group {common} of {} replaced by its twin's", groups.len()))
    }

    /// What there is twice, or can be made anew: no harm may come of it.
    fn spare(&mut self) -> Option<String> {
        let keys = Path::new(DATA).join("keys/log.keys");
        match self.below(3) {
            0 => {
                let bytes = self.disk.read(&keys)?.len();
                let at = self.below(bytes) as u64;
                self.disk.flip(&keys, at, 0x40).ok()?;
                Some(format!("byte {at} of the key file flipped"))
            }
            1 => {
                self.disk.lose(&Path::new(DATA).join("log/ledger/current"));
                Some("manifest gone".into())
            }
            _ => {
                let manifest = Path::new(DATA).join("log/ledger/current");
                self.disk.replace(&manifest, b"\xff\xff").ok()?;
                Some("manifest unreadable".into())
            }
        }
    }
}

fn groups_of(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut begin = 0;
    while let Some(header) = bytes.get(begin..).and_then(Header::parse) {
        let end = begin + header.total_bytes;
        if end > bytes.len() {
            break;
        }
        groups.push(begin..end);
        begin = end;
    }
    groups
}
