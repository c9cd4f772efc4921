//! What the log promises, told by tests.
//!
//! # Layout
//! - `recording`: a file layer that remembers the order of operations, fails at a chosen one, or stops the world.
//! - `rules`: the eight rules of storing.
//! - `forgetting`: windows, keys and their destruction.
//! - `damage`: flipped, swapped, cut and replaced bytes; sled thrown away.
//! - `crash`: the world stops after the n-th operation, for every n.
//! - `twin`: the disk and the memory say the same.

mod crash;
mod damage;
mod forgetting;
mod recording;
mod rules;
mod twin;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_relay::clock::{BoxTime, LedgerTime, Now};
use hob_relay::event::{Append, LedgerEvent, Place, disk};

use crate::files::FileLayer;
use crate::{DiskLog, EventLog, OpenError, Opened, Options};

const MINUTE: u64 = 60_000;

fn at(minutes: u64) -> Now {
    Now {
        box_time: BoxTime(minutes * MINUTE),
        ledger_time: LedgerTime(minutes * MINUTE),
        unix_ms: 1_790_000_000_000 + minutes * MINUTE,
    }
}

fn id(number: u64) -> EnvelopeId {
    let mut id = [7; 32];
    id[..8].copy_from_slice(&number.to_le_bytes());
    EnvelopeId(id)
}

fn body(number: u64) -> Bytes {
    Bytes::from(vec![number as u8; 2048])
}

fn accept(number: u64, now: Now) -> Append {
    Append::Accept {
        mailbox: MailboxId([number as u8; 16]),
        id: id(number),
        deadline: now.box_time.plus(Duration::from_secs(5 * 3600)),
        urgency: if number.is_multiple_of(2) { Urgency::Wake } else { Urgency::Quiet },
        body: body(number),
    }
}

fn member(number: u8, label: &str) -> Append {
    Append::Ledger(LedgerEvent::Member(disk::Member {
        id: vec![number; 16].into(),
        label: label.into(),
        joined_at_s: 1,
    }))
}

fn member_removed(number: u8) -> Append {
    Append::Ledger(LedgerEvent::MemberRemoved(disk::MemberRemoved { id: vec![number; 16].into() }))
}

fn labels(ledger: &[LedgerEvent]) -> Vec<&str> {
    ledger
        .iter()
        .map(|event| match event {
            LedgerEvent::Member(member) => member.label.as_str(),
            _ => "?",
        })
        .collect()
}

fn ids(opened: &Opened) -> Vec<EnvelopeId> {
    opened.pending.iter().map(|pending| pending.id).collect()
}

fn try_open(folder: &Path, files: Option<Arc<dyn FileLayer>>, now: Now) -> Result<Opened, OpenError> {
    let mut options = Options::new(folder);
    if let Some(files) = files {
        options.files = files;
    }
    DiskLog::open(options, |_| now)
}

fn open(folder: &Path, now: Now) -> Opened {
    try_open(folder, None, now).unwrap()
}

/// Accepts one envelope in a commit of its own.
fn keep(log: &mut DiskLog, number: u64, now: Now) -> Place {
    log.commit(now, &[accept(number, now)]).unwrap()[0]
}

fn acknowledge(log: &mut DiskLog, place: Place, now: Now) {
    log.commit(now, &[Append::Acknowledge { place }]).unwrap();
}
