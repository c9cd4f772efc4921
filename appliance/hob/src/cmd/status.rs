//! `hob status`: how the box stands, and below it, if anything is unusual, a sentence for each such thing.

use std::time::Duration;

use crate::cli::Look;
use crate::cmd::{data_of, say, say_json};
use crate::config::value::Time;
use crate::control::client;
use crate::control::wire::StatusView;
use crate::failure::Failure;
use crate::notes;

/// Asks and tells in one line.
///
/// # Errors
/// No box runs.
pub fn run(args: &Look) -> Result<(), Failure> {
    let data = data_of(&args.place)?;
    let mut view: StatusView = client::get(&data, "/v1/status")?;
    let restored = notes::restored(&data);
    view.last_backup = notes::last_backup(&data);
    view.restored_from = restored.as_ref().map(|restored| restored.backup_made.clone());
    if args.json {
        return say_json(&view);
    }
    say(&line(&view))?;
    view.unusual.iter().try_for_each(|unusual| say(&unusual.text))?;
    if let Some(restored) = restored {
        say(&restored.reminder())?;
    }
    if view.members > 0 && view.last_backup.is_none() {
        say("this box was never backed up from here: `hob backup FILE` takes seconds, also while it runs")?;
    }
    Ok(())
}

fn line(view: &StatusView) -> String {
    let mut line = format!(
        "up {}{}: {} pending, {} accepted, {} delivered, {} expired; {}, {} of {} connected; {}, generation {}, \
         {} on disk, {} of memory",
        Time(Duration::from_secs(view.uptime_s)),
        before(&view.last_stop),
        view.pending,
        view.accepted,
        view.delivered,
        view.expired,
        counted(view.members, "member"),
        view.connected,
        counted(view.devices, "device"),
        counted(view.windows, "window"),
        view.generation,
        rounded(view.bytes_on_disk),
        rounded(view.memory_bytes),
    );
    if view.storing_fails {
        line.push_str("; THE DISK REFUSES: nothing is accepted until it has room and can be written");
    }
    if view.lost_windows > 0 {
        line.push_str(&format!("; lost: {}, which senders send again", counted(view.lost_windows, "window")));
    }
    if view.damaged_records > 0 {
        line.push_str(&format!(
            "; {} damaged: stop the box and run `hob verify-log`",
            counted(view.damaged_records, "record")
        ));
    }
    line.push_str(match view.unusual.len() {
        0 => "; nothing unusual",
        1 => "; something is unusual:",
        _ => "; some things are unusual:",
    });
    line
}

/// Only what the keeper may not expect: a clean stop is their own doing.
fn before(last_stop: &str) -> &'static str {
    if last_stop.starts_with("it ended suddenly") { " since a sudden end" } else { "" }
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn rounded(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_one_line_and_says_what_is_wrong() {
        let mut view = StatusView { pending: 7, bytes_on_disk: 3 << 19, ..StatusView::default() };
        let well = line(&view);
        assert!(well.contains("7 pending") && well.contains("1.5 MiB on disk") && !well.contains("REFUSES"), "{well}");
        assert!(well.ends_with("; nothing unusual"), "{well}");
        view.storing_fails = true;
        view.lost_windows = 2;
        view.damaged_records = 1;
        let badly = line(&view);
        assert!(badly.contains("REFUSES") && badly.contains("lost: 2 windows") && badly.contains("verify-log"));
        assert!(!badly.contains('\n'));
    }
}
