//! What one HTTP connection may do: how much before it shows something good, and whose it is.
//!
//! A connection on which a device named itself carries nothing anonymous, and the other way round: the box would see who
//! sends.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ServerBody;

use crate::net::api::problem::Problem;
use crate::net::door::Pass;
use crate::net::witness::Witness;

/// Requests before a connection shows a good token, proof or session; and bad ones that it may make at all.
const TRIES_MAX: u32 = 64;

/// Bad delivery tokens, sessions and proofs that one connection may show.
const BAD_MAX: u32 = 32;

const FRESH: u8 = 0;
const OWNER: u8 = 1;
const SENDER: u8 = 2;

/// One connection's.
#[derive(Debug)]
pub struct Manners {
    kind: AtomicU8,
    tries: AtomicU32,
    bad: AtomicU32,
    pass: Arc<Mutex<Option<Pass>>>,
    witness: Option<Witness>,
}

impl Manners {
    /// Of a connection that has shown nothing yet.
    pub const fn new(pass: Arc<Mutex<Option<Pass>>>, witness: Option<Witness>) -> Self {
        Self { kind: AtomicU8::new(FRESH), tries: AtomicU32::new(0), bad: AtomicU32::new(0), pass, witness }
    }

    /// Another request comes.
    ///
    /// # Errors
    /// 429: it has to make way.
    pub fn count(&self) -> Result<(), Problem> {
        let tries = self.tries.fetch_add(1, Ordering::Relaxed);
        let bad = self.bad.load(Ordering::Relaxed);
        if bad > BAD_MAX || (tries >= TRIES_MAX && !self.is_established()) {
            return Err(too_many());
        }
        Ok(())
    }

    /// It showed a session or a challenge that is not good.
    pub fn bad_session(&self) {
        self.bad();
        if let Some(witness) = &self.witness {
            witness.refused(Code::BadProof);
        }
    }

    /// It was refused something.
    pub fn refused(&self, code: Code) {
        if let Some(witness) = &self.witness {
            witness.refused(code);
        }
    }

    /// It was answered.
    pub fn answered(&self, body: &ServerBody) {
        if let Some(witness) = &self.witness {
            witness.answered(body);
        }
    }

    /// It showed something that is not good.
    pub fn bad(&self) {
        self.bad.fetch_add(1, Ordering::Relaxed);
    }

    /// It showed something good, and is charged to that from now on.
    pub fn establish(&self) {
        if let Some(pass) = self.pass.lock().unwrap_or_else(PoisonError::into_inner).take() {
            pass.established();
        }
    }

    /// Whether it showed something good.
    pub fn is_established(&self) -> bool {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether nothing was said that names a device or shows a token.
    pub fn is_fresh(&self) -> bool {
        self.kind.load(Ordering::Relaxed) == FRESH && !self.is_established()
    }

    /// A device names itself.
    ///
    /// # Errors
    /// 421 (RFC 9110, section 15.5.20): the connection was anonymous.
    pub fn as_owner(&self) -> Result<(), Problem> {
        self.is(OWNER)
    }

    /// Somebody anonymous speaks.
    ///
    /// # Errors
    /// 421: a device named itself on this connection.
    pub fn as_sender(&self) -> Result<(), Problem> {
        self.is(SENDER)
    }

    fn is(&self, kind: u8) -> Result<(), Problem> {
        match self.kind.compare_exchange(FRESH, kind, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(was) if was == kind => Ok(()),
            Err(_) => {
                let why = "what names a device and what is anonymous need connections of their own";
                Err(Problem::of(Code::NotAnonymous, why).with_status(StatusCode::MISDIRECTED_REQUEST).and_close())
            }
        }
    }
}

fn too_many() -> Problem {
    Problem::new(Refused::for_now(Code::TooFast, std::time::Duration::from_secs(60))).and_close()
}
