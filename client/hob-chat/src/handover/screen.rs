//! A screen in the second process: what it asks goes to the first one, which has the profile, and the news come back.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Reply, RequestRef, SocketPath, VERSION, line};
use crate::error::ChatError;
use crate::job::Job;
use crate::out::Place;
use crate::profile::Folder;
use crate::screen::talk::{Ask, News};

/// A whole conversation as it is looked at, with room for JSON's escapes.
pub const SCREEN_LINE_BYTES_MAX: u64 = 64 << 20;

/// The second process's end.
pub struct Second {
    pub asks: UnboundedSender<Ask>,
    /// Ends when the first process does.
    pub news: UnboundedReceiver<News>,
}

/// Attaches; `None`: nobody took it, the other process is just starting or just ending.
///
/// # Errors
/// Another version of the program has the profile.
pub async fn attach(folder: &Folder) -> Result<Option<Second>, ChatError> {
    let path = SocketPath::of(folder)?;
    let Ok(mut stream) = UnixStream::connect(&path.path).await else { return Ok(None) };
    let request = RequestRef { version: VERSION, place: Place::here(false), job: &Job::Screen };
    let request = line(&request).map_err(|source| ChatError::Output { source })?;
    if stream.write_all(&request).await.is_err() {
        return Ok(None);
    }
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    match read::<Reply>(&mut input).await {
        Some(Reply::Taken) => {}
        Some(Reply::OtherVersion(version)) => return Err(ChatError::OtherVersion { version }),
        _ => return Ok(None),
    }
    let (asks, mut asked) = mpsc::unbounded_channel::<Ask>();
    let (tell, news) = mpsc::unbounded_channel();
    tokio::task::spawn_local(async move {
        while let Some(ask) = asked.recv().await {
            let Ok(bytes) = line(&ask) else { continue };
            if output.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    tokio::task::spawn_local(async move {
        while let Some(Reply::Screen(news)) = read(&mut input).await {
            if tell.send(*news).is_err() {
                return;
            }
        }
    });
    Ok(Some(Second { asks, news }))
}

/// The first process's end: passes on until the screen or the engine goes.
pub async fn serve(
    mut input: BufReader<tokio::io::Take<OwnedReadHalf>>,
    mut output: OwnedWriteHalf,
    engine: std::rc::Rc<crate::engine::Engine>,
) {
    let (asks, asked) = mpsc::unbounded_channel::<Ask>();
    let (tell, mut news) = mpsc::unbounded_channel();
    let reading = async move {
        loop {
            input.get_mut().set_limit(SCREEN_LINE_BYTES_MAX);
            let mut bytes = Vec::new();
            if !matches!(input.read_until(b'\n', &mut bytes).await, Ok(1..)) {
                return;
            }
            let Ok(ask) = serde_json::from_slice(&bytes) else { return };
            if asks.send(ask).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some(news) = news.recv().await {
            let Ok(bytes) = line(&Reply::Screen(Box::new(news))) else { continue };
            if output.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = crate::screen::backend::serve(engine, asked, tell) => {}
        () = reading => {}
        () = writing => {}
    }
}

async fn read<T: serde::de::DeserializeOwned>(input: &mut BufReader<OwnedReadHalf>) -> Option<T> {
    let mut bytes = Vec::new();
    let mut limited = input.take(SCREEN_LINE_BYTES_MAX);
    limited.read_until(b'\n', &mut bytes).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}
