//! MQTT 3.1.1 (OASIS, 2014), as much as QoS 1 needs.

use std::io;
use std::net::SocketAddr;

use super::wire::Wire;
use super::{number_of, wrong};

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const DISCONNECT: u8 = 0xe0;
const QOS_1: u8 = 0x02;

/// A client.
pub struct Mqtt {
    wire: Wire,
    last_id: u16,
}

impl Mqtt {
    /// A client that only publishes, in a session that ends with the connection.
    ///
    /// # Errors
    /// If the broker does not take it.
    pub async fn sender(address: SocketAddr, tls: bool, number: usize) -> io::Result<Self> {
        Self::connect(address, tls, &format!("s{number}"), true).await
    }

    /// A client with a lasting session, subscribed to its topic.
    ///
    /// # Errors
    /// If the broker does not take it.
    pub async fn reader(address: SocketAddr, tls: bool, number: usize) -> io::Result<Self> {
        let mut this = Self::connect(address, tls, &format!("r{number}"), false).await?;
        let topic = format!("m/{number}");
        let mut rest = 1u16.to_be_bytes().to_vec();
        put_string(&mut rest, &topic);
        rest.push(1);
        put_packet(&mut this.wire.output, SUBSCRIBE, &rest);
        this.wire.flush().await?;
        // The session may bring messages before the answer: they stay for whoever reads.
        while !this.has_suback() {
            this.wire.more().await?;
        }
        Ok(this)
    }

    fn has_suback(&self) -> bool {
        let mut seen = self.wire.seen();
        while let Some((head, from, to)) = packet(seen) {
            if head & 0xf0 == SUBACK {
                return seen.get(from + 2) == Some(&1);
            }
            seen = &seen[to..];
        }
        false
    }

    async fn connect(address: SocketAddr, tls: bool, name: &str, is_clean: bool) -> io::Result<Self> {
        let mut wire = Wire::connect(address, tls).await?;
        let mut rest = Vec::new();
        put_string(&mut rest, "MQTT");
        rest.extend_from_slice(&[4, u8::from(is_clean) << 1, 0, 0]);
        put_string(&mut rest, name);
        put_packet(&mut wire.output, CONNECT, &rest);
        wire.flush().await?;
        while packet(wire.seen()).is_none() {
            wire.more().await?;
        }
        match wire.seen() {
            [CONNACK, 2, _, 0, ..] => wire.take(4),
            other => return Err(wrong(format!("the broker answers {other:?}"))),
        }
        Ok(Self { wire, last_id: 0 })
    }

    pub(super) async fn send(&mut self, to: usize, body: &[u8]) -> io::Result<()> {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        let mut rest = Vec::with_capacity(body.len() + 16);
        put_string(&mut rest, &format!("m/{to}"));
        rest.extend_from_slice(&self.last_id.to_be_bytes());
        rest.extend_from_slice(body);
        put_packet(&mut self.wire.output, PUBLISH | QOS_1, &rest);
        self.wire.flush().await
    }

    pub(super) async fn acked(&mut self) -> io::Result<usize> {
        loop {
            let mut acked = 0;
            while let Some((head, _, to)) = packet(self.wire.seen()) {
                acked += usize::from(head & 0xf0 == PUBACK);
                self.wire.take(to);
            }
            if acked > 0 {
                return Ok(acked);
            }
            self.wire.more().await?;
        }
    }

    pub(super) async fn received(&mut self) -> io::Result<Vec<u64>> {
        loop {
            let mut numbers = Vec::new();
            while let Some((head, from, to)) = packet(self.wire.seen()) {
                if head & 0xf0 == PUBLISH {
                    let rest = &self.wire.seen()[from..to];
                    let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                    let id = [rest[2 + topic], rest[3 + topic]];
                    numbers.push(number_of(&rest[4 + topic..])?);
                    put_packet(&mut self.wire.output, PUBACK, &id);
                }
                self.wire.take(to);
            }
            if !numbers.is_empty() {
                self.wire.flush().await?;
                return Ok(numbers);
            }
            self.wire.more().await?;
        }
    }

    pub(super) async fn finish(&mut self) -> io::Result<()> {
        put_packet(&mut self.wire.output, DISCONNECT, &[]);
        self.wire.flush().await?;
        // The broker closes once it has read everything before.
        while self.wire.more().await.is_ok() {}
        Ok(())
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn put_packet(out: &mut Vec<u8>, head: u8, rest: &[u8]) {
    out.push(head);
    let mut left = rest.len();
    loop {
        let low = (left % 128) as u8;
        left /= 128;
        out.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(rest);
}

/// The first whole packet: its first byte, where its rest begins, where it ends.
fn packet(seen: &[u8]) -> Option<(u8, usize, usize)> {
    let head = *seen.first()?;
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *seen.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (seen.len() >= at + length).then_some((head, at, at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_once_it_is_whole() {
        let mut bytes = Vec::new();
        put_packet(&mut bytes, PUBACK, &[7; 200]);
        assert_eq!(packet(&bytes[..bytes.len() - 1]), None);
        assert_eq!(packet(&bytes), Some((PUBACK, 3, 203)));
    }
}
