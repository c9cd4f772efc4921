//! The data folder on both ends of a backup: the ledger of a stopped box, and a new folder with one in it.

use std::path::Path;

use bytes::Bytes;
use hob_relay::clock::{BoxTime, Checkpoint, LedgerTime, Now};
use hob_relay::event::{LedgerEvent, decode_ledger, disk, encode_ledger};

use crate::disk::{DiskLog, Options};
use crate::look::lasting_ledger;
use crate::{EventLog as _, LogError, OpenError};

/// Starts that a box whose clock is not set counts its addresses ahead by, so that they are newer than any it signed
/// after the backup.
const STARTS_AHEAD: u64 = 1_000_000;

/// What lasts of a ledger, and the box's clock with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastingLedger {
    /// Its events, encoded, in the order of their last change.
    pub events: Vec<Bytes>,
    /// The clock.
    pub checkpoint: Option<Checkpoint>,
}

/// Reads what lasts of the ledger of a stopped box, and changes nothing.
///
/// # Errors
/// [`OpenError::InUse`] while a box runs; [`OpenError::NewerFormat`]; [`OpenError::Unreadable`] without the keys, and
/// for a ledger that is damaged: the next start repairs it.
pub fn of_stopped_box(data_folder: &Path) -> Result<LastingLedger, OpenError> {
    let (live, checkpoint) = lasting_ledger(data_folder)?;
    Ok(LastingLedger::of(live, checkpoint))
}

/// Makes the log of a restored box in a folder that has none: fresh keys, one generation with these events, the clock,
/// all synced, and read back. `now_unix_s` is today by this computer's clock.
///
/// # Errors
/// As for opening and writing a log. The folder is worth nothing then.
pub fn build(folder: &Path, ledger: &LastingLedger, now_unix_s: u64) -> Result<(), OpenError> {
    let checkpoint = ledger.checkpoint.unwrap_or(Checkpoint {
        box_time: BoxTime(0),
        ledger_time: LedgerTime(0),
        unix_ms: now_unix_s.saturating_mul(1000),
        boot: None,
    });
    let now = Now { box_time: checkpoint.box_time, ledger_time: checkpoint.ledger_time, unix_ms: checkpoint.unix_ms };
    let live = with_addresses_ahead(&ledger.events, now_unix_s);
    let mut log = DiskLog::open(Options::new(folder), |_| now)?.log;
    log.begin_with(now, live.clone())?;
    log.checkpoint(checkpoint)?;
    log.close()?;
    drop(log);
    let written = lasting_ledger(folder)?;
    if written != (live, Some(checkpoint)) {
        let path = folder.to_path_buf();
        return Err(LogError::Damaged { what: "the restored ledger", path }.into());
    }
    Ok(())
}

/// Clients believe the address record with the highest sequence, and the box that was lost may have signed more after the
/// backup. A box signs one a start, so today's date in seconds is ahead of all of them.
fn with_addresses_ahead(events: &[Bytes], now_unix_s: u64) -> Vec<Bytes> {
    let mut last = disk::Addresses::default();
    let mut live = Vec::with_capacity(events.len() + 1);
    for event in events {
        match decode_ledger(event.clone()) {
            Ok(Some(LedgerEvent::Addresses(addresses))) => last = addresses,
            _ => live.push(event.clone()),
        }
    }
    last.sequence = last.sequence.saturating_add(STARTS_AHEAD).max(now_unix_s);
    live.push(encode_ledger(LedgerEvent::Addresses(last)).into());
    live
}
