//! The first process: takes jobs from others while its own runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::{LINE_BYTES_MAX, Reply, Request, SocketPath, VERSION, line};
use crate::cmd;
use crate::engine::Engine;
use crate::engine::session::Session;
use crate::job::Job;
use crate::out::Out;
use crate::profile::{Folder, ProfileError};

/// Takes jobs until it is told to stop.
pub struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    folder: Folder,
}

impl Server {
    /// Listens. Only who has the profile's lock may call this: a socket that is there is a dead process's then.
    ///
    /// # Errors
    /// [`ProfileError::File`].
    pub fn start(engine: &Rc<Engine>, folder: &Folder) -> Result<Self, ProfileError> {
        let named = folder.file("socket");
        let path = SocketPath::of(folder)?;
        let _ = fs::remove_file(&path.path);
        let listener = UnixListener::bind(&path.path).map_err(ProfileError::file("listen at", &named))?;
        fs::set_permissions(&named, fs::Permissions::from_mode(0o600))
            .map_err(ProfileError::file("protect", &named))?;
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::task::spawn_local(accept(listener, Rc::clone(engine), stopped));
        Ok(Self { stop, accepting, folder: folder.clone() })
    }

    /// Takes no more jobs and waits for those that were taken.
    pub async fn finish(self) {
        // Out of sight first: who comes from now on waits for the lock instead.
        let _ = fs::remove_file(self.folder.file("socket"));
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
    }
}

async fn accept(listener: UnixListener, engine: Rc<Engine>, mut stopped: watch::Receiver<bool>) {
    let (running, mut all_ended) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (engine, running) = (Rc::clone(&engine), running.clone());
                    tokio::task::spawn_local(async move {
                        serve(stream, engine).await;
                        drop(running);
                    });
                }
                // Out of descriptors, for example: the others wait for their turn instead.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    }
    drop((listener, running));
    while all_ended.recv().await.is_some() {}
}

async fn serve(stream: UnixStream, engine: Rc<Engine>) {
    let ours = rustix::process::geteuid().as_raw();
    if stream.peer_cred().map(|peer| peer.uid()).ok() != Some(ours) {
        return;
    }
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input.take(LINE_BYTES_MAX));
    let mut bytes = Vec::new();
    if input.read_until(b'\n', &mut bytes).await.is_err() {
        return;
    }
    let Ok(request) = serde_json::from_slice::<Request>(&bytes) else {
        return;
    };
    if request.version != VERSION {
        let _ = send(&mut output, &Reply::OtherVersion(VERSION.to_owned())).await;
        return;
    }
    if send(&mut output, &Reply::Taken).await.is_err() {
        return;
    }
    if matches!(request.job, Job::Screen) {
        return super::screen::serve(input, output, engine).await;
    }
    let (replies, mut lines) = mpsc::unbounded_channel();
    let job = async {
        let session = Session::new(&engine, Out::handed_over(request.place, replies.clone()));
        let code = cmd::run(&session, request.job).await;
        let _ = replies.send(Reply::End(code));
    };
    let passing_on = async {
        while let Some(reply) = lines.recv().await {
            let is_last = matches!(reply, Reply::End(_));
            if send(&mut output, &reply).await.is_err() || is_last {
                return;
            }
        }
    };
    let work = async { tokio::join!(job, passing_on) };
    tokio::select! {
        _ = work => {}
        // The other process ended, by Ctrl-C for example: so does its job.
        () = hung_up(&mut input) => {}
    }
}

async fn hung_up(input: &mut BufReader<tokio::io::Take<OwnedReadHalf>>) {
    let mut byte = [0; 1];
    let _ = input.read(&mut byte).await;
}

async fn send(output: &mut OwnedWriteHalf, reply: &Reply) -> std::io::Result<()> {
    output.write_all(&line(reply)?).await
}
