//! `hob backup FILE`: what lasts of a box in one sealed file, from a running box or a stopped one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use hob_log::OpenError;
use hob_log::backup::{Content, Cost, LastingLedger, of_stopped_box, seal};
use hob_relay::clock::{BoxTime, Checkpoint, LedgerTime};
use rustix::fs::FlockOperation;
use serde::Serialize;

use crate::cli::Backup;
use crate::cmd::{data_of, say, say_json};
use crate::control::client::{self, AskError};
use crate::control::wire::LedgerView;
use crate::failure::Failure;
use crate::secret::{self, Held, SecretError};
use crate::{identity, notes, show};

/// A settings' file that is longer is none, in bytes.
const SETTINGS_BYTES_MAX: usize = 256 << 10;

#[derive(Serialize)]
struct Made<'a> {
    file: &'a Path,
    bytes: u64,
    made: &'a str,
    members: u64,
    devices: u64,
    tokens: u64,
    settings: bool,
}

/// Gathers, seals, writes, and tells what the file holds.
///
/// # Errors
/// There is no box, the file is there, or something cannot be read or written.
pub fn run(args: &Backup) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    refuse_what_is_there(&args.file, args.force)?;
    if args.recovery_key && !io::stdout().is_terminal() {
        return Err(Failure::usage(
            "--recovery-key shows the key on a terminal, and stdout is none: name a file with --recovery-key-file",
        ));
    }
    if !data.join("keys").join("identity.key").exists() {
        return Err(Failure::because(format!("no box ever ran on {}; name its folder with --data", data.display())));
    }
    let held = secret_of(args)?;
    let content = gather(&data, args.place.config.as_deref())?;
    let bytes = write(&args.file, args.force, &content, &held)?;
    let made = show::expires(content.made_at_s);
    // The file is what counts: a note that cannot be written costs a reminder.
    let _ = notes::backed_up(&data, &made);
    let counts = content.ledger.counts();
    let settings = content.settings.is_some();
    if args.json {
        let (members, devices, tokens) = (counts.members, counts.devices, counts.tokens);
        return say_json(&Made { file: &args.file, bytes, made: &made, members, devices, tokens, settings });
    }
    say(&format!(
        "{} holds the box's identity, {} members with {} devices, {} hashes of tokens{}.\n\
         It holds no message, no invitation and no certificate of your own. Keep it where the box is not.",
        args.file.display(),
        counts.members,
        counts.devices,
        counts.tokens,
        if settings { " and the settings" } else { "" },
    ))?;
    match held {
        Held::RecoveryKey(key) if args.recovery_key => say(&format!(
            "\nIts recovery key, shown this once; without it nobody opens the file:\n\n  {}\n",
            key.to_text()
        )),
        _ => Ok(()),
    }
}

fn refuse_what_is_there(file: &Path, force: bool) -> Result<(), Failure> {
    match fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::usage(format!("{} is a folder: name a file in it", file.display())))
        }
        Ok(_) if !force => Err(Failure::because(format!(
            "{} is there already: name another file, or replace it with --force",
            file.display()
        ))),
        _ => Ok(()),
    }
}

fn gather(data: &Path, config: Option<&Path>) -> Result<Content, Failure> {
    let ledger = ledger(data)?;
    let identity_seed = identity::seed_of(data).map_err(|error| Failure::of(&error))?;
    let made_at_s = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    let made_by = env!("CARGO_PKG_VERSION").to_owned();
    let settings = config.map(settings).transpose()?;
    Ok(Content { made_at_s, made_by, identity_seed, settings, ledger })
}

/// From the box if it runs, else from its folder. A box that starts or stops just now is asked again.
fn ledger(data: &Path) -> Result<LastingLedger, Failure> {
    let refused = match client::get::<LedgerView>(data, "/v1/ledger") {
        Ok(view) => return from_view(&view),
        Err(error @ AskError::NoBox { .. }) => error,
        Err(error) => return Err(error.into()),
    };
    match of_stopped_box(data) {
        Ok(ledger) => Ok(ledger),
        // It runs, and its control socket is not open yet, or not any more.
        Err(OpenError::InUse { .. }) => match client::get::<LedgerView>(data, "/v1/ledger") {
            Ok(view) => from_view(&view),
            Err(_) => Err(Failure::because(format!("{refused}: it starts or stops just now; try again in a moment"))),
        },
        Err(error) => Err(Failure::of(&error)),
    }
}

