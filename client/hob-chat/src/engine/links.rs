//! The connections that the core asked for: the owner's, and one a box for sending. They know nothing of each other.

use std::collections::BTreeMap;
use std::rc::Rc;

use hob_client::{Input, Link, Notice, Refusal};
use hob_protocol::address::Address;
use hob_protocol::frame::ClientFrame;
use hob_protocol::ids::BoxIdentity;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Engine;
use crate::error::ChatError;
use crate::net::{self, Connection, NetError};

struct Open {
    /// Tells this connection from an earlier one of the same link, whose last words may still be on their way.
    number: u64,
    /// `None` while it is being made.
    outgoing: Option<mpsc::UnboundedSender<ClientFrame>>,
    task: JoinHandle<()>,
}

/// Why a connection is closed.
#[derive(Debug, Clone)]
enum Why {
    Net(NetError),
    WrongBox,
    Refused(Refusal),
}

/// All connections, and how the closed ones ended.
#[derive(Default)]
pub struct Links {
    open: BTreeMap<Link, Open>,
    closed: BTreeMap<Link, Why>,
    /// Which box each connection is to.
    identities: BTreeMap<Link, BoxIdentity>,
    /// Boxes in whose place another one answered. The core says so once, whichever connection met it first.
    impersonated: Vec<BoxIdentity>,
    count: u64,
}

impl Links {
    /// Starts to connect.
    pub fn open(&mut self, engine: &Rc<Engine>, link: Link, identity: BoxIdentity, addresses: Vec<Address>) {
        self.close(link);
        self.identities.insert(link, identity);
        self.count += 1;
        let number = self.count;
        let engine = Rc::clone(engine);
        let task = tokio::task::spawn_local(async move {
            match net::connect(identity, &addresses).await {
                Ok(connection) => run(engine, link, number, connection).await,
                Err(error) => engine.ended(link, number, error),
            }
        });
        let open = Open { number, outgoing: None, task };
        self.open.insert(link, open);
    }

    /// A frame for a connection; for one that closed meanwhile it is dropped, and the core is told of that by itself.
    pub fn send(&self, link: Link, frame: ClientFrame) {
        if let Some(outgoing) = self.open.get(&link).and_then(|open| open.outgoing.as_ref()) {
            let _ = outgoing.send(frame);
        }
    }

    /// Closes in order: what was given to send is sent first.
    pub fn close(&mut self, link: Link) -> Option<JoinHandle<()>> {
        let open = self.open.remove(&link)?;
        if open.outgoing.is_none() {
            open.task.abort();
        }
        Some(open.task)
    }

    /// Closes all; who waits for the tasks knows that it is done.
    pub fn close_all(&mut self) -> Vec<JoinHandle<()>> {
        let links: Vec<_> = self.open.keys().copied().collect();
        links.into_iter().filter_map(|link| self.close(link)).collect()
    }

    /// Remembers what the core says about a connection.
    pub fn note(&mut self, notice: &Notice) {
        match notice {
            Notice::BoxIdentityChanged { link, expected, .. } | Notice::BoxNotProven { link, expected } => {
                self.closed.insert(*link, Why::WrongBox);
                if !self.impersonated.contains(expected) {
                    self.impersonated.push(*expected);
                }
            }
            Notice::HomeRefused { why } => {
                self.closed.insert(Link::Owner, Why::Refused(why.clone()));
            }
            Notice::Online => {
                self.closed.remove(&Link::Owner);
                let home = self.identities.get(&Link::Owner);
                self.impersonated.retain(|impersonated| Some(impersonated) != home);
            }
            _ => {}
        }
    }

    /// Whether a connection is being made.
    pub fn is_busy(&self) -> bool {
        self.open.values().any(|open| open.outgoing.is_none())
    }

    /// Whether the home box answered and did not take this device.
    pub fn home_refused(&self) -> bool {
        matches!(self.closed.get(&Link::Owner), Some(Why::Refused(_)))
    }

    /// Why a connection is closed, if it is known.
    pub fn why_closed(&self, link: Link) -> Option<ChatError> {
        let identity = self.identities.get(&link);
        let is_impersonated = identity.is_some_and(|identity| self.impersonated.contains(identity));
        let why = self.closed.get(&link).cloned().or(is_impersonated.then_some(Why::WrongBox));
        why.map(|why| match why {
            Why::Net(error) => ChatError::Net(error),
            Why::WrongBox => ChatError::WrongBox,
            Why::Refused(why) => ChatError::Refused { why },
        })
    }

    fn is_current(&self, link: Link, number: u64) -> bool {
        self.open.get(&link).is_some_and(|open| open.number == number)
    }

    /// Takes a connection off the list; `false`: it had been closed or replaced.
    fn end(&mut self, link: Link, number: u64, why: NetError) -> bool {
        if !self.is_current(link, number) {
            return false;
        }
        self.open.remove(&link);
        // What the core found out about the box says more than how the connection ended.
        self.closed.entry(link).or_insert(Why::Net(why));
        true
    }
}

/// One connection's life.
async fn run(engine: Rc<Engine>, link: Link, number: u64, connection: Connection) {
    let (outgoing, frames) = mpsc::unbounded_channel();
    {
        let mut inner = engine.inner.borrow_mut();
        let Some(open) = inner.links.open.get_mut(&link).filter(|open| open.number == number) else {
            return;
        };
        open.outgoing = Some(outgoing);
        inner.links.closed.remove(&link);
    }
    engine.input(Input::Opened { link, exporter: connection.exporter, certificate_spki: connection.certificate_spki });
    let received = |frame| {
        let is_current = engine.inner.borrow().links.is_current(link, number);
        if is_current {
            engine.input(Input::Received { link, frame });
        }
    };
    received(connection.first);
    net::run_until_closed(connection.socket, frames, received).await;
    engine.ended(link, number, NetError::HungUp);
}

impl Engine {
    fn ended(self: &Rc<Self>, link: Link, number: u64, why: NetError) {
        let was_current = self.inner.borrow_mut().links.end(link, number, why);
        if was_current {
            self.input(Input::Closed { link });
        }
    }
}
