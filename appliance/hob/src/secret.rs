//! What opens a backup: a passphrase that is asked for without echo or read from a file, or a recovery key.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hob_log::backup::{LockKind, Passphrase, Secret};
use hob_protocol::ids::RecoveryKey;
use zeroize::Zeroizing;

use crate::admin::password::PASSWORD_CHARACTERS_MIN;
use crate::folder::{self, FolderError};

/// A new passphrase has at least as many characters: Argon2id makes guessing slow, and not a short one good.
pub const CHARACTERS_MIN: usize = 10;

/// The longest passphrase, in bytes, with what may stand behind it in its file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A secret that is at hand.
pub enum Held {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// A recovery key.
    RecoveryKey(RecoveryKey),
}

impl Held {
    /// As the backup's code takes it.
    pub fn as_secret(&self) -> Secret<'_> {
        match self {
            Self::Passphrase(text) => Secret::Passphrase(Passphrase(text)),
            Self::RecoveryKey(key) => Secret::RecoveryKey(key),
        }
    }
}

/// There is no secret to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nobody can be asked.
    #[error("nobody is at a terminal to be asked for the {}: give it with --{}", kind.name(), flag(*kind))]
    NobodyToAsk {
        /// For what.
        kind: LockKind,
    },
    /// What was typed twice differs.
    #[error("the two were not the same: try again")]
    NotTheSame,
    /// It is too short.
    #[error(
        "a passphrase has at least {CHARACTERS_MIN} characters: whoever finds the file can try as many as they like"
    )]
    TooShort,
    /// The same of a password of the dashboard, which nobody can try that often.
    #[error("a password has at least {PASSWORD_CHARACTERS_MIN} characters: choose a longer one")]
    PasswordTooShort,
    /// A file cannot be read.
    #[error("cannot read {}: look whether it is there, and this user's", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read it.
    #[error("{} can be read by others: run chmod 600 {0}, and think about whether anybody did", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// There is no passphrase in a file.
    #[error("{} does not begin with a line of text: write the passphrase there", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A recovery key is not whole.
    #[error(transparent)]
    Printed(#[from] hob_protocol::printed::PrintedError),
    /// A key cannot be stored.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A key cannot be made.
    #[error("the system gives no random bytes")]
    Random(#[from] getrandom::Error),
}

const fn flag(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Passphrase => "passphrase-file",
        LockKind::RecoveryKey => "recovery-key-file",
    }
}

/// Asks twice for a new passphrase.
///
/// # Errors
/// [`SecretError`].
pub fn new_passphrase() -> Result<Held, SecretError> {
    let first = ask("Passphrase for the backup: ", LockKind::Passphrase)?;
    let first = long_enough(first)?;
    if *first != *ask("Once more: ", LockKind::Passphrase)? {
        return Err(SecretError::NotTheSame);
    }
    Ok(Held::Passphrase(first))
}

/// A new passphrase from a file.
///
/// # Errors
/// [`SecretError`].
pub fn new_passphrase_from(path: &Path) -> Result<Held, SecretError> {
    long_enough(first_line(path)?).map(Held::Passphrase)
}

/// A new password of the dashboard: from a file, or asked for twice.
///
/// # Errors
/// [`SecretError`].
pub fn new_password(file: Option<&Path>) -> Result<Zeroizing<String>, SecretError> {
    let password = match file {
        Some(path) => first_line(path)?,
        None => {
            let first = ask("New password: ", LockKind::Passphrase)?;
            if *first != *ask("Once more: ", LockKind::Passphrase)? {
                return Err(SecretError::NotTheSame);
            }
            first
        }
    };
    match password.chars().count() {
        0..PASSWORD_CHARACTERS_MIN => Err(SecretError::PasswordTooShort),
        _ => Ok(password),
    }
}

fn long_enough(text: Zeroizing<String>) -> Result<Zeroizing<String>, SecretError> {
    if text.chars().count() < CHARACTERS_MIN { Err(SecretError::TooShort) } else { Ok(text) }
}

/// Makes a fresh recovery key.
///
/// # Errors
/// [`SecretError::Random`].
pub fn fresh_recovery_key() -> Result<RecoveryKey, SecretError> {
    let mut key = RecoveryKey([0; 32]);
    getrandom::fill(&mut key.0)?;
    Ok(key)
}

/// The recovery key in a file; a fresh one, and its file, if it is not there. The flag says whether it was made.
///
/// # Errors
/// [`SecretError`].
pub fn recovery_key_in(path: &Path) -> Result<(Held, bool), SecretError> {
    if path.exists() {
        return recovery_key_from(path).map(|held| (held, false));
    }
    let key = fresh_recovery_key()?;
    let text = Zeroizing::new(format!("{}\n", key.to_text()));
    if folder::write_private(path, text.as_bytes())? {
        return Ok((Held::RecoveryKey(key), true));
    }
    // Another command was first.
    recovery_key_from(path).map(|held| (held, false))
}

/// What opens a backup that is locked so: from the files that were named, else by asking.
///
/// # Errors
/// [`SecretError`].
pub fn to_open(
    kind: LockKind,
    passphrase_file: Option<&Path>,
    recovery_key_file: Option<&Path>,
) -> Result<Held, SecretError> {
    match (kind, passphrase_file, recovery_key_file) {
        // Whatever was given is tried: the backup says it if it is the other kind.
        (_, Some(path), _) => first_line(path).map(Held::Passphrase),
        (_, _, Some(path)) => recovery_key_from(path),
        (LockKind::Passphrase, None, None) => ask("Passphrase of the backup: ", kind).map(Held::Passphrase),
        (LockKind::RecoveryKey, None, None) => {
            let text = ask("Recovery key of the backup (hob://recovery/…): ", kind)?;
            Ok(Held::RecoveryKey(RecoveryKey::parse(&text)?))
        }
    }
}

fn recovery_key_from(path: &Path) -> Result<Held, SecretError> {
    Ok(Held::RecoveryKey(RecoveryKey::parse(&first_line(path)?)?))
}

fn ask(prompt: &str, kind: LockKind) -> Result<Zeroizing<String>, SecretError> {
    if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
        return Err(SecretError::NobodyToAsk { kind });
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| SecretError::NobodyToAsk { kind })
}

/// The first line of a file that only this user can read; a pipe is fine, too.
fn first_line(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(SecretError::TooOpen { path: path.to_owned() });
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(SecretError::NotText { path: path.to_owned() }),
    }
}
