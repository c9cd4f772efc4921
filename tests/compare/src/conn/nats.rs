//! The client protocol of NATS and the parts of JetStream's API that a mailbox needs: one work queue on disk, a durable
//! push consumer for each reader.

use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{number_of, wrong};

const INBOX: &str = "_INBOX.me";

/// A client.
pub struct Nats {
    wire: Wire,
    /// Where it hears answers.
    inbox: String,
}

/// One message as it came.
struct Message {
    reply: String,
    body: (usize, usize),
    end: usize,
}

impl Nats {
    /// A client that hears its own answers.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn sender(address: SocketAddr, tls: bool, number: usize) -> io::Result<Self> {
        Self::connect(address, tls, &format!("{INBOX}.s{number}")).await
    }

    /// A client that hears what its consumer delivers.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn reader(address: SocketAddr, tls: bool, number: usize) -> io::Result<Self> {
        Self::connect(address, tls, &format!("d.{number}")).await
    }

    async fn connect(address: SocketAddr, tls: bool, hears: &str) -> io::Result<Self> {
        let mut wire = Wire::connect(address, false).await?;
        let end = line(&mut wire).await?;
        wire.take(end);
        if tls {
            wire = wire.secured().await?;
        }
        let tls = if tls { "\"tls_required\":true," } else { "" };
        let hello = format!(
            "CONNECT {{{tls}\"verbose\":false,\"pedantic\":false,\"name\":\"compare\"}}\r\nSUB {hears} 1\r\nPING\r\n"
        );
        wire.output.extend_from_slice(hello.as_bytes());
        wire.flush().await?;
        let mut this = Self { wire, inbox: hears.to_owned() };
        this.pong().await?;
        Ok(this)
    }

    /// Everything before was understood once a ping is answered. What comes before it stays.
    async fn pong(&mut self) -> io::Result<()> {
        while !self.wire.seen().windows(6).any(|six| six == b"PONG\r\n") {
            self.wire.more().await?;
        }
        Ok(())
    }

    /// Makes the stream and a durable consumer for each reader.
    ///
    /// # Errors
    /// If JetStream refuses.
    pub async fn prepare(&mut self, readers: std::ops::Range<usize>) -> io::Result<()> {
        if readers.start == 0 {
            let stream =
                r#"{"name":"HOB","subjects":["m.*"],"retention":"workqueue","storage":"file","num_replicas":1}"#;
            self.ask("$JS.API.STREAM.CREATE.HOB", stream).await?;
        }
        for reader in readers {
            let consumer = format!(
                "{{\"stream_name\":\"HOB\",\"config\":{{\"durable_name\":\"r{reader}\",\"deliver_subject\":\"d.{reader}\",\
                 \"filter_subject\":\"m.{reader}\",\"ack_policy\":\"explicit\",\"deliver_policy\":\"all\",\
                 \"max_ack_pending\":20000}}}}"
            );
            self.ask(&format!("$JS.API.CONSUMER.DURABLE.CREATE.HOB.r{reader}"), &consumer).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, subject: &str, what: &str) -> io::Result<()> {
        let text = format!("PUB {subject} {} {}\r\n{what}\r\n", self.inbox, what.len());
        self.wire.output.extend_from_slice(text.as_bytes());
        self.wire.flush().await?;
        self.acked().await.map(drop)
    }

    pub(super) async fn send(&mut self, to: usize, body: &[u8]) -> io::Result<()> {
        let head = format!("PUB m.{to} {} {}\r\n", self.inbox, body.len());
        self.wire.output.extend_from_slice(head.as_bytes());
        self.wire.output.extend_from_slice(body);
        self.wire.output.extend_from_slice(b"\r\n");
        self.wire.flush().await
    }

    pub(super) async fn acked(&mut self) -> io::Result<usize> {
        loop {
            let mut acked = 0;
            while let Some(message) = self.next()? {
                let (from, to) = message.body;
                let answer = &self.wire.seen()[from..to];
                if answer.windows(7).any(|seven| seven == b"\"error\"") {
                    return Err(wrong(String::from_utf8_lossy(answer).into_owned()));
                }
                acked += 1;
                self.wire.take(message.end);
            }
            if acked > 0 {
                return Ok(acked);
            }
            self.wire.flush().await?;
            self.wire.more().await?;
        }
    }

    pub(super) async fn received(&mut self) -> io::Result<Vec<u64>> {
        loop {
            let mut numbers = Vec::new();
            while let Some(message) = self.next()? {
                let (from, to) = message.body;
                numbers.push(number_of(&self.wire.seen()[from..to])?);
                let ack = format!("PUB {} 4\r\n+ACK\r\n", message.reply);
                self.wire.output.extend_from_slice(ack.as_bytes());
                self.wire.take(message.end);
            }
            self.wire.flush().await?;
            if !numbers.is_empty() {
                return Ok(numbers);
            }
            self.wire.more().await?;
        }
    }

    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.wire.output.extend_from_slice(b"PING\r\n");
        self.wire.flush().await?;
        self.pong().await
    }

    /// The next whole message; answers pings and drops what is not for us on the way.
    fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            let seen = self.wire.seen();
            let Some(end) = seen.windows(2).position(|two| two == b"\r\n").map(|at| at + 2) else { return Ok(None) };
            let head = String::from_utf8_lossy(&seen[..end - 2]).into_owned();
            let words: Vec<&str> = head.split_whitespace().collect();
            match words.first().copied() {
                Some("MSG") => {
                    let length: usize =
                        words.last().and_then(|word| word.parse().ok()).ok_or_else(|| wrong("a length"))?;
                    let (from, to) = (end, end + length);
                    if seen.len() < to + 2 {
                        return Ok(None);
                    }
                    let reply = if words.len() == 5 { words[3].to_owned() } else { String::new() };
                    return Ok(Some(Message { reply, body: (from, to), end: to + 2 }));
                }
                Some("PING") => self.wire.output.extend_from_slice(b"PONG\r\n"),
                Some("-ERR") => return Err(wrong(head)),
                _ => {}
            }
            self.wire.take(end);
        }
    }
}

/// Where the first line ends.
async fn line(wire: &mut Wire) -> io::Result<usize> {
    loop {
        if let Some(at) = wire.seen().windows(2).position(|two| two == b"\r\n") {
            return Ok(at + 2);
        }
        wire.more().await?;
    }
}
