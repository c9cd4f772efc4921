//! Who notes what was unusual: the one place where an address becomes a place, and from where it goes nowhere.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hob_protocol::code::Code;
use hob_protocol::frame::ServerBody;
use hob_relay::activity::{Activity, Kind, Place, Snapshot};
use hob_relay::gate::Prefix;
use zeroize::Zeroizing;

use crate::clock::Clocks;

/// What happened lately, for all connections.
pub struct Watch {
    activity: Mutex<Activity>,
    /// Makes places of addresses; another one for each start, in memory only.
    key: Zeroizing<[u8; 32]>,
    clocks: Clocks,
}

/// One connection's.
#[derive(Clone)]
pub struct Witness {
    watch: Arc<Watch>,
    place: Place,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { activity: _, key: _, clocks: _ } = self;
        f.write_str("Watch(…)")
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watch: _, place: _ } = self;
        f.write_str("Witness(…)")
    }
}

impl Watch {
    /// Nothing happened yet.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn begin(clocks: Clocks) -> Result<Arc<Self>, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Arc::new(Self { activity: Mutex::new(Activity::new(clocks.monotone())), key, clocks }))
    }

    /// The witness of a connection from an address.
    pub fn of(self: &Arc<Self>, address: IpAddr) -> Witness {
        Witness { watch: Arc::clone(self), place: Place::of(Prefix::of(address), &self.key) }
    }

    /// How it stands.
    pub fn snapshot(&self) -> Snapshot {
        let now = self.clocks.monotone();
        self.lock().snapshot(now)
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        // A panic while it was held leaves counts that are off by one, not broken ones.
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness {
    /// Something happened on the connection.
    pub fn saw(&self, kind: Kind) {
        let now = self.watch.clocks.monotone();
        self.watch.lock().note(now, kind, self.place);
    }

    /// Something was refused.
    pub fn refused(&self, code: Code) {
        if let Some(kind) = Kind::of_refusal(code) {
            self.saw(kind);
        }
    }

    /// Something was answered.
    pub fn answered(&self, body: &ServerBody) {
        if let Some(kind) = Kind::of_answer(body) {
            self.saw(kind);
        }
    }
}
