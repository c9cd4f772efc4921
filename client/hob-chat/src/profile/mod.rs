//! The profile: a folder, for its owner's eyes only (0700), that is one device.
//!
//! # Layout
//! - [`key`]: `PROFILE/key`, which opens the state; plain, or wrapped by a passphrase.
//! - [`state`]: `PROFILE/state`, the client's whole memory, encrypted.
//! - [`mod@file`]: how a file is replaced so that a power cut leaves the old one or the new one.
//! - [`lock`]: `PROFILE/lock`, one process at a time.
//!
//! # What protects against what
//! A copy of `state` alone (a backup, a stolen block) is opaque. A copy of the folder holds the key too and opens
//! everything, unless the key is wrapped by a passphrase: then whoever has the folder has to guess it, each guess costing
//! 64 MiB and about a tenth of a second. Nothing here protects against a program that runs as the same user while the
//! profile is in use, nor against an older copy of the whole folder being put back: the messages of the meantime are then
//! unknown to this device, and contacts' sessions may have to be repaired by a new code.

pub mod file;
pub mod key;
pub mod lock;
pub mod state;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use key::Passphrase;
pub use lock::ProfileLock;

use key::StateKey;

/// All that a profile's folder may hold.
const OWN_FILES: [&str; 9] =
    ["key", "key.new", "state", "state.new", "lock", "socket", "code.png", "drafts", "drafts.new"];

/// The profile's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The system names no place for it.
    #[error("this system names no folder for a user's data: choose one with --profile DIR")]
    NoDataFolder,
    /// Nothing there.
    #[error("there is no profile in {}: start one with `hob-chat join LINK`, or name another with --profile DIR", folder.display())]
    NoProfile {
        /// Where.
        folder: PathBuf,
    },
    /// Something else lives there.
    #[error("{} holds files that are not hob-chat's: choose an empty folder with --profile DIR", folder.display())]
    ForeignFolder {
        /// Where.
        folder: PathBuf,
    },
    /// It is somebody else's.
    #[error("{} belongs to another user of this computer: choose a folder of your own with --profile DIR", folder.display())]
    NotYours {
        /// Where.
        folder: PathBuf,
    },
    /// A file could not be read, written or removed.
    #[error("cannot {what} {}", path.display())]
    File {
        /// "read", "write", …
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The state is there and its key is not.
    #[error(
        "{} is missing and nothing else opens this profile's state: put it back from a backup, \
         or wipe the profile with `hob-chat forget` and join again",
        path.display()
    )]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key file is none.
    #[error("{} is no key file ({why}): put it back from a backup, or wipe the profile with `hob-chat forget`", path.display())]
    KeyDamaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The key is there and the state is not.
    #[error("{} is missing: put it back from a backup, or start anew with `hob-chat join LINK`", path.display())]
    StateMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The state does not open.
    #[error(
        "{} is damaged or belongs to another key ({why}): put it back from a backup, \
         or wipe the profile with `hob-chat forget` and join again",
        path.display()
    )]
    StateDamaged {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A passphrase is needed and there is nobody to ask.
    #[error("this profile is locked by a passphrase: set HOB_CHAT_PASSPHRASE, or run hob-chat on a terminal")]
    PassphraseNeeded,
    /// The wrong one.
    #[error("this passphrase does not open the profile: try again")]
    WrongPassphrase,
    /// Two that differ, or none.
    #[error("no passphrase was set: {why}; try again")]
    NoPassphrase {
        /// What happened.
        why: &'static str,
    },
    /// The machine lacks the memory, or the random source fails.
    #[error("this computer cannot derive a key at the moment ({why}): free 64 MiB of memory and try again")]
    CannotDerive {
        /// What it said.
        why: String,
    },
}

