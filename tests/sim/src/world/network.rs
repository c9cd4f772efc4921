//! Frames on their way: delayed, reordered between connections, cut off in their middle, lost on connections that hang.
//!
//! Everything goes as bytes with a length before each frame, and is read again at the other end.

use bytes::Bytes;
use hob_client::{Input as ClientInput, Link};
use hob_protocol::frame::{ClientFrame, ServerFrame};
use hob_protocol::ids::{BoxIdentity, MailboxId};
use hob_protocol::transcript::Exporter;
use hob_relay::{ConnId, Input};

use crate::the_box::SPKI;
use crate::world::{Event, World};

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) device: usize,
    pub(crate) run: u64,
    pub(crate) link: Link,
    pub(crate) the_box: usize,
    pub(crate) box_run: u64,
    exporter: Exporter,
    client_knows: bool,
    box_knows: bool,
    /// Nothing gets through any more, and nobody is told.
    hangs: bool,
    /// It is cut: what is on its way arrives in part.
    cut: bool,
    latency_ms: u64,
    up: Way,
    down: Way,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// What was sent last arrives then: nothing overtakes.
    last_ms: u64,
    /// Bytes that came, and are no whole frame yet.
    buffer: Vec<u8>,
    /// The end came.
    ended: bool,
}

impl Way {
    fn frames(&mut self, bytes: &[u8]) -> Vec<Bytes> {
        self.buffer.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some((head, rest)) = self.buffer.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            let Some(frame) = rest.get(..length) else { break };
            frames.push(Bytes::copy_from_slice(frame));
            self.buffer.drain(..4 + length);
        }
        frames
    }
}

fn framed(frame: &Bytes) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len() + 4);
    bytes.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(frame);
    bytes.into()
}

impl World {
    fn latency(&mut self) -> u64 {
        let (from, to) = if self.calm { (5, 60) } else { self.plan.latency_ms };
        self.chance.length(from, to)
    }

    /// A device wants a connection.
    pub(crate) fn connect(&mut self, device: usize, link: Link, identity: &BoxIdentity) {
        let latency_ms = self.latency();
        let run = self.devices[device].run;
        let found = self.boxes.iter().position(|the_box| the_box.identity() == *identity);
        let up = found.filter(|&at| self.boxes[at].run.is_some());
        let (Some(the_box), false) = (up, self.is_unreachable(device)) else {
            // Nobody answers: it takes longer to notice than a refusal.
            let ms = if found.is_some() && up.is_none() { latency_ms } else { 10_000 };
            return self.after(ms, Event::CannotConnect { device, run, link });
        };
        self.next_conn += 1;
        self.counts.connections += 1;
        let number = self.next_conn;
        let mut exporter = [0x55; 32];
        exporter[..8].copy_from_slice(&number.to_le_bytes());
        let conn = Conn {
            device,
            run,
            link,
            the_box,
            box_run: self.boxes[the_box].runs,
            exporter: Exporter(exporter),
            client_knows: true,
            box_knows: false,
            hangs: false,
            cut: false,
            latency_ms,
            up: Way::default(),
            down: Way::default(),
        };
        self.conns.insert(number, conn);
        self.devices[device].wires.insert(link, number);
        self.after(latency_ms, Event::BoxOpens(number));
        self.trace("connect", &[device as u64, u64::from(link == Link::Owner), number]);
    }

    pub(crate) fn cannot_connect(&mut self, device: usize, run: u64, link: Link) {
        if self.devices[device].run == run && !self.devices[device].wires.contains_key(&link) {
            self.client_input(device, ClientInput::Closed { link });
        }
    }

