//! What lies in the chunks of a backup: records of `kind (1) || bytes (4, little-endian) || content`, in this order.
//!
//! | kind | content |
//! |---|---|
//! | 1 | [`Manifest`], Protocol Buffers |
//! | 2 | the identity's seed, 32 bytes |
//! | 3 | the settings' file, if there was one: UTF-8 |
//! | 4 | an event of the ledger (`events.proto`), as often as there are |
//! | 5 | how many events there were: 8 bytes. Nothing follows |

use bytes::Bytes;
use hob_relay::clock::{BoxTime, Checkpoint, LedgerTime};
use prost::Message as _;
use zeroize::Zeroizing;

use crate::backup::{BackupError, Content, LastingLedger};
use crate::record::{EVENT_BYTES_MAX, take};

const MANIFEST: u8 = 1;
const IDENTITY: u8 = 2;
const SETTINGS: u8 = 3;
const EVENT: u8 = 4;
const END: u8 = 5;

/// The longest record, in bytes: no event is longer.
pub const RECORD_BYTES_MAX: usize = EVENT_BYTES_MAX;

/// The most that all events together may have, in bytes: thousands of members.
pub const EVENTS_BYTES_MAX: u64 = 256 << 20;

/// What a backup says first.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Manifest {
    /// Unix seconds.
    #[prost(fixed64, tag = "1")]
    pub made_at_s: u64,
    /// The version of the program.
    #[prost(string, tag = "2")]
    pub made_by: String,
    /// The number of the data folder's format.
    #[prost(uint32, tag = "3")]
    pub format: u32,
    /// The box's clock; `None`: it stored none yet.
    #[prost(message, optional, tag = "4")]
    pub clock: Option<Clock>,
}

/// The box's clock.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Clock {
    /// Box time in milliseconds.
    #[prost(fixed64, tag = "1")]
    pub box_time_ms: u64,
    /// Ledger time in milliseconds.
    #[prost(fixed64, tag = "2")]
    pub ledger_time_ms: u64,
    /// Unix milliseconds.
    #[prost(fixed64, tag = "3")]
    pub unix_ms: u64,
}

/// Hands out a content's records.
///
/// # Errors
/// [`BackupError::TooLarge`], and what the taker says.
pub fn write(content: &Content, out: &mut dyn FnMut(&[u8]) -> Result<(), BackupError>) -> Result<(), BackupError> {
    let Content { made_at_s, made_by, identity_seed, settings, ledger } = content;
    let bytes: u64 = ledger.events.iter().map(|event| event.len() as u64).sum();
    if bytes > EVENTS_BYTES_MAX {
        return Err(BackupError::TooLarge { bytes });
    }
    let clock = ledger.checkpoint.map(|checkpoint| Clock {
        box_time_ms: checkpoint.box_time.0,
        ledger_time_ms: checkpoint.ledger_time.0,
        unix_ms: checkpoint.unix_ms,
    });
    let manifest = Manifest { made_at_s: *made_at_s, made_by: made_by.clone(), format: crate::disk::FORMAT, clock };
    record(MANIFEST, &manifest.encode_to_vec(), out)?;
    record(IDENTITY, &identity_seed[..], out)?;
    if let Some(settings) = settings {
        record(SETTINGS, settings.as_bytes(), out)?;
    }
    for event in &ledger.events {
        record(EVENT, event, out)?;
    }
    record(END, &(ledger.events.len() as u64).to_le_bytes(), out)
}

fn record(kind: u8, content: &[u8], out: &mut dyn FnMut(&[u8]) -> Result<(), BackupError>) -> Result<(), BackupError> {
    let bytes = u32::try_from(content.len()).ok().filter(|bytes| *bytes as usize <= RECORD_BYTES_MAX);
    let bytes = bytes.ok_or(BackupError::TooLarge { bytes: content.len() as u64 })?;
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&bytes.to_le_bytes());
    out(&head)?;
    out(content)
}

