//! What waits to be written to one connection.
//!
//! Empty, it has no memory of its own but the lock: ten thousand idle devices must fit a small box.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ServerFrame;
use hob_protocol::ids::EnvelopeId;
use hob_relay::Body;
use hob_relay::web::Reply;
use tokio::sync::Notify;

/// Bodies kept in memory for one connection; beyond that they are read from the log when their turn comes.
const BODIES_BYTES_MAX: usize = 256 << 10;

/// Notices that may wait for one watcher. A WebSocket's pushes are bounded by its credit; a watcher has none.
const READY_MAX: usize = 256;

/// One thing to write.
#[derive(Debug)]
pub enum Out {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// An envelope.
    Push(Box<Push>),
    /// An envelope can be fetched: told to watchers, instead of a push.
    Ready {
        /// Its id.
        id: EnvelopeId,
        /// What is left of its life.
        ttl: Duration,
    },
    /// What a watcher is told first.
    Reply(Box<Reply>),
    /// The connection has shown something good.
    Established,
    /// Tell why, then close.
    Close(Refused),
    /// The box goes down: write what waits, then close.
    Goodbye,
}

/// An envelope to write, or where to read it first.
#[derive(Debug)]
pub struct Push {
    /// Its id.
    pub id: EnvelopeId,
    /// What was left of its life when it was pushed.
    pub ttl: Duration,
    /// Its bytes, or where they lie.
    pub body: Body,
}

/// The queue between the engine and one connection.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<VecDeque<Out>>,
    body_bytes: AtomicUsize,
    filled: Notify,
}

impl Outbox {
    /// Adds something to write.
    pub fn put(&self, out: Out) {
        let out = match out {
            Out::Push(push) => match self.lighten(*push) {
                Some(push) => Out::Push(Box::new(push)),
                None => return,
            },
            other => other,
        };
        let was_empty = {
            let mut queue = self.lock();
            if queue.len() >= READY_MAX && matches!(out, Out::Ready { .. }) {
                // It reads too slowly, and finds everything by pages when it comes again.
                queue.retain(|out| matches!(out, Out::Close(_)));
                if queue.is_empty() {
                    queue.push_back(Out::Close(Refused::finally(Code::TooSlow)));
                }
                return;
            }
            queue.push_back(out);
            queue.len() == 1
        };
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// A connection that does not read holds no bodies in memory: what is kept is read again later, what is
    /// online-only is dropped.
    fn lighten(&self, push: Push) -> Option<Push> {
        let Body::Here(bytes, place) = &push.body else { return Some(push) };
        let held = self.body_bytes.load(Ordering::Relaxed);
        if held + bytes.len() <= BODIES_BYTES_MAX {
            self.body_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
            return Some(push);
        }
        place.map(|place| Push { body: Body::At(place), ..push })
    }

    /// Everything that waits; waits itself while there is nothing. May be dropped and called again.
    pub async fn take(&self) -> VecDeque<Out> {
        loop {
            let taken = std::mem::take(&mut *self.lock());
            if !taken.is_empty() {
                self.body_bytes.store(0, Ordering::Relaxed);
                return taken;
            }
            self.filled.notified().await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Out>> {
        // A panic while it was held cannot leave a queue half changed.
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hob_relay::event::Place;

    fn push(place: Option<Place>) -> Out {
        let body = Body::Here(Bytes::from(vec![0; 64 << 10]), place);
        Out::Push(Box::new(Push { id: EnvelopeId([1; 32]), ttl: Duration::from_secs(9), body }))
    }

    #[tokio::test]
    async fn a_connection_that_does_not_read_holds_at_most_a_quarter_of_a_mebibyte_of_bodies() {
        let outbox = Outbox::default();
        let place = Place { window: 1, sequence: 2, offset: 3 };
        for _ in 0..20 {
            outbox.put(push(Some(place)));
            outbox.put(push(None));
        }
        let waiting = outbox.take().await;
        let held = waiting.iter().filter(|out| matches!(out, Out::Push(push) if matches!(push.body, Body::Here(..))));
        assert_eq!(held.count(), 4);
        let kept = waiting.iter().filter(|out| matches!(out, Out::Push(push) if matches!(push.body, Body::At(_))));
        assert_eq!(kept.count(), 18, "what is kept waits in the log, what is online-only is dropped");
    }

    #[tokio::test]
    async fn what_is_put_is_taken_in_order() {
        let outbox = Outbox::default();
        outbox.put(Out::Established);
        outbox.put(Out::Close(Refused::finally(Code::TooSlow)));
        let taken = outbox.take().await;
        assert!(matches!((&taken[0], &taken[1]), (Out::Established, Out::Close(_))));
    }

    #[tokio::test]
    async fn a_watcher_that_does_not_read_is_closed_instead_of_remembered() {
        let outbox = Outbox::default();
        for _ in 0..10_000 {
            outbox.put(Out::Ready { id: EnvelopeId([1; 32]), ttl: Duration::from_secs(9) });
        }
        let waiting = outbox.take().await;
        assert!(waiting.len() <= READY_MAX, "{}", waiting.len());
        assert!(waiting.iter().any(|out| matches!(out, Out::Close(refused) if refused.code == Code::TooSlow)));
    }
}
