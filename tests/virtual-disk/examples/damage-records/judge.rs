//! What a start must say and serve after damage.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use hob_log::{EventLog as _, OpenError, Opened};

use crate::harm::Harm;
use crate::stage::{Stage, at, body, id, open};

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is missing, and nothing needed to be told.
    Harmless,
    /// Something was given back by its second copy, or rebuilt.
    Restored,
    /// Something is missing, and it is told.
    Told,
    /// The box does not start, and says what to do.
    Refused,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    harmless: usize,
    restored: usize,
    told: usize,
    refused: usize,
}

impl Tally {
    pub fn count(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Harmless => &mut self.harmless,
            Outcome::Restored => &mut self.restored,
            Outcome::Told => &mut self.told,
            Outcome::Refused => &mut self.refused,
        } += 1;
    }

    pub const fn total(&self) -> usize {
        self.harmless + self.restored + self.told + self.refused
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} damages: {} without harm, {} mended from the second copy, {} told as lost and the rest served, {} refused with the \
             next step",
            self.total(),
            self.harmless,
            self.restored,
            self.told,
            self.refused
        )
    }
}

/// Damages a copy, starts it twice and judges.
pub fn judge(stage: &Stage, harm: &Harm) -> Result<Outcome, String> {
    let copy = stage.copy(harm.has_sled);
    harm.inflict(stage, copy.path());
    let opened = std::panic::catch_unwind(|| open(copy.path(), at(70))).map_err(|_| "a start panicked".to_owned())?;
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return refusal(harm, &error),
    };
    let outcome = started(stage, harm, &opened)?;
    let served = served(&opened);
    drop(opened);
    let again = open(copy.path(), at(71)).map_err(|error| format!("the second start is refused: {error}"))?;
    if self::served(&again) != served || again.lost_windows.iter().any(|lost| lost.is_new) {
        return Err(format!("the second start does not say the same: {:?}", again.lost_windows));
    }
    if again.report.ledger_lost > 0 {
        return Err("the second start finds the ledger damaged again".to_owned());
    }
    Ok(outcome)
}

fn served(opened: &Opened) -> BTreeSet<hob_protocol::ids::EnvelopeId> {
    opened.pending.iter().map(|pending| pending.id).collect()
}

/// A start may be refused only where going on would lose what is left: without keys, or with another format.
fn refusal(harm: &Harm, error: &OpenError) -> Result<Outcome, String> {
    let text = error.to_string();
    let of_keys = ["keys", "keys/log.keys", "keys/box.key", "format", "log/ledger", "log"].map(Path::new);
    let says_what_to_do = text.contains(": ") && (text.contains("back") || text.contains("newer hob"));
    let is_right = of_keys.contains(&harm.path.as_path()) || (harm.path == Path::new("log/ledger/1"));
    // Of the key file there are two slots: one byte never costs both.
    let is_spare = harm.path == Path::new("keys/log.keys") && harm.is_flip();
    if is_right && !is_spare && says_what_to_do { Ok(Outcome::Refused) } else { Err(format!("refused: {text}")) }
}

fn started(stage: &Stage, harm: &Harm, opened: &Opened) -> Result<Outcome, String> {
    let told: BTreeSet<u32> = opened.lost_windows.iter().map(|lost| lost.number).collect();
    let all_windows = ["log/windows", "log"].contains(&harm.path.to_str().unwrap_or_default());
    if let Some(window) = told.iter().find(|window| !all_windows && Some(**window) != harm.window()) {
        return Err(format!("window {window} is told as lost, and nothing was done to it"));
    }
    let reader = opened.log.reader();
    for envelope in &stage.envelopes {
        let is_told = told.contains(&envelope.place.window);
        let pending: Vec<_> = opened.pending.iter().filter(|pending| pending.id == id(envelope.number)).collect();
        let is_known = opened.known.iter().any(|known| known.id == id(envelope.number));
        match pending.as_slice() {
            [] if !is_told && !is_known => return Err(format!("lost and not told: {envelope:?}")),
            [] if !is_told && envelope.is_pending => return Err(format!("taken for done: {envelope:?}")),
            [] => {}
            [_] if !is_told && !envelope.is_pending => return Err(format!("offered again: {envelope:?}")),
            [pending] => {
                let right = body(envelope.number, envelope.bytes);
                match reader.read(pending.place) {
                    Ok(body) if body == right => {}
                    other => return Err(format!("not its body: {envelope:?}: {:?}", other.map(|body| body.len()))),
                }
                if pending.mailbox.as_bytes() != &[envelope.number as u8; 16] {
                    return Err(format!("another's: {pending:?}"));
                }
            }
            _ => return Err(format!("offered twice: {envelope:?}")),
        }
    }
    let ours: BTreeSet<_> = stage.envelopes.iter().map(|envelope| id(envelope.number)).collect();
    if let Some(stranger) = served(opened).iter().find(|id| !ours.contains(*id)) {
        return Err(format!("{stranger:?} was never accepted"));
    }
    check_ledger(stage, harm, opened)?;
    let is_clock = harm.path.starts_with("log/clock") || harm.path == Path::new("log");
    if opened.checkpoint != Some(stage.checkpoint) && !is_clock {
        return Err(format!("the clock is {:?}", opened.checkpoint));
    }
    let report = &opened.report;
    if !told.is_empty() || report.ledger_lost > 0 {
        return Ok(Outcome::Told);
    }
    opened.log.wait_for_events();
    let is_mended = report.ledger_restored + report.window_records_restored + opened.log.stats().events_rebuilt > 0;
    Ok(if is_mended { Outcome::Restored } else { Outcome::Harmless })
}

/// The ledger has two copies: with both touched something may be missing, and then it is told.
fn check_ledger(stage: &Stage, harm: &Harm, opened: &Opened) -> Result<(), String> {
    if opened.ledger == stage.ledger {
        return Ok(());
    }
    let both = harm.is_ledger() && (!harm.has_sled || harm.path == Path::new("log/ledger/1"));
    if !both {
        return Err(format!("the ledger has {} of {} live events", opened.ledger.len(), stage.ledger.len()));
    }
    if opened.report.ledger_lost == 0 {
        return Err(format!("the ledger lost something and does not say so: {:?}", opened.report));
    }
    match opened.ledger.iter().find(|event| !stage.written.contains(event)) {
        Some(stranger) => Err(format!("nobody ever wrote {stranger:?}")),
        None => Ok(()),
    }
}
