//! `hob restore FILE`: a box from its backup, in a new folder that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use hob_log::backup::{Content, Sealed, build};
use hob_protocol::ids::BoxIdentity;
use rustix::fs::FlockOperation;
use serde::Serialize;

use crate::cli::Restore;
use crate::cmd::backup::Progress;
use crate::cmd::{data_of, say, say_json};
use crate::failure::Failure;
use crate::{folder, identity, notes, secret, show};

/// The settings' name in a restored folder.
const SETTINGS: &str = "hob.toml";

#[derive(Serialize)]
struct Told<'a> {
    data: &'a Path,
    identity: String,
    made: &'a str,
    made_by: &'a str,
    members: u64,
    devices: u64,
    tokens: u64,
    settings: Option<PathBuf>,
}

/// Reads and checks all of the file, then makes the folder.
///
/// # Errors
/// The folder is not empty, the file is not whole or not opened, or something cannot be written.
pub fn run(args: &Restore) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    refuse_unless_empty(&data)?;
    let content = read(args)?;
    let making = Making::begin(&data)?;
    let identity = fill(making.path(), &content)?;
    making.finish()?;
    tell(args, &data, &identity, &content)
}

fn refuse_unless_empty(data: &Path) -> Result<(), Failure> {
    if fs::metadata(data).is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(Failure::usage(format!("{} is no folder: name another with --data", data.display())));
    }
    match folder::names(data).map_err(|error| Failure::of(&error))?.first() {
        None => Ok(()),
        Some(found) => Err(Failure::because(format!(
            "{} holds {found:?} already: name an empty or a new folder with --data",
            data.display()
        ))),
    }
}

fn read(args: &Restore) -> Result<Content, Failure> {
    let cannot = |error: io::Error| Failure::because(format!("cannot read {}: {error}", args.file.display()));
    let file = File::open(&args.file).map_err(cannot)?;
    let of_backup = |error: hob_log::backup::BackupError| {
        Failure::because(format!("{}: {}", args.file.display(), crate::failure::chain(&error)))
    };
    let sealed = Sealed::open(BufReader::with_capacity(128 << 10, file)).map_err(of_backup)?;
    let held = secret::to_open(sealed.lock(), args.passphrase_file.as_deref(), args.recovery_key_file.as_deref());
    let held = held.map_err(|error| Failure::of(&error))?;
    sealed.read(&held.as_secret(), &mut Progress::default().shown("checked")).map_err(of_backup)
}

/// Everything that a box needs to start.
fn fill(folder: &Path, content: &Content) -> Result<BoxIdentity, Failure> {
    let failed = |error: folder::FolderError| Failure::of(&error);
    let now = jiff::Timestamp::now();
    let now_unix_s = u64::try_from(now.as_second()).unwrap_or_default();
    let identity = identity::put_back(folder, &content.identity_seed).map_err(failed)?;
    build(folder, &content.ledger, now_unix_s).map_err(|error| Failure::of(&error))?;
    if let Some(settings) = &content.settings {
        folder::write_private(&folder.join(SETTINGS), settings.as_bytes()).map_err(failed)?;
    }
    let note = notes::Restored { backup_made: show::expires(content.made_at_s), restored: show::expires(now_unix_s) };
    notes::write_restored(folder, &note).map_err(failed)?;
    Ok(identity)
}

/// A folder that is being made beside the one that it will be.
struct Making {
    path: PathBuf,
    data: PathBuf,
    /// Held, so that no other restore takes it for a left-over.
    _lock: File,
    is_done: bool,
}

impl Making {
    fn begin(data: &Path) -> Result<Self, Failure> {
        let no_name = || Failure::usage(format!("{} is no name for a folder: name another", data.display()));
        let name = data.file_name().ok_or_else(no_name)?;
        let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let path = parent.join(format!(".{}.restoring", name.to_string_lossy()));
        let cannot = |error: io::Error| {
            Failure::because(format!(
                "cannot make a folder in {}: {error}; let this user write there, or name another place with --data",
                parent.display()
            ))
        };
        folder::make_private(parent).map_err(|error| Failure::of(&error))?;
        if let Ok(left) = File::open(&path) {
            let is_alone = rustix::fs::flock(&left, FlockOperation::NonBlockingLockExclusive).is_ok();
            if !is_alone {
                return Err(Failure::because(format!("another restore to {} is under way", data.display())));
            }
            // What a restore that was killed left: nobody ever used it.
            fs::remove_dir_all(&path).map_err(cannot)?;
        }
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(cannot)?;
        let lock = File::open(&path).map_err(cannot)?;
        let locked = rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive);
        locked.map_err(|error| cannot(error.into()))?;
        Ok(Self { path, data: data.to_owned(), _lock: lock, is_done: false })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. Whoever looks sees nothing before, and the whole folder after.
    fn finish(mut self) -> Result<(), Failure> {
        let cannot = |error: io::Error| {
            Failure::because(format!(
                "cannot put {} in place: {error}; name a folder that is new, or empty and no mount point",
                self.data.display()
            ))
        };
        // An empty folder of another user's was made for that user: the box runs as that one.
        if let Ok(there) = fs::metadata(&self.data) {
            let mine = fs::metadata(&self.path).map_err(cannot)?;
            if (there.uid(), there.gid()) != (mine.uid(), mine.gid()) {
                give_to(&self.path, there.uid(), there.gid()).map_err(cannot)?;
            }
        }
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(cannot)?;
        // Replaces an empty folder, and nothing else (rename(2)).
        fs::rename(&self.path, &self.data).map_err(cannot)?;
        self.is_done = true;
        let parent = self.data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|folder| folder.sync_all()).map_err(cannot)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.is_done {
            // What stays is removed by the next restore.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn give_to(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            give_to(&entry?.path(), uid, gid)?;
        }
    }
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))
}

fn tell(args: &Restore, data: &Path, identity: &BoxIdentity, content: &Content) -> Result<(), Failure> {
    let counts = content.ledger.counts();
    let made = show::expires(content.made_at_s);
    let settings = content.settings.is_some().then(|| data.join(SETTINGS));
    if args.json {
        return say_json(&Told {
            data,
            identity: identity.to_string(),
            made: &made,
            made_by: &content.made_by,
            members: counts.members,
            devices: counts.devices,
            tokens: counts.tokens,
            settings,
        });
    }
    say(&format!(
        "{} is the box {} as it was on {made}: {} members with {} devices.",
        data.display(),
        identity.to_string().chars().take(16).collect::<String>(),
        counts.members,
        counts.devices,
    ))?;
    if let Some(path) = &settings {
        let path = path.display();
        say(&format!("Its settings are in {path}: look at them, then start it with --config {path}."))?;
    }
    say(&format!(
        "Who was taken out after that is in again, and tokens taken back since then are good until their owner's device \
         has been here: look at `hob members`, then `hob members --checked`.\n\
         Who joined after it needs a fresh invitation (`hob invite`), and keeps contacts and history.\n\
         Never run the old box again. Next: hob serve --data {}",
        data.display()
    ))
}
