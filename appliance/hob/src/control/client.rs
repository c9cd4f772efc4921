//! The keeper's side of the control socket: one question, one answer, HTTP/1.0 (RFC 1945).

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::socket;
use crate::control::wire::Refusal;

/// A box that does not answer for as long is said to hang. Orders wait for the disk, and compacting copies the ledger.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// No answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no box is running on {}; start one with `hob serve`", data.display())]
    NoBox {
        /// The data folder.
        data: PathBuf,
    },
    /// The socket is another user's.
    #[error("the box on {} is another user's: ask as that user", data.display())]
    NotYours {
        /// The data folder.
        data: PathBuf,
    },
    /// The connection broke, or the answer cannot be read.
    #[error("the box on {} did not answer; try again, and look at its log", data.display())]
    NoAnswer {
        /// The data folder.
        data: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The box says no.
    #[error("{0}")]
    Refused(String),
}

/// Asks for something that changes nothing.
///
/// # Errors
/// [`AskError`].
pub fn get<A: DeserializeOwned>(data: &Path, path: &str) -> Result<A, AskError> {
    ask(data, "GET", path, &[], ANSWER_WITHIN)
}

/// The same for whoever will not wait for a box that hangs.
///
/// # Errors
/// [`AskError`].
pub fn get_within<A: DeserializeOwned>(data: &Path, path: &str, within: Duration) -> Result<A, AskError> {
    ask(data, "GET", path, &[], within)
}

/// Orders something.
///
/// # Errors
/// [`AskError`].
pub fn post<A: DeserializeOwned>(data: &Path, path: &str, order: &impl Serialize) -> Result<A, AskError> {
    let body = serde_json::to_vec(order).map_err(|error| no_answer(data, io::Error::other(error)))?;
    ask(data, "POST", path, &body, ANSWER_WITHIN)
}

fn no_answer(data: &Path, source: io::Error) -> AskError {
    AskError::NoAnswer { data: data.to_owned(), source }
}

fn ask<A: DeserializeOwned>(
    data: &Path,
    method: &str,
    path: &str,
    body: &[u8],
    within: Duration,
) -> Result<A, AskError> {
    let mut stream = socket::connect(data).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AskError::NotYours { data: data.to_owned() },
        _ => AskError::NoBox { data: data.to_owned() },
    })?;
    let mut exchange = || -> io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(within))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: hob\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(|source| no_answer(data, source))?;
    let (is_ok, body) = split(&answer).ok_or_else(|| no_answer(data, io::ErrorKind::UnexpectedEof.into()))?;
    let not_json = |error: serde_json::Error| no_answer(data, io::Error::other(error));
    if is_ok {
        return serde_json::from_slice(body).map_err(not_json);
    }
    let refusal: Refusal = serde_json::from_slice(body).map_err(not_json)?;
    Err(AskError::Refused(refusal.error))
}

/// Whether the status is 2xx, and the body.
fn split(answer: &[u8]) -> Option<(bool, &[u8])> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (answer.get(..end)?, answer.get(end + 4..)?);
    let status = head.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    Some((status.first() == Some(&b'2'), body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        assert_eq!(split(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some((true, &b"{}"[..])));
        assert_eq!(split(b"HTTP/1.1 404 Not Found\r\n\r\n"), Some((false, &b""[..])));
        for cut in 0..b"HTTP/1.0 200 OK\r\n\r\n".len() {
            assert_eq!(split(&b"HTTP/1.0 200 OK\r\n\r\n"[..cut]), None);
        }
    }

    #[test]
    fn without_a_box_the_next_step_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = get::<()>(folder.path(), "/v1/status").unwrap_err().to_string();
        assert!(error.starts_with("no box is running on ") && error.ends_with("start one with `hob serve`"), "{error}");
    }
}