fn from_view(view: &LedgerView) -> Result<LastingLedger, Failure> {
    let decoded = view.events.iter().map(|event| BASE64.decode(event.as_bytes()).map(Into::into));
    let events = decoded.collect::<Result<Vec<_>, _>>().map_err(|error| Failure::of(&error))?;
    let checkpoint = Checkpoint {
        box_time: BoxTime(view.box_time_ms),
        ledger_time: LedgerTime(view.ledger_time_ms),
        unix_ms: view.unix_ms,
        boot: None,
    };
    Ok(LastingLedger::of(events, Some(checkpoint)))
}

fn settings(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::because(format!("cannot read the settings in {}: {error}", path.display())))?;
    if text.len() > SETTINGS_BYTES_MAX {
        return Err(Failure::because(format!("the settings in {} are too long for a backup", path.display())));
    }
    Ok(text)
}

fn secret_of(args: &Backup) -> Result<Held, Failure> {
    let failed = |error: SecretError| Failure::of(&error);
    if let Some(path) = &args.passphrase_file {
        return secret::new_passphrase_from(path).map_err(failed);
    }
    if args.recovery_key {
        return secret::fresh_recovery_key().map(Held::RecoveryKey).map_err(failed);
    }
    if let Some(path) = &args.recovery_key_file {
        let (held, made) = secret::recovery_key_in(path).map_err(failed)?;
        if made {
            let text = format!("a fresh recovery key is in {}: keep it apart from the backup", path.display());
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "{text}");
        }
        return Ok(held);
    }
    secret::new_passphrase().map_err(failed)
}

/// Writes the file whole or not at all; returns its length. What a killed command left is written over by the next one.
fn write(path: &Path, force: bool, content: &Content, held: &Held) -> Result<u64, Failure> {
    let cannot = |error: &io::Error| {
        Failure::because(format!("cannot write {}: {error}; make room there, or name another place", path.display()))
    };
    let part = part_of(path)?;
    let file = open_part(&part).map_err(|error| cannot(&error))?;
    let written = (|| {
        let mut out = BufWriter::with_capacity(128 << 10, file);
        seal(content, &held.as_secret(), Cost::DEFAULT, &mut out, &mut Progress::default().shown("sealed"))
            .map_err(|error| Failure::of(&error))?;
        let file = out.into_inner().map_err(|error| cannot(error.error()))?;
        file.sync_all().map_err(|error| cannot(&error))?;
        file.metadata().map(|metadata| metadata.len()).map_err(|error| cannot(&error))
    })();
    let placed = written.and_then(|bytes| {
        place(&part, path, force)?;
        Ok(bytes)
    });
    if placed.is_err() {
        // What is left of it is sealed, and worth nothing.
        let _ = fs::remove_file(&part);
    }
    placed
}

fn part_of(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().ok_or_else(|| Failure::usage("name a file for the backup"))?;
    Ok(path.with_file_name(format!(".{}.part", name.to_string_lossy())))
}

fn open_part(part: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(part)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another backup to the same file is under way"))?;
    file.set_len(0)?;
    Ok(file)
}

fn place(part: &Path, path: &Path, force: bool) -> Result<(), Failure> {
    let part = tempfile::TempPath::try_from_path(part).map_err(|error| Failure::of(&error))?;
    let placed = if force { part.persist(path) } else { part.persist_noclobber(path) };
    placed.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::because(format!("{} appeared meanwhile: name another file, or use --force", path.display()))
        }
        _ => Failure::because(format!("cannot put {} in place: {}", path.display(), error.error)),
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Failure::because(format!("cannot write {}: {error}", folder.display())))
}

/// Tells on a terminal how far long work is.
#[derive(Debug, Default)]
pub struct Progress {
    told_mib: u64,
}

impl Progress {
    /// As the work calls it: with bytes done so far. Short work says nothing.
    pub fn shown(mut self, what: &'static str) -> impl FnMut(u64) {
        let is_seen = io::stderr().is_terminal();
        move |bytes| {
            let mib = bytes >> 20;
            if is_seen && mib >= self.told_mib + 8 {
                self.told_mib = mib;
                // Nobody may be reading.
                let _ = writeln!(io::stderr(), "{what}: {mib} MiB");
            }
        }
    }
}
