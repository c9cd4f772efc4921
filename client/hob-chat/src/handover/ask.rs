//! The second process: hands its job over and prints what comes back.

use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{LINE_BYTES_MAX, Reply, RequestRef, SocketPath, VERSION, line};
use crate::error::ChatError;
use crate::job::Job;
use crate::out::{Out, Place};
use crate::profile::Folder;

/// How handing over went.
pub enum Answer {
    /// The job is done, there.
    Done(ExitCode),
    /// Nobody took the job; nothing was done. The other process is just starting or just ending.
    NotTaken,
}

/// Tries to hand a job over.
///
/// # Errors
/// [`ChatError::OtherEnded`] if it was taken and not brought to an end, or nobody reads our stdout any more.
pub async fn ask(folder: &Folder, job: &Job, place: Place) -> Result<Answer, ChatError> {
    let path = SocketPath::of(folder)?;
    let Ok(mut stream) = UnixStream::connect(&path.path).await else {
        return Ok(Answer::NotTaken);
    };
    let request = line(&RequestRef { version: VERSION, place, job }).map_err(|source| ChatError::Output { source })?;
    if stream.write_all(&request).await.is_err() {
        return Ok(Answer::NotTaken);
    }
    let out = Out::here(place);
    let mut replies = BufReader::new(stream.take(u64::MAX));
    let mut taken = false;
    while let Some(reply) = next(&mut replies).await {
        match reply {
            Reply::Taken => taken = true,
            Reply::OtherVersion(version) => return Err(ChatError::OtherVersion { version }),
            Reply::Out(text) => out.line(&text)?,
            Reply::Err(text) => out.notice(&text),
            Reply::Screen(_) => {}
            Reply::End(code) => return Ok(Answer::Done(ExitCode::from(code))),
        }
    }
    if taken { Err(ChatError::OtherEnded) } else { Ok(Answer::NotTaken) }
}

async fn next(replies: &mut BufReader<tokio::io::Take<UnixStream>>) -> Option<Reply> {
    let mut bytes = Vec::new();
    replies.get_mut().set_limit(LINE_BYTES_MAX);
    replies.read_until(b'\n', &mut bytes).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}
