//! Owns the client's core and carries out what it asks for, in order.
//!
//! Everything runs on one thread. Connections, the clock and commands call in; each call is over before the next begins,
//! and its outputs are carried out before it returns. [`Output::Save`] is durable before any later output leaves. When a
//! save fails, the core has moved on and the disk has not: then nothing leaves any more, and every command is told.
//!
//! # Layout
//! - [`links`]: the connections that the core asked for.
//! - [`session`]: one command's view: its lines, its notices, its waiting.

mod links;
pub mod session;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use hob_client::{Client, CommandError, Input, Link, MessageId, Notice, Output, Outputs};
use hob_protocol::planted;
use rand_core::UnwrapErr;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::error::ChatError;
use crate::net::NetError;
use crate::profile::{self, Profile, ProfileError};
use links::Links;

/// The random source: the system's. It fails only where nothing could be sealed at all.
type Random = UnwrapErr<SysRng>;

/// How long a program that is about to end waits for receipts and acknowledgements to leave.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// Why nothing is done any more.
#[derive(Debug, Clone)]
enum Stopped {
    /// A save failed.
    NotSaved(Arc<ProfileError>),
    /// `forget` was called.
    Forgotten,
}

struct Inner {
    client: Client,
    profile: Profile,
    random: Random,
    links: Links,
    wake_at_ms: Option<u64>,
    listeners: Vec<mpsc::UnboundedSender<Notice>>,
    stopped: Option<Stopped>,
    interrupted: bool,
    /// Messages whose fate a command tells by itself.
    spoken_for: BTreeSet<MessageId>,
}

/// The one owner of the client's state.
pub struct Engine {
    inner: RefCell<Inner>,
    /// Counts calls, so that who waits looks again.
    changed: watch::Sender<u64>,
}

impl Engine {
    /// Saves a new client, starts it, and keeps its time.
    ///
    /// # Errors
    /// [`ChatError::NotSaved`].
    pub fn start(profile: Profile, state: Option<&[u8]>) -> Result<Rc<Self>, ChatError> {
        let mut random = UnwrapErr(SysRng);
        let client = match state {
            Some(state) => Client::load(state)?,
            None => Client::create(now_ms(), &mut random),
        };
        if state.is_none() {
            profile.save(&client.save()).map_err(|error| ChatError::NotSaved(Arc::new(error)))?;
        }
        let engine = Rc::new(Self {
            inner: RefCell::new(Inner {
                client,
                profile,
                random,
                links: Links::default(),
                wake_at_ms: None,
                listeners: Vec::new(),
                stopped: None,
                interrupted: false,
                spoken_for: BTreeSet::new(),
            }),
            changed: watch::Sender::new(0),
        });
        engine.input(Input::Started);
        tokio::task::spawn_local(keep_time(Rc::clone(&engine)));
        Ok(engine)
    }

    /// Something happened outside.
    pub fn input(self: &Rc<Self>, input: Input) {
        let mut inner = self.inner.borrow_mut();
        if inner.stopped.is_none() {
            let Inner { client, random, .. } = &mut *inner;
            let outputs = client.handle(now_ms(), random, input);
            self.carry_out(&mut inner, outputs);
        }
        drop(inner);
        self.changed.send_modify(|calls| *calls += 1);
    }

    /// A person wants something. On return, what it promises is durable.
    ///
    /// # Errors
    /// The core's, or that it could not be saved.
    pub fn command<T>(
        self: &Rc<Self>,
        command: impl FnOnce(&mut Client, u64, &mut Random) -> Result<(T, Outputs), CommandError>,
    ) -> Result<T, ChatError> {
        self.check_state()?;
        let mut inner = self.inner.borrow_mut();
        let Inner { client, random, .. } = &mut *inner;
        let (value, outputs) = command(client, now_ms(), random)?;
        self.carry_out(&mut inner, outputs);
        drop(inner);
        self.changed.send_modify(|calls| *calls += 1);
        self.check_state()?;
        Ok(value)
    }

    /// A question to the core, with the time.
    pub fn ask<T>(&self, question: impl FnOnce(&Client, u64) -> T) -> T {
        question(&self.inner.borrow().client, now_ms())
    }

    /// The recovery sheet's text, with a fresh printed key.
    ///
    /// # Errors
    /// [`CommandError::NoMemberKey`].
    pub fn recovery_sheet(&self) -> Result<zeroize::Zeroizing<String>, CommandError> {
        let mut inner = self.inner.borrow_mut();
        let Inner { client, random, .. } = &mut *inner;
        client.recovery_sheet(now_ms(), random)
    }

    fn carry_out(self: &Rc<Self>, inner: &mut Inner, outputs: Outputs) {
        for output in outputs {
            match output {
                Output::Save if planted!("save-after-send") => {
                    tokio::task::spawn_local(save_late(Rc::clone(self)));
                }
                Output::Save => {
                    if let Err(error) = inner.profile.save(&inner.client.save()) {
                        inner.stopped = Some(Stopped::NotSaved(Arc::new(error)));
                        inner.links.close_all();
                        return;
                    }
                }
                Output::Connect { link, identity, addresses } => inner.links.open(self, link, identity, addresses),
                Output::Frame { link, frame } => inner.links.send(link, frame),
                Output::Close { link } => drop(inner.links.close(link)),
                // It is in `unshown` until a command prints it.
                Output::Message(_) => {}
                Output::Notice(notice) => {
                    inner.links.note(&notice);
                    inner.listeners.retain(|listener| listener.send(notice.clone()).is_ok());
                }
                Output::Wake { at_ms, .. } => inner.wake_at_ms = Some(at_ms),
            }
        }
    }