    /// TLS is done: both ends learn of it.
    pub(crate) fn box_opens(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (the_box, same_run) = (conn.the_box, self.boxes[conn.the_box].runs == conn.box_run);
        if conn.cut || !same_run || self.boxes[the_box].run.is_none() {
            return self.after(1, Event::ClientCloses(number));
        }
        if conn.hangs || !conn.client_knows {
            return;
        }
        conn.box_knows = true;
        let (exporter, latency_ms, device) = (conn.exporter, conn.latency_ms, conn.device);
        self.at(self.now_ms + latency_ms, Event::ClientOpens(number));
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.down.last_ms = self.now_ms + latency_ms;
        }
        self.looks_up(the_box);
        let signature = self.boxes[the_box].sign_hello(&exporter);
        let of = MailboxId::of_device(&self.devices[device].key);
        self.books[the_box].opened(number, Some(of));
        self.box_input(the_box, Input::Opened { conn: ConnId(number), exporter: Some(exporter), signature });
    }

    pub(crate) fn client_opens(&mut self, number: u64) {
        let Some(conn) = self.conns.get(&number).filter(|conn| conn.client_knows && !conn.hangs && !conn.cut) else {
            return;
        };
        let (device, link, exporter) = (conn.device, conn.link, conn.exporter);
        let certificate_spki = Bytes::from_static(SPKI);
        self.client_input(device, ClientInput::Opened { link, exporter, certificate_spki });
    }

    /// A client says something.
    pub(crate) fn client_says(&mut self, device: usize, link: Link, frame: ClientFrame) {
        let Some(&number) = self.devices[device].wires.get(&link) else { return };
        let bytes = framed(&frame.encode());
        self.travels(number, bytes, true);
    }

    /// A box says something.
    pub(crate) fn box_says(&mut self, number: u64, frame: ServerFrame) {
        let bytes = framed(&frame.encode());
        self.travels(number, bytes, false);
    }

    fn travels(&mut self, number: u64, bytes: Bytes, up: bool) {
        let jitter_ms = if self.calm { 0 } else { self.chance.below(20) };
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| !conn.hangs && !conn.cut) else { return };
        let latency_ms = conn.latency_ms;
        let way = if up { &mut conn.up } else { &mut conn.down };
        let arrives_ms = (self.now_ms + latency_ms + jitter_ms).max(way.last_ms);
        way.last_ms = arrives_ms;
        self.at(arrives_ms, if up { Event::ToBox(number, bytes) } else { Event::ToClient(number, bytes) });
    }

    /// The frames that are whole, of what arrives. A connection that is cut gives a part of one thing more, and no more.
    fn arrives(&mut self, number: u64, bytes: &Bytes, up: bool) -> Vec<Bytes> {
        let keep = self.chance.place(bytes.len().max(1));
        let Some(conn) = self.conns.get_mut(&number) else { return Vec::new() };
        let cut = conn.cut;
        let way = if up { &mut conn.up } else { &mut conn.down };
        if conn.hangs || way.ended {
            return Vec::new();
        }
        way.ended = cut;
        way.frames(if cut { bytes.get(..keep).unwrap_or_default() } else { bytes })
    }

    pub(crate) fn reaches_box(&mut self, number: u64, bytes: &Bytes) {
        for frame in self.arrives(number, bytes, true) {
            let Some(conn) = self.conns.get(&number).filter(|conn| conn.box_knows) else { return };
            let (the_box, box_run) = (conn.the_box, conn.box_run);
            if self.boxes[the_box].run.is_none() || self.boxes[the_box].runs != box_run {
                return;
            }
            match ClientFrame::decode(frame) {
                Ok(frame) => self.hears(the_box, number, frame),
                Err(error) => self.must(false, "what is said is understood", || error.to_string()),
            }
        }
    }

    pub(crate) fn reaches_client(&mut self, number: u64, bytes: &Bytes) {
        for frame in self.arrives(number, bytes, false) {
            let Some(conn) = self.conns.get(&number).filter(|conn| conn.client_knows) else { return };
            let (device, link) = (conn.device, conn.link);
            match ServerFrame::decode(frame) {
                Ok(frame) => self.client_input(device, ClientInput::Received { link, frame }),
                Err(error) => self.must(false, "what is said is understood", || error.to_string()),
            }
        }
    }

    /// The client closes: the box learns of it a moment later.
    pub(crate) fn client_hangs_up(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.client_knows = false;
        let after_ms = conn.latency_ms;
        if !conn.hangs {
            let at_ms = (self.now_ms + after_ms).max(conn.up.last_ms);
            self.at(at_ms, Event::BoxCloses(number));
        }
    }

    /// The box closes, what it said before arrives first.
    pub(crate) fn box_hangs_up(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.box_knows = false;
        let at_ms = (self.now_ms + conn.latency_ms).max(conn.down.last_ms);
        if !conn.hangs {
            self.at(at_ms, Event::ClientCloses(number));
        }
    }

    pub(crate) fn box_closes(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (the_box, box_run, knew) = (conn.the_box, conn.box_run, std::mem::replace(&mut conn.box_knows, false));
        self.tidy(number);
        if knew && self.boxes[the_box].runs == box_run && self.boxes[the_box].run.is_some() {
            self.books[the_box].closed(number);
            self.box_input(the_box, Input::Closed { conn: ConnId(number) });
        }
    }

    pub(crate) fn client_closes(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let (device, run, link) = (conn.device, conn.run, conn.link);
        let knew = std::mem::replace(&mut conn.client_knows, false);
        self.tidy(number);
        let device_is_there = self.devices[device].run == run && self.devices[device].wires.get(&link) == Some(&number);
        if knew && device_is_there {
            self.devices[device].wires.remove(&link);
            self.client_input(device, ClientInput::Closed { link });
        }
    }

    fn tidy(&mut self, number: u64) {
        if self.conns.get(&number).is_some_and(|conn| !conn.client_knows && !conn.box_knows) {
            self.conns.remove(&number);
        }
    }

    /// A connection ends in the middle of what is on its way; both ends learn of it soon.
    pub(crate) fn cut_conn(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.cut = true;
        let (up_ms, down_ms) = (self.now_ms.max(conn.up.last_ms), self.now_ms.max(conn.down.last_ms));
        let (box_after, client_after) = (self.chance.length(1, 5_000), self.chance.length(1, 5_000));
        self.at(up_ms + box_after, Event::BoxCloses(number));
        self.at(down_ms + client_after, Event::ClientCloses(number));
    }

    /// A connection hangs. The client gives it up by itself; the box's system does after minutes.
    pub(crate) fn hang_conn(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.hangs = true;
        let box_after = self.chance.length(60_000, 20 * 60_000);
        self.after(box_after, Event::BoxCloses(number));
        // The program may not look for a while; its system tells it in the end.
        self.after(2 * 3_600_000, Event::ClientCloses(number));
    }

    /// The box is gone: its connections with it.
    pub(crate) fn box_is_gone(&mut self, the_box: usize, politely: bool) {
        let of_box: Vec<u64> =
            self.conns.iter().filter(|(_, conn)| conn.the_box == the_box).map(|(number, _)| *number).collect();
        for number in of_box {
            let Some(conn) = self.conns.get_mut(&number) else { continue };
            conn.box_knows = false;
            let (hangs, last_ms) = (conn.hangs, conn.down.last_ms);
            if hangs {
                continue;
            }
            if politely {
                self.at(self.now_ms.max(last_ms) + 1, Event::ClientCloses(number));
            } else {
                // Nobody says goodbye: a program that says something is told by the system that nobody is there.
                conn.cut = true;
                let after = self.chance.length(100, 90_000);
                self.at(self.now_ms.max(last_ms) + after, Event::ClientCloses(number));
            }
        }
    }

    pub(crate) fn conns_of(&self, device: usize) -> Vec<u64> {
        self.conns.iter().filter(|(_, conn)| conn.device == device).map(|(number, _)| *number).collect()
    }
}
