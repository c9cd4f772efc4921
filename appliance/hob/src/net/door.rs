//! The gate's rules applied to real connections: who waits, who is let in, who makes room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hob_relay::ConnId;
use hob_relay::gate::{Gate, GateConfig, Prefix, Verdict};
use tokio::sync::{Notify, watch};

use crate::clock::Clocks;

/// What became of a connection at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Admitted,
    Dropped,
}

/// The gate, shared by all connections.
pub struct Door {
    rules: Mutex<Rules>,
    clocks: Clocks,
    someone_waits: Notify,
}

struct Rules {
    gate: Gate,
    fates: HashMap<ConnId, watch::Sender<Fate>>,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pass(…)")
    }
}

/// A connection's place at the gate; leaving gives it back.
pub struct Pass {
    door: Arc<Door>,
    conn: ConnId,
    fate: watch::Receiver<Fate>,
}

impl Door {
    /// A gate that is kept moving by a task of its own.
    pub fn open(config: GateConfig, clocks: Clocks) -> Arc<Self> {
        let rules = Mutex::new(Rules { gate: Gate::new(config), fates: HashMap::new() });
        let door = Arc::new(Self { rules, clocks, someone_waits: Notify::new() });
        let keeper = Arc::downgrade(&door);
        tokio::spawn(async move {
            while let Some(door) = keeper.upgrade() {
                if door.lock().gate.someone_waits() {
                    drop(door);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let Some(door) = keeper.upgrade() else { return };
                    door.apply(|gate, now| gate.timeout(now));
                } else {
                    door.someone_waits.notified().await;
                }
            }
        });
        door
    }

    /// A connection was accepted by the kernel.
    pub fn arrive(self: &Arc<Self>, prefix: Prefix, conn: ConnId) -> Pass {
        let (sender, fate) = watch::channel(Fate::Waiting);
        self.lock().fates.insert(conn, sender);
        self.apply(|gate, now| gate.arrive(now, prefix, conn));
        self.someone_waits.notify_one();
        Pass { door: Arc::clone(self), conn, fate }
    }

    fn apply(&self, change: impl FnOnce(&mut Gate, Duration) -> Vec<Verdict>) {
        let now = self.clocks.monotone();
        let mut rules = self.lock();
        let verdicts = change(&mut rules.gate, now);
        for verdict in verdicts {
            let (conn, fate) = match verdict {
                Verdict::Admit(conn) => (conn, Fate::Admitted),
                Verdict::Drop(conn) => (conn, Fate::Dropped),
            };
            if let Some(sender) = rules.fates.get(&conn) {
                sender.send_replace(fate);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        // A panic while it was held leaves counts that are off by one connection, not a broken gate.
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Waits to be let in. `false`: the connection is to be closed.
    pub async fn admitted(&mut self) -> bool {
        match self.fate.wait_for(|fate| *fate != Fate::Waiting).await {
            Ok(fate) => *fate == Fate::Admitted,
            Err(_) => false,
        }
    }

    /// Waits until the connection has to make room; for ever once it is established.
    pub async fn must_leave(&mut self) {
        if self.fate.wait_for(|fate| *fate == Fate::Dropped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for the same without holding the pass.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut fate = self.fate.clone();
        async move {
            if fate.wait_for(|fate| *fate == Fate::Dropped).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The connection showed a good token or proof: it does not count any more.
    pub fn established(&self) {
        self.door.lock().fates.remove(&self.conn);
        self.door.apply(|gate, now| gate.established(now, self.conn));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.door.lock().fates.remove(&self.conn);
        self.door.apply(|gate, now| gate.closed(now, self.conn));
    }
}