    /// Whether commands may go on waiting.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), ChatError> {
        self.check_state()?;
        if self.is_interrupted() { Err(ChatError::Interrupted) } else { Ok(()) }
    }

    /// Whether what the core knows is what the disk knows. (Who is interrupted may still note what was printed.)
    fn check_state(&self) -> Result<(), ChatError> {
        match &self.inner.borrow().stopped {
            Some(Stopped::NotSaved(error)) => Err(ChatError::NotSaved(Arc::clone(error))),
            Some(Stopped::Forgotten) => Err(ChatError::Forgotten),
            None => Ok(()),
        }
    }

    /// Every command ends at its next wait: Ctrl-C, or the system goes down.
    pub fn interrupt(&self) {
        self.inner.borrow_mut().interrupted = true;
        self.changed.send_modify(|calls| *calls += 1);
    }

    /// Whether [`Engine::interrupt`] was called.
    pub fn is_interrupted(&self) -> bool {
        self.inner.borrow().interrupted
    }

    /// Wipes the profile under everybody's feet.
    ///
    /// # Errors
    /// [`ChatError::Profile`]; what could be wiped is.
    pub fn forget(&self) -> Result<(), ChatError> {
        let mut inner = self.inner.borrow_mut();
        inner.stopped = Some(Stopped::Forgotten);
        inner.links.close_all();
        let wiped = profile::wipe(inner.profile.folder());
        drop(inner);
        self.changed.send_modify(|calls| *calls += 1);
        Ok(wiped?)
    }

    /// A file in the profile's folder.
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.inner.borrow().profile.folder().file(name)
    }

    /// Counts up with everything that happens.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Why there is no connection to the home box, where that is known.
    pub fn known_offline(&self) -> Option<String> {
        self.inner.borrow().links.why_closed(Link::Owner).map(|why| why.chain())
    }

    /// What was typed and not sent, as it was saved: damaged or foreign drafts are none.
    pub fn drafts(&self) -> Vec<u8> {
        self.inner.borrow().profile.load_drafts().map(|drafts| drafts.to_vec()).unwrap_or_default()
    }

    /// Makes drafts durable.
    ///
    /// # Errors
    /// [`ChatError::Profile`], or why nothing is saved any more.
    pub fn save_drafts(&self, drafts: &[u8]) -> Result<(), ChatError> {
        self.check_state()?;
        Ok(self.inner.borrow().profile.save_drafts(drafts)?)
    }

    /// From now on, what happens.
    pub fn listen(&self) -> mpsc::UnboundedReceiver<Notice> {
        let (listener, notices) = mpsc::unbounded_channel();
        self.inner.borrow_mut().listeners.push(listener);
        notices
    }

    /// Whether nothing more can be done now: everything is sent, or waits for a time or a box that does not answer.
    pub fn is_settled(&self) -> bool {
        let inner = self.inner.borrow();
        let Inner { client, links, .. } = &*inner;
        let receiving = client.is_open(Link::Owner) && !client.is_caught_up() && !links.home_refused();
        !links.is_busy() && !receiving && client.everything_flushed(now_ms())
    }

    /// Whether the home box cannot be reached for now: not connected, and nothing under way that could change it.
    pub fn is_offline(&self) -> bool {
        let inner = self.inner.borrow();
        !inner.client.is_online() && !inner.links.is_busy() && inner.links.why_closed(Link::Owner).is_some()
    }

    /// Why there is no connection to the home box, as far as is known.
    pub fn why_offline(&self) -> ChatError {
        let inner = self.inner.borrow();
        inner.links.why_closed(Link::Owner).unwrap_or_else(|| {
            let addresses = inner.client.home().map(|home| home.addresses).unwrap_or_default();
            ChatError::Net(NetError::TooSlow {
                addresses: crate::net::list(&addresses),
                waited: session::FLUSH_PATIENCE,
            })
        })
    }

    /// What is batched leaves now, then the connections are closed.
    pub async fn finish(self: &Rc<Self>) {
        {
            let mut inner = self.inner.borrow_mut();
            if inner.stopped.is_none() {
                let Inner { client, random, .. } = &mut *inner;
                let outputs = client.hurry(now_ms(), random);
                self.carry_out(&mut inner, outputs);
            }
        }
        let mut changes = self.changed.subscribe();
        let flushed = async {
            while self.inner.borrow().stopped.is_none() && !self.is_settled() {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LAST_FLUSH, flushed).await;
        if planted!("save-after-send") {
            save_late(Rc::clone(self)).await;
        }
        let closing = self.inner.borrow_mut().links.close_all();
        for link in closing {
            let _ = tokio::time::timeout(Duration::from_secs(1), link).await;
        }
    }
}

/// The planted fault: what depends on a state is out before the state is safe.
async fn save_late(engine: Rc<Engine>) {
    sleep(Duration::from_millis(30)).await;
    let inner = engine.inner.borrow();
    // As a fault would, it says nothing.
    let _ = inner.profile.save(&inner.client.save());
}

/// Wakes the core when it asked for it.
async fn keep_time(engine: Rc<Engine>) {
    let mut changes = engine.changed.subscribe();
    loop {
        let wake_at_ms = engine.inner.borrow().wake_at_ms;
        let wait = wake_at_ms.map(|at| Duration::from_millis(at.saturating_sub(now_ms())));
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = sleep(wait.unwrap_or_default()), if wait.is_some() => {
                engine.inner.borrow_mut().wake_at_ms = None;
                engine.input(Input::Timeout);
            }
        }
    }
}

/// Unix time in milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
