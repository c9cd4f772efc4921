//! What a start finds: torn tails are cut, damaged middles quarantined, both counted.
//!
//! [`scan`] walks a journal along its chain. Where the chain breaks there are three stories:
//! - nothing behind the break was ever acknowledged: no later group says that more was synced, and neither does the mark.
//!   A *torn tail*; it is cut.
//! - sled has the group that is missing: it takes its place, and the walk goes on behind it.
//! - neither: *damage*. The records up to the next good group are counted as lost, and the walk goes on there.

use std::collections::HashSet;

use bytes::Buf;
use hob_protocol::frame::Urgency;
use hob_protocol::ids::{EnvelopeId, MailboxId};
use hob_protocol::planted;
use hob_relay::clock::BoxTime;
use hob_relay::event::disk::{TrafficEvent, traffic_event};
use hob_relay::event::{Known, Pending, Place};
use prost::Message;

use crate::files::LogFile;
use crate::journal::End;
use crate::mark::Mark;
use crate::record::{BLOCK_HEADER_BYTES, Block, HEADER_BYTES, Header, LogKeys, Opening, Record, open_front, tag_of};

/// A window of which something was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostWindow {
    /// Its number.
    pub number: u32,
    /// When it opened, Unix milliseconds.
    pub opened_unix_ms: u64,
    /// Records that were lost in it; `None` if its folder is gone and nobody can tell.
    pub lost_records: Option<u64>,
    /// Whether this start found it. The others were found by an earlier start and are still kept aside.
    pub is_new: bool,
}

/// What a start found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes of torn tails that were cut. They were never acknowledged.
    pub cut_bytes: u64,
    /// Journals whose tail was torn.
    pub cut_tails: u64,
    /// Windows that were destroyed because their time was up: numbers.
    pub destroyed_windows: Vec<u32>,
    /// Records of the ledger that its sled database gave back.
    pub ledger_restored: u64,
    /// Records of the ledger that neither its journal nor its sled database could give back.
    pub ledger_lost: u64,
    /// Records of windows whose index sled gave back.
    pub window_records_restored: u64,
    /// Left-overs of an interrupted start, switch or destruction that were removed.
    pub left_overs: u64,
}

/// How many bytes are read ahead.
const READ_AHEAD_BYTES: usize = 256 << 10;

/// Reads a file forwards in large pieces.
pub(crate) struct ReadAhead<'a> {
    file: &'a dyn LogFile,
    len: u64,
    start: u64,
    buffer: Vec<u8>,
    piece_bytes: usize,
}

impl<'a> ReadAhead<'a> {
    pub(crate) fn new(file: &'a dyn LogFile) -> Self {
        Self::in_pieces_of(READ_AHEAD_BYTES, file)
    }

    /// For whoever steps over most of it.
    pub(crate) fn in_pieces_of(piece_bytes: usize, file: &'a dyn LogFile) -> Self {
        Self { len: file.len().unwrap_or(0), file, start: 0, buffer: Vec::new(), piece_bytes }
    }

    /// So many bytes at an offset; `None` if the file is shorter or cannot be read there.
    pub(crate) fn get(&mut self, offset: u64, bytes: usize) -> Option<&mut [u8]> {
        let end = offset.checked_add(bytes as u64)?;
        if end > self.len {
            return None;
        }
        if offset < self.start || end > self.start + self.buffer.len() as u64 {
            self.fill(offset, bytes)?;
        }
        let at = usize::try_from(offset - self.start).ok()?;
        self.buffer.get_mut(at..at + bytes)
    }

    fn fill(&mut self, offset: u64, bytes: usize) -> Option<()> {
        let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
        let want = bytes.max(self.piece_bytes).min(left);
        self.buffer.resize(want, 0);
        self.start = offset;
        let mut got = 0;
        while let Some(rest) = self.buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + got as u64) {
                // A bad sector behind what is asked for now is found when it is asked for.
                Ok(0) | Err(_) => break,
                Ok(read) => got += read,
            }
        }
        self.buffer.truncate(got);
        (got >= bytes).then_some(())
    }
}

