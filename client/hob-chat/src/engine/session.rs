//! One command's view of the engine: where its lines go, what it is told meanwhile, and how it waits.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use hob_client::{MessageId, Notice, Refusal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::Engine;
use crate::error::ChatError;
use crate::out::Out;
use crate::show;

/// How long a command waits for what is to be done first: the outbox, receipts, what the box keeps.
pub const FLUSH_PATIENCE: Duration = Duration::from_secs(15);
/// Work that takes longer than this is shown, where somebody watches.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// A command that runs.
pub struct Session {
    engine: Rc<Engine>,
    /// Its stdout and stderr.
    pub out: Out,
    notices: RefCell<mpsc::UnboundedReceiver<Notice>>,
    delivered: RefCell<BTreeSet<MessageId>>,
    join_refused: RefCell<Option<Refusal>>,
    synced: Cell<bool>,
    changes: watch::Receiver<u64>,
}

impl Deref for Session {
    type Target = Rc<Engine>;

    fn deref(&self) -> &Rc<Engine> {
        &self.engine
    }
}

impl Session {
    /// A command that begins.
    pub fn new(engine: &Rc<Engine>, out: Out) -> Self {
        Self {
            engine: Rc::clone(engine),
            out,
            notices: RefCell::new(engine.listen()),
            delivered: RefCell::default(),
            join_refused: RefCell::default(),
            synced: Cell::default(),
            changes: engine.changed.subscribe(),
        }
    }

    /// This command tells what becomes of this message; the notices of this one and others need not.
    pub fn speaks_about(&self, message: MessageId) {
        self.engine.inner.borrow_mut().spoken_for.insert(message);
    }

    /// Whether the contact's device confirmed it while this command ran.
    pub fn was_delivered(&self, message: &MessageId) -> bool {
        self.delivered.borrow().contains(message)
    }

    /// Why the box did not admit this device, if it said so while this command ran.
    pub fn join_refused(&self) -> Option<Refusal> {
        self.join_refused.borrow().clone()
    }

    /// Whether another device of this member has told all that it knows, while this command ran.
    pub const fn is_synced(&self) -> bool {
        self.synced.get()
    }

    /// Tells the person what happened meanwhile.
    pub fn tell(&self) {
        while let Ok(notice) = self.notices.borrow_mut().try_recv() {
            match &notice {
                Notice::Delivered { message, .. } => {
                    self.delivered.borrow_mut().insert(*message);
                }
                Notice::DeviceSynced => self.synced.set(true),
                Notice::JoinRefused { why } | Notice::DeviceCodeRefused { why } => {
                    *self.join_refused.borrow_mut() = Some(why.clone())
                }
                _ => {}
            }
            if let Some(line) = show::notice::line(&notice, &self.engine.inner.borrow().spoken_for) {
                self.out.notice(&line);
            }
        }
    }

    /// Waits until something holds; `false`: it did not within the time.
    ///
    /// # Errors
    /// What ends every command: interrupted, not saved, forgotten.
    pub async fn until(&self, patience: Duration, mut holds: impl FnMut(&Self) -> bool) -> Result<bool, ChatError> {
        let deadline = Instant::now() + patience;
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            self.tell();
            self.check()?;
            if holds(self) {
                return Ok(true);
            }
            match timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ChatError::Interrupted),
                Err(_) => return Ok(false),
            }
        }
    }

    /// What every command does first: outbox, receipts and what the box keeps, as far as can be done now.
    ///
    /// # Errors
    /// As [`Session::until`].
    pub async fn settle(&self) -> Result<(), ChatError> {
        let deadline = Instant::now() + FLUSH_PATIENCE;
        while Instant::now() < deadline {
            if self.until(PROGRESS_AFTER, |session| session.is_settled()).await? {
                break;
            }
            self.show_progress();
        }
        self.out.end_progress();
        Ok(())
    }

    /// As [`Session::settle`], and says so where the box does not answer: the command goes on with what is here.
    ///
    /// # Errors
    /// As [`Session::until`].
    pub async fn settle_or_say(&self) -> Result<(), ChatError> {
        self.settle().await?;
        if self.ask(|client, _| client.home().is_some() && !client.is_online()) {
            self.out.notice(&self.why_offline().chain());
        }
        Ok(())
    }

    /// As [`Session::settle`], for what cannot be done without the box.
    ///
    /// # Errors
    /// Why there is no connection to it.
    pub async fn settle_online(&self) -> Result<(), ChatError> {
        self.settle().await?;
        if self.ask(|client, _| client.home().is_some() && !client.is_online()) {
            return Err(self.why_offline());
        }
        Ok(())
    }

    fn show_progress(&self) {
        let summary = self.ask(hob_client::Client::summary);
        let mut parts = Vec::new();
        if summary.in_outbox > 0 {
            parts.push(format!("{} to send", summary.in_outbox));
        }
        if summary.unshown > 0 {
            parts.push(format!("{} came", summary.unshown));
        }
        let what = if parts.is_empty() { "waiting for the box".to_owned() } else { parts.join(", ") };
        self.out.progress(&format!("… {what}"));
    }
}
