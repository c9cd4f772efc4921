//! How the run before this one ended: a line in `DATA/last-stop`, written at the end of a clean stop and taken away by
//! the next start. A start that finds none knows that the end was sudden.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The file's name in the data folder.
const NAME: &str = "last-stop";

/// The longest line that is believed, in bytes.
const LINE_BYTES_MAX: usize = 200;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A signal or the service manager said so.
    Asked,
    /// The same, but the log did not close in time.
    AskedAndSlow,
    /// To go on in place, as the program that lies at its path now.
    Restart,
    /// It could not open its ports.
    NoPort,
}

impl Why {
    const fn text(self) -> &'static str {
        match self {
            Self::Asked => "stopped when it was asked to",
            Self::AskedAndSlow => "stopped when it was asked to, before its log was closed",
            Self::Restart => "restarted in place",
            Self::NoPort => "ended at its start: it could not open its port",
        }
    }
}

/// Writes down why this run ends. Best effort: without it the next start takes the end for a sudden one.
pub fn write(data: &Path, why: Why) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let line = format!("{}, on {now} by its clock\n", why.text());
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(data.join(NAME));
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        tracing::debug!(%error, "why the box ends could not be written down");
    }
}

/// Takes the line of the run before. The caller holds the data folder.
pub fn take(data: &Path, first_start: bool) -> String {
    let path = data.join(NAME);
    let line = fs::read(&path).unwrap_or_default();
    // A line that stays would be told of a later, sudden end, too.
    let removed = fs::remove_file(&path).is_ok();
    let text = String::from_utf8_lossy(&line);
    match (removed, text.trim()) {
        (true, line) if !line.is_empty() && line.len() <= LINE_BYTES_MAX => crate::show::plain(line),
        _ if first_start => "this is its first start".to_owned(),
        _ => "it ended suddenly: a power cut, a crash, or a kill".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_stop_is_told_once_and_after_that_an_end_is_sudden() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path(), true), "this is its first start");
        write(folder.path(), Why::Asked);
        assert!(take(folder.path(), false).starts_with("stopped when it was asked to, on 2"));
        assert!(take(folder.path(), false).starts_with("it ended suddenly"));
    }

    #[test]
    fn a_line_that_no_box_wrote_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        for strange in [&b""[..], &[b'x'; 300], b"\xff\xfe\n"] {
            fs::write(folder.path().join(NAME), strange).unwrap();
            let told = take(folder.path(), false);
            assert!(told.len() <= LINE_BYTES_MAX && !told.contains('\n'), "{told}");
        }
    }
}
