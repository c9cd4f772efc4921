//! The keeper's dashboard: a listener of its own, who gets in, and what every page asks and does.
//!
//! Pages are drawn by `hob-admin-ui` from plain data; here that data is asked for, and orders are carried out. What lasts
//! (keepers, settings, tokens, the audit log) is the ledger's. Sessions live in memory only, as every fast thing does:
//! a restart signs everybody out.
//!
//! # Layout
//! - [`listen`]: sockets in. [`guard`]: who is let near at all, and what every answer carries.
//! - [`request`]: one request with everything that is known about it; [`form`]: fields as they were typed.
//! - [`sessions`]: who is signed in; [`csrf`]: tokens of forms; [`limits`]: how often somebody may guess.
//! - [`password`]: Argon2id, two at a time; [`totp`]: one-time codes; [`code`]: the set-up code.
//! - [`traffic`]: the last hour and day in counts; [`machine`]: what the machine tells; [`lines`]: the log's last lines.
//! - [`pages`]: a file a page; [`json`]: the same for programs.

pub mod code;
pub mod csrf;
pub mod form;
pub mod guard;
pub mod json;
pub mod limits;
pub mod lines;
pub mod listen;
pub mod machine;
pub mod pages;
pub mod password;
pub mod request;
pub mod sessions;
pub mod totp;
pub mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{By, Change, KeepingView, SetUp};
use tokio::sync::Semaphore;

use crate::admin::code::SetUpCode;
use crate::admin::csrf::Csrf;
use crate::admin::limits::Limits;
use crate::admin::password::Passwords;
use crate::admin::sessions::Sessions;
use crate::admin::traffic::Traffic;
use crate::clock::Clocks;
use crate::control::{Control, NotDone};

/// Streams of live figures at the same time: each asks for figures every few seconds.
const STREAMS_MAX: usize = 32;

/// How often traffic is counted when nobody looks.
const COUNT_EVERY: Duration = Duration::from_secs(60);

/// What all requests share.
pub struct Admin {
    /// What the keeper can ask of the box.
    pub control: Control,
    /// The data folder.
    pub data: PathBuf,
    /// Where it listens.
    pub listening_on: Option<SocketAddr>,
    /// Who is signed in.
    pub sessions: Sessions,
    /// Tokens of forms.
    pub csrf: Csrf,
    /// How often somebody may guess.
    pub limits: Limits,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// The code that opens the set-up.
    pub code: SetUpCode,
    /// The last hour and day in counts.
    pub traffic: Traffic,
    /// What the last reading of all records found.
    pub verifying: pages::memory::Verifying,
    /// Places for streams.
    pub streams: Arc<Semaphore>,
}

impl Admin {
    /// Of a running box.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(
        control: Control,
        data: PathBuf,
        listening_on: Option<SocketAddr>,
    ) -> Result<Arc<Self>, getrandom::Error> {
        let identity = control.engine.identity();
        Ok(Arc::new(Self {
            sessions: Sessions::default(),
            csrf: Csrf::new()?,
            limits: Limits::new(identity.key.as_bytes()),
            passwords: Passwords::default(),
            code: SetUpCode::new()?,
            traffic: Traffic::default(),
            verifying: pages::memory::Verifying::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            control,
            data,
            listening_on,
        }))
    }

    /// The clocks of the box.
    pub fn clocks(&self) -> Clocks {
        self.control.engine.clocks()
    }

    /// Time for sessions and limits: nobody sets it.
    pub fn now(&self) -> Duration {
        self.clocks().monotone()
    }

    /// The wall clock, Unix seconds.
    pub fn unix_s(&self) -> u64 {
        self.clocks().unix_ms() / 1000
    }

    /// Keepers, settings, tokens.
    ///
    /// # Errors
    /// [`NotDone::Stopping`].
    pub async fn keeping(&self) -> Result<KeepingView, NotDone> {
        match self.control.ask(Ask::Keeping).await? {
            Answer::Keeping(view) => Ok(*view),
            _ => Err(NotDone::Stopping),
        }
    }

    /// Orders something and has the audit log say who did.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn order(&self, by: By, ask: Ask) -> Result<Answer, NotDone> {
        self.control.ask(Ask::Noted { by, ask: Box::new(ask) }).await
    }

    /// The same for what is about the keeping.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn change(&self, by: By, change: Change) -> Result<Answer, NotDone> {
        self.order(by, Ask::Change(change)).await
    }

    /// The set-up code, while it opens anything.
    pub async fn open_code(&self) -> Option<String> {
        let keeping = self.keeping().await.ok()?;
        (keeping.set_up == SetUp::New).then(|| self.code.shown())
    }

    /// Counts traffic for as long as the box runs.
    pub async fn count(self: Arc<Self>) {
        let mut timer = tokio::time::interval(COUNT_EVERY);
        loop {
            timer.tick().await;
            if self.figures().await.is_none() {
                return;
            }
        }
    }

    /// The counters now, noted on the way.
    pub async fn figures(&self) -> Option<hob_relay::status::Status> {
        let Ok(Answer::Status(status)) = self.control.ask(Ask::Status).await else { return None };
        self.traffic.note(self.unix_s(), &status.counters);
        Some(*status)
    }
}
