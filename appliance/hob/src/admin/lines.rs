//! The last lines of the log, for the keeper: the same that go to stderr, kept in a ring in memory.
//!
//! No line names an address, a token, a mailbox or a label at any level. What looks like one all the same is taken out
//! before it is shown or downloaded.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Lines that are kept.
pub const LINES_MAX: usize = 1000;

/// The longest line that is kept whole, in bytes.
const LINE_BYTES_MAX: usize = 512;

static LINES: LazyLock<Mutex<VecDeque<String>>> = LazyLock::new(Mutex::default);

fn lines() -> MutexGuard<'static, VecDeque<String>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last lines, oldest first, redacted.
pub fn last() -> Vec<String> {
    lines().iter().map(|line| redacted(line)).collect()
}

fn keep(text: &str) {
    let mut lines = lines();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if lines.len() >= LINES_MAX {
            lines.pop_front();
        }
        let end = (0..=line.len().min(LINE_BYTES_MAX)).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        lines.push_back(line.get(..end).unwrap_or_default().to_owned());
    }
}

/// Writes to stderr and keeps what was written.
#[derive(Debug, Clone, Copy)]
pub struct Tee;

impl<'a> MakeWriter<'a> for Tee {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // One call a line: the subscriber writes each whole.
        keep(&String::from_utf8_lossy(bytes));
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Takes out what looks like an id, a key or an address.
fn redacted(line: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-' | '/' | '+');
    let mut redacted = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        redacted.push_str(if is_word(first) && is_secret(word) { "[…]" } else { word });
        rest = after;
    }
    redacted
}

fn is_secret(word: &str) -> bool {
    let plain = word.trim_matches(|c| matches!(c, '.' | ':' | '/' | '-'));
    let is_hex = plain.len() >= 16 && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    let host = plain.rsplit_once(':').map_or(plain, |(host, _)| host);
    is_hex
        || plain.starts_with("hob://")
        || plain.parse::<std::net::IpAddr>().is_ok()
        || host.parse::<std::net::Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_an_id_or_an_address_is_taken_out_and_the_rest_stays() {
        for (line, shown) in [
            ("2026-11-21T10:00:00.000Z  INFO ready port=8443", "2026-11-21T10:00:00.000Z  INFO ready port=8443"),
            ("from 192.168.1.7:4711, twice", "from […], twice"),
            ("from fe80::1 and 10.0.0.1.", "from […] and […]"),
            ("mailbox=00112233445566778899aabbccddeeff gone", "mailbox=[…] gone"),
            ("hob://join/abc", "[…]"),
            ("generation=12345", "generation=12345"),
        ] {
            assert_eq!(redacted(line), shown);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_old_ones_go() {
        for _ in 0..LINES_MAX + 5 {
            keep(&format!("{}\n", "ä".repeat(400)));
        }
        let last = last();
        assert_eq!(last.len(), LINES_MAX);
        assert!(last.iter().all(|line| line.len() <= LINE_BYTES_MAX));
    }
}
