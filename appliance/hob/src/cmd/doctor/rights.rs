//! Who may read the data folder.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cmd::doctor::finding::Finding;
use crate::cmd::doctor::patient::Patient;

const CHECK: &str = "rights";

/// The data folder and those in it, `keys` and `log`, are closed each by itself.
const CLOSED_DEPTH: usize = 1;

/// Files that are looked at: a box has far fewer.
const FILES_MAX: usize = 20_000;

/// The folder is there, is a box's, and is for the box's user only.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    findings.push(match fs::metadata(&patient.data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::wrong(
            CHECK,
            format!("there is no folder {}: no box ever ran there", patient.data.display()),
            "name the box's folder with --data, or start one with `hob serve`",
        ),
        Err(error) => unreadable(&patient.data, &error),
        Ok(metadata) if !metadata.is_dir() => Finding::wrong(
            CHECK,
            format!("{} is no folder", patient.data.display()),
            "name the box's folder with --data",
        ),
        Ok(metadata) => folder(patient, &metadata),
    });
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    Finding::wrong(
        CHECK,
        format!("{} cannot be looked at: {error}", path.display()),
        "run `hob doctor` as the box's user, or as root",
    )
}

fn folder(patient: &Patient, metadata: &fs::Metadata) -> Finding {
    let data = &patient.data;
    if let Err(error) = fs::read_dir(data) {
        return unreadable(data, &error);
    }
    if !patient.is_box() {
        return Finding::wrong(
            CHECK,
            format!("no box ever ran on {}", data.display()),
            "name the box's folder with --data, or start one with `hob serve`",
        );
    }
    let mut seen = Seen { owner: metadata.uid(), ..Seen::default() };
    seen.walk(data);
    if let Some((path, error)) = seen.unreadable {
        return unreadable(&path, &error);
    }
    if let Some((path, owner)) = seen.foreign {
        return Finding::wrong(
            CHECK,
            format!("{} belongs to user {owner}, and the data folder to user {}", path.display(), seen.owner),
            format!("give it back: chown -R {}:{} {}", metadata.uid(), metadata.gid(), data.display()),
        );
    }
    if let Some((path, mode)) = seen.open_secret {
        return Finding::wrong(
            CHECK,
            format!("{} can be read by others (mode {mode:04o}); the box will not start with it", path.display()),
            format!("chmod 600 {}; if strangers use this computer, begin anew with an empty folder", path.display()),
        );
    }
    if let Some((path, mode)) = seen.open_folder {
        return Finding::look(
            CHECK,
            format!("{} can be entered by others (mode {mode:04o})", path.display()),
            format!("chmod 700 {}", path.display()),
        );
    }
    let me = rustix::process::geteuid();
    let as_whom = if me.as_raw() == seen.owner || me.is_root() { "" } else { ", who is not you" };
    Finding::ok(CHECK, format!("{} is for user {} only{as_whom}", data.display(), seen.owner))
}

#[derive(Default)]
struct Seen {
    owner: u32,
    files: usize,
    /// 0: the data folder itself.
    depth: usize,
    unreadable: Option<(PathBuf, io::Error)>,
    foreign: Option<(PathBuf, u32)>,
    /// A key or an invitation.
    open_secret: Option<(PathBuf, u32)>,
    open_folder: Option<(PathBuf, u32)>,
}

impl Seen {
    fn walk(&mut self, path: &Path) {
        // Gone meanwhile: the running box removes windows.
        let Ok(metadata) = fs::symlink_metadata(path) else { return };
        self.files += 1;
        if self.files > FILES_MAX {
            return;
        }
        let mode = metadata.mode() & 0o7777;
        let others = mode & 0o077 != 0;
        let here = || Some((path.to_owned(), mode));
        // What a mounted card has of itself is root's.
        if metadata.uid() != self.owner && !path.ends_with("lost+found") && self.foreign.is_none() {
            self.foreign = Some((path.to_owned(), metadata.uid()));
        }
        if metadata.is_dir() {
            // What lies below a closed folder is closed, whatever its own rights are.
            if others && self.depth <= CLOSED_DEPTH && self.open_folder.is_none() {
                self.open_folder = here();
            }
            match fs::read_dir(path) {
                Ok(entries) => {
                    self.depth += 1;
                    entries.flatten().for_each(|entry| self.walk(&entry.path()));
                    self.depth -= 1;
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !path.ends_with("lost+found") => {
                    self.unreadable = Some((path.to_owned(), error));
                }
                Err(_) => {}
            }
        } else if others && metadata.is_file() && is_secret(path) && self.open_secret.is_none() {
            self.open_secret = here();
        }
    }
}

fn is_secret(path: &Path) -> bool {
    let in_keys = path.parent().is_some_and(|parent| parent.ends_with("keys"));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (in_keys && name != "tls.crt") || name.starts_with("invitation")
}