/// What a walk along a journal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scan {
    /// Where the chain ends.
    pub end: End,
    /// Bytes of a torn tail.
    pub torn_bytes: u64,
    /// Records that are lost.
    pub lost_records: u64,
    /// Records whose group sled gave back.
    pub restored_records: u64,
    /// Whether the journal is not what was acknowledged.
    pub is_damaged: bool,
}

/// A group that a walk found.
pub struct Found<'a> {
    /// Where it begins in the journal, in bytes.
    pub offset: u64,
    /// Its front: header and sealed index.
    pub front: &'a [u8],
    /// Its records.
    pub records: Vec<Record>,
}

/// Gives back what sled holds of the group that begins with a sequence number.
pub type SledCopy<'a> = &'a mut dyn FnMut(u64) -> Option<Vec<u8>>;

/// Walks along a journal and hands out every good group, in order.
///
/// With `sled_rules` what sled has beyond the journal's end is taken too: right for the ledger, whose sled is only ever
/// given what was synced.
pub fn scan(
    file: &dyn LogFile,
    keys: &LogKeys,
    mark: Option<Mark>,
    sled: SledCopy<'_>,
    sled_rules: bool,
    sink: &mut dyn FnMut(Found<'_>),
) -> Scan {
    let mark = if planted!("mark-ignored") { Mark::default() } else { mark.unwrap_or_default() };
    let mut reader = ReadAhead::new(file);
    let mut scan = Scan::default();
    loop {
        if scan.end.next_sequence == mark.records && mark.records > 0 && scan.end.last_tag != mark.last_tag {
            // As many records as were acknowledged, but others: the journal was replaced.
            scan.is_damaged = true;
        }
        let at = scan.end.bytes;
        if at == reader.len && mark.records <= scan.end.next_sequence && !sled_rules {
            return scan;
        }
        if let Some((header, front, records)) = good_group(&mut reader, keys, at)
            && follows(&header, scan.end)
        {
            let next = after(&header, at, &front);
            // A torn group may have its front whole and its bodies not. What the mark covers was synced whole.
            if next.bytes > mark.bytes
                && !are_bodies_good(&mut reader, keys, at, &records)
                && next_good(&mut reader, keys, next).is_none_or(|(_, later)| later.at.synced_to <= at)
            {
                scan.torn_bytes = written_bytes(&mut reader, at);
                return scan;
            }
            scan.end = next;
            sink(Found { offset: at, front: &front, records });
            continue;
        }
        scan.torn_bytes = written_bytes(&mut reader, at);
        let later = (scan.torn_bytes > 0).then(|| next_good(&mut reader, keys, scan.end)).flatten();
        let acknowledged_to = later.map_or(0, |(_, header)| header.at.synced_to).max(mark.bytes);
        let is_damage = acknowledged_to > at || mark.records > scan.end.next_sequence;
        if (is_damage || sled_rules)
            && let Some((header, front, records)) = sled_group(sled, keys, scan.end)
        {
            scan.is_damaged = true;
            scan.torn_bytes = 0;
            scan.restored_records += header.records;
            scan.end = after(&header, at, &front);
            sink(Found { offset: at, front: &front, records });
            continue;
        }
        if !is_damage {
            return scan;
        }
        scan.is_damaged = true;
        scan.torn_bytes = 0;
        let Some((offset, header)) = later else {
            scan.lost_records += mark.records.saturating_sub(scan.end.next_sequence);
            return scan;
        };
        scan.lost_records += header.at.first_sequence.saturating_sub(scan.end.next_sequence);
        scan.end = End { bytes: offset, next_sequence: header.at.first_sequence, last_tag: header.at.previous_tag };
    }
}

fn follows(header: &Header, end: End) -> bool {
    header.at.first_sequence == end.next_sequence
        && (header.at.previous_tag == end.last_tag || planted!("chain-tag-unchecked"))
}

fn after(header: &Header, offset: u64, front: &[u8]) -> End {
    End {
        bytes: offset + header.total_bytes as u64,
        next_sequence: header.next_sequence(),
        last_tag: tag_of(front).unwrap_or_default(),
    }
}

type Opened = (Header, Vec<u8>, Vec<Record>);

fn good_group(reader: &mut ReadAhead<'_>, keys: &LogKeys, at: u64) -> Option<Opened> {
    let header = Header::parse(reader.get(at, HEADER_BYTES)?)?;
    if at.checked_add(header.total_bytes as u64)? > reader.len {
        return None;
    }
    let front = reader.get(at, header.front_bytes())?;
    let records = open_front(keys, &header, front)?;
    Some((header, front.to_vec(), records))
}

fn sled_group(sled: SledCopy<'_>, keys: &LogKeys, end: End) -> Option<Opened> {
    let front = sled(end.next_sequence)?;
    let header = Header::parse(&front)?;
    let records = open_front(keys, &header, &front)?;
    (follows(&header, end) && front.len() == header.front_bytes()).then_some((header, front, records))
}

/// The next group behind a break that opens and does not go back.
fn next_good(reader: &mut ReadAhead<'_>, keys: &LogKeys, end: End) -> Option<(u64, Header)> {
    const STEP: usize = 64 << 10;
    let mut at = end.bytes + 1;
    while at < reader.len {
        let left = usize::try_from(reader.len - at).unwrap_or(usize::MAX);
        // A piece that cannot be read is stepped over, page by page.
        let Some(piece) = reader.get(at, left.min(STEP)) else {
            at += 4096;
            continue;
        };
        let hits: Vec<u64> = piece
            .windows(4)
            .enumerate()
            .filter(|(_, four)| four.first() == Some(&b'H') && *four == b"HOBG")
            .map(|(hit, _)| at + hit as u64)
            .collect();
        for hit in hits {
            if let Some((header, ..)) = good_group(reader, keys, hit)
                && header.at.first_sequence >= end.next_sequence
            {
                return Some((hit, header));
            }
        }
        at += left.min(STEP).saturating_sub(3).max(1) as u64;
    }
    None
}

/// How many bytes behind the chain's end are not the zeros of reserved space.
fn written_bytes(reader: &mut ReadAhead<'_>, from: u64) -> u64 {
    const STEP: usize = 64 << 10;
    static ZEROS: [u8; STEP] = [0; STEP];
    let (mut at, mut last) = (from, from);
    while at < reader.len {
        let step = usize::try_from(reader.len - at).unwrap_or(usize::MAX).min(STEP);
        match reader.get(at, step) {
            // Compared as a whole: reserved space is megabytes of zeros.
            Some(piece) if ZEROS.get(..step).is_some_and(|zeros| *zeros == *piece) => {}
            Some(piece) => {
                let position = piece.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                last = at + position as u64 + 1;
            }
            None => last = at + step as u64,
        }
        at += step as u64;
    }
    last - from
}

/// What a window remembers.
#[derive(Debug, Default)]
pub struct WindowContent {
    /// Pending envelopes, oldest first.
    pub pending: Vec<Pending>,
    /// Envelopes that are done.
    pub known: Vec<Known>,
    /// Envelopes that were ever accepted, without those that were lost.
    pub accepted: u64,
    /// Bodies of pending envelopes that are damaged.
    pub damaged_bodies: u64,
    /// Events that could not be understood.
    pub unknown_events: u64,
}

/// Collects a window's groups into what it remembers.
#[derive(Debug, Default)]
pub struct WindowReader {
    number: u32,
    accepted: Vec<Pending>,
    done: HashSet<u32>,
    unknown_events: u64,
}

impl WindowReader {
    /// For a window.
    pub fn new(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes a group in.
    pub fn take_in(&mut self, found: &Found<'_>) {
        for record in &found.records {
            if self.take_record(found.offset, record).is_none() {
                self.unknown_events += 1;
            }
        }
    }

    fn take_record(&mut self, group: u64, record: &Record) -> Option<()> {
        let sequence = u32::try_from(record.sequence).ok()?;
        match TrafficEvent::decode(record.event.chunk()).ok()?.event? {
            traffic_event::Event::Accepted(accepted) => self.accepted.push(Pending {
                mailbox: MailboxId::try_from(&accepted.mailbox[..]).ok()?,
                id: EnvelopeId::try_from(&accepted.id[..]).ok()?,
                deadline: BoxTime(accepted.deadline_ms),
                urgency: if accepted.wake { Urgency::Wake } else { Urgency::Quiet },
                body_bytes: u32::try_from(record.body_bytes).ok()?,
                place: Place { window: self.number, sequence, offset: group + record.block_at as u64 },
            }),
            traffic_event::Event::Acknowledged(event) => {
                self.done.insert(u32::try_from(event.accepted_sequence).ok()?);
            }
            traffic_event::Event::Expired(event) => {
                self.done.insert(u32::try_from(event.accepted_sequence).ok()?);
            }
        }
        Some(())
    }

    /// What the window remembers. With `check_bodies` the body of every pending envelope is read and checked; one that is
    /// damaged is neither pending nor known, so that its sender can submit it again.
    pub fn finish(self, file: &dyn LogFile, keys: &LogKeys, check_bodies: bool) -> WindowContent {
        let mut content = WindowContent { unknown_events: self.unknown_events, ..WindowContent::default() };
        let mut reader = ReadAhead::new(file);
        for pending in self.accepted {
            // Without a body key nothing was pending when it was destroyed, even if the last acknowledgements, which
            // nobody syncs, did not reach the disk.
            if self.done.contains(&pending.place.sequence) || !keys.has_body_key() {
                content.known.push(Known { id: pending.id, deadline: pending.deadline });
            } else if check_bodies && !planted!("body-unchecked") && !is_body_good(&mut reader, keys, &pending) {
                content.damaged_bodies += 1;
                continue;
            } else {
                content.pending.push(pending);
            }
            content.accepted += 1;
        }
        content
    }
}

fn is_body_good(reader: &mut ReadAhead<'_>, keys: &LogKeys, pending: &Pending) -> bool {
    let bytes = usize::try_from(pending.body_bytes).unwrap_or(usize::MAX);
    let sequence = u64::from(pending.place.sequence);
    opens(reader, keys, pending.place.offset, sequence, bytes) == Some(Opening::Good)
}

fn are_bodies_good(reader: &mut ReadAhead<'_>, keys: &LogKeys, group: u64, records: &[Record]) -> bool {
    records.iter().filter(|record| record.body_bytes > 0).all(|record| {
        let opening = opens(reader, keys, group + record.block_at as u64, record.sequence, record.body_bytes);
        // Without the body key nobody can tell, and nobody will read them.
        matches!(opening, Some(Opening::Good | Opening::NoKey))
    })
}

fn opens(reader: &mut ReadAhead<'_>, keys: &LogKeys, offset: u64, sequence: u64, bytes: usize) -> Option<Opening> {
    let block = reader.get(offset, BLOCK_HEADER_BYTES.checked_add(bytes)?)?;
    let (front, sealed) = block.split_at_mut_checked(BLOCK_HEADER_BYTES)?;
    let front = Block::parse(front)?;
    // A copy: what was opened in place could not be opened a second time from the same buffer.
    let mut sealed = sealed.to_vec();
    let opening = front.open(keys, sequence, &mut sealed);
    (front.body_bytes == bytes).then_some(opening)
}