impl ProfileError {
    /// What was done to which file when it failed.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}

/// Where a profile is, whether it exists or not.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder that was asked for, or the default: `hob-chat` in the XDG data folder.
    ///
    /// # Errors
    /// [`ProfileError::NoDataFolder`], or a folder whose whole path cannot be told.
    pub fn choose(asked: Option<PathBuf>) -> Result<Self, ProfileError> {
        let path = match asked {
            Some(path) => path,
            None => directories::ProjectDirs::from("", "", "hob-chat")
                .ok_or(ProfileError::NoDataFolder)?
                .data_dir()
                .to_owned(),
        };
        let whole = std::path::absolute(&path).map_err(ProfileError::file("find", &path))?;
        Ok(Self(whole))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Whether a device lives here: a key, a state, or both.
    pub fn holds_a_profile(&self) -> bool {
        self.file("key").exists() || self.file("state").exists()
    }

    /// Makes the folder ready: there, ours alone, with nothing foreign in it.
    ///
    /// # Errors
    /// [`ProfileError::NoProfile`] unless `create`; a folder of somebody or something else.
    pub fn prepare(&self, create: bool) -> Result<(), ProfileError> {
        if !create && !self.holds_a_profile() {
            return Err(ProfileError::NoProfile { folder: self.0.clone() });
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(ProfileError::file("create", &self.0))?;
        let about = fs::metadata(&self.0).map_err(ProfileError::file("look at", &self.0))?;
        if about.uid() != rustix::process::geteuid().as_raw() {
            return Err(ProfileError::NotYours { folder: self.0.clone() });
        }
        if !self.holds_a_profile() && self.has_foreign_files()? {
            return Err(ProfileError::ForeignFolder { folder: self.0.clone() });
        }
        if about.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))
                .map_err(ProfileError::file("protect", &self.0))?;
        }
        Ok(())
    }

    fn has_foreign_files(&self) -> Result<bool, ProfileError> {
        let entries = fs::read_dir(&self.0).map_err(ProfileError::file("read", &self.0))?;
        Ok(entries.flatten().any(|entry| !OWN_FILES.iter().any(|own| entry.file_name() == *own)))
    }
}

/// What the client's core saved, in the clear.
pub type State = Zeroizing<Vec<u8>>;

/// A profile that is open: locked, its key unwrapped.
pub struct Profile {
    folder: Folder,
    key: StateKey,
    _lock: ProfileLock,
}

impl Profile {
    /// Opens what is there, or starts anew: then the state is `None` and to be saved first.
    ///
    /// # Errors
    /// [`ProfileError`]: wrong or missing passphrase, a missing or damaged file.
    pub fn open(
        folder: Folder,
        lock: ProfileLock,
        may_start: bool,
        passphrase: &Passphrase,
    ) -> Result<(Self, Option<State>), ProfileError> {
        let (key_path, state_path) = (folder.file("key"), folder.file("state"));
        let key = match (key_path.exists(), state_path.exists()) {
            (true, _) => key::load(&key_path, passphrase)?,
            (false, true) => return Err(ProfileError::KeyMissing { path: key_path }),
            (false, false) if may_start => key::create(&key_path, passphrase)?,
            (false, false) => {
                return Err(ProfileError::NoProfile { folder: folder.path().to_owned() });
            }
        };
        let state = if state_path.exists() {
            Some(state::load(&state_path, &key)?)
        } else if may_start {
            // A kill between key and first state leaves this; the key alone has protected nothing yet.
            None
        } else {
            return Err(ProfileError::StateMissing { path: state_path });
        };
        let profile = Self { folder, key, _lock: lock };
        Ok((profile, state))
    }

    /// Makes a state durable; on return it is.
    ///
    /// # Errors
    /// [`ProfileError::File`]: the disk is full, read-only or gone. The state before is still whole.
    pub fn save(&self, state: &[u8]) -> Result<(), ProfileError> {
        state::save(&self.folder.file("state"), &self.key, state)
    }

    /// Makes what is typed and not sent durable.
    ///
    /// # Errors
    /// As [`Profile::save`].
    pub fn save_drafts(&self, drafts: &[u8]) -> Result<(), ProfileError> {
        state::save_as(state::Kind::Drafts, &self.folder.file("drafts"), &self.key, drafts)
    }

    /// What was typed and not sent; nothing where there is none, or none that opens.
    pub fn load_drafts(&self) -> Option<State> {
        state::load_as(state::Kind::Drafts, &self.folder.file("drafts"), &self.key).ok()
    }

    /// Where it is.
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// Wipes a profile: first the key, by overwriting, then everything that is ours, then the folder if nothing is left.
///
/// # Errors
/// [`ProfileError::File`]; what could be wiped is.
pub fn wipe(folder: &Folder) -> Result<(), ProfileError> {
    let key = folder.file("key");
    if key.exists() {
        file::overwrite(&key)?;
    }
    let mut first_failure = None;
    for name in OWN_FILES {
        let path = folder.file(name);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                first_failure.get_or_insert(ProfileError::file("remove", &path)(error));
            }
        }
    }
    file::sync_folder(folder.path())?;
    // Foreign files keep the folder: it is not ours to remove then.
    let _ = fs::remove_dir(folder.path());
    first_failure.map_or(Ok(()), Err)
}