/// Puts a content together from the plain bytes of chunk after chunk.
///
/// Public for the fuzzer, which comes without a seal.
#[derive(Default)]
pub struct Reader {
    /// What was not read yet: less than a record and a chunk.
    waiting: Zeroizing<Vec<u8>>,
    manifest: Option<Manifest>,
    identity_seed: Option<Zeroizing<[u8; 32]>>,
    settings: Option<String>,
    events: Vec<Bytes>,
    events_bytes: u64,
    ended: bool,
}

impl Reader {
    /// Takes the next plain bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn take_in(&mut self, plain: &[u8]) -> Result<(), &'static str> {
        self.make_room(plain.len());
        self.waiting.extend_from_slice(plain);
        let mut at = 0;
        while let Some((kind, bytes)) = self.waiting.get(at..).and_then(head) {
            if bytes > RECORD_BYTES_MAX {
                return Err("a record is longer than any");
            }
            let from = at + 5;
            let Some(content) = self.waiting.get(from..from + bytes) else { break };
            let content = Zeroizing::new(content.to_vec());
            self.record(kind, &content)?;
            at = from + bytes;
        }
        self.waiting.drain(..at);
        Ok(())
    }

    /// A vector that grows by itself leaves copies of what it held behind.
    fn make_room(&mut self, bytes: usize) {
        let wanted = self.waiting.len() + bytes;
        if wanted > self.waiting.capacity() {
            let mut roomier = Zeroizing::new(Vec::with_capacity(wanted.next_power_of_two()));
            roomier.extend_from_slice(&self.waiting);
            self.waiting = roomier;
        }
    }

    fn record(&mut self, kind: u8, content: &[u8]) -> Result<(), &'static str> {
        const TWICE: &str = "its records are not in their order";
        let begun = self.manifest.is_some();
        match kind {
            _ if self.ended => Err("something follows its end"),
            MANIFEST if !begun => {
                self.manifest = Some(Manifest::decode(content).map_err(|_| "its first record")?);
                Ok(())
            }
            IDENTITY if begun && self.identity_seed.is_none() => {
                let seed = content.try_into().map_err(|_| "its identity has another length")?;
                self.identity_seed = Some(Zeroizing::new(seed));
                Ok(())
            }
            SETTINGS if begun && self.settings.is_none() && self.events.is_empty() => {
                let text = std::str::from_utf8(content).map_err(|_| "its settings are no text")?;
                self.settings = Some(text.to_owned());
                Ok(())
            }
            EVENT if self.identity_seed.is_some() => {
                self.events_bytes += content.len() as u64;
                if self.events_bytes > EVENTS_BYTES_MAX {
                    return Err("it holds more than any ledger");
                }
                self.events.push(Bytes::copy_from_slice(content));
                Ok(())
            }
            END if self.identity_seed.is_some() => {
                self.ended = true;
                let said = content.try_into().map(u64::from_le_bytes).ok();
                if said == Some(self.events.len() as u64) { Ok(()) } else { Err("events are missing") }
            }
            MANIFEST | IDENTITY | SETTINGS | EVENT | END => Err(TWICE),
            _ => Err("it holds what no hob of its version wrote"),
        }
    }

    /// What was put together.
    ///
    /// # Errors
    /// It is not whole.
    pub fn finish(self) -> Result<Content, &'static str> {
        let (Some(manifest), Some(identity_seed), true, true) =
            (self.manifest, self.identity_seed, self.ended, self.waiting.is_empty())
        else {
            return Err("its end is missing");
        };
        let checkpoint = manifest.clock.map(|clock| Checkpoint {
            box_time: BoxTime(clock.box_time_ms),
            ledger_time: LedgerTime(clock.ledger_time_ms),
            unix_ms: clock.unix_ms,
            boot: None,
        });
        Ok(Content {
            made_at_s: manifest.made_at_s,
            made_by: manifest.made_by,
            identity_seed,
            settings: self.settings,
            // Whoever wrote it: what does not last is not taken.
            ledger: LastingLedger::of(self.events, checkpoint),
        })
    }
}

fn head(rest: &[u8]) -> Option<(u8, usize)> {
    let (kind, rest) = rest.split_first()?;
    let mut rest = rest;
    let bytes = u32::from_le_bytes(take(&mut rest)?);
    Some((*kind, bytes as usize))
}
