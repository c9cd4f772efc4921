//! Frames between one WebSocket and the engine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hob_log::BodyReader;
use hob_protocol::code::{Code, Refused};
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientFrame, FrameError, ServerBody, ServerFrame};
use hob_protocol::planted;
use hob_protocol::transcript::Exporter;
use hob_relay::{Body, ConnId};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::engine::Engine;
use crate::engine::outbox::{Out, Outbox, Push};
use crate::net::answer::close_code;
use crate::net::door::Pass;
use crate::net::websocket::{Message, SocketError, WebSocket, put_binary_header, put_pong};
use crate::net::witness::Witness;

/// Frames handed to the engine at once.
const FRAMES_AT_ONCE: usize = 64;

/// How long a connection may take to read what is written to it.
const SLOW_AFTER: Duration = Duration::from_secs(30);

/// How long a goodbye may take to be written, and after it the other side to read it and close.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);
const LINGER_FOR: Duration = Duration::from_secs(2);

/// Written in one go; a longer queue is written in pieces of about this size.
const WRITE_BYTES: usize = 64 << 10;

/// Why a connection ends.
enum End {
    /// The other side closed it, or it broke.
    Gone,
    /// We close it, with this code.
    Close(u16),
}

/// Serves one connection until it ends.
pub async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    engine: Engine,
    mut socket: WebSocket<S>,
    pass: Pass,
    witness: Witness,
    exporter: Exporter,
    signature: Bytes,
) {
    let conn = engine.next_conn();
    // Until this connection ends, goodbyes are waited for.
    let alive = engine.alive();
    let outbox = Arc::new(Outbox::default());
    if engine.opened(conn, Arc::clone(&outbox), exporter, signature).await.is_err() {
        return;
    }
    let mut pass = Some(pass);
    let end = serve((&engine, &witness), conn, &mut socket, &outbox, &mut pass).await;
    engine.closed(conn).await;
    if planted!("leak-connection") {
        std::mem::forget(socket);
        return;
    }
    if let End::Close(code) = end {
        // Whoever does not read is not waited for.
        let said = tokio::time::timeout(GOODBYE_WITHIN, socket.close(code)).await;
        drop(alive);
        if said.is_ok() {
            let _ = tokio::time::timeout(LINGER_FOR, socket.linger()).await;
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    (engine, witness): (&Engine, &Witness),
    conn: ConnId,
    socket: &mut WebSocket<S>,
    outbox: &Outbox,
    pass: &mut Option<Pass>,
) -> End {
    loop {
        let step = tokio::select! {
            outs = outbox.take() => Step::Write(outs),
            message = socket.next() => Step::Read(message),
            () = make_room(pass) => Step::MakeRoom,
        };
        let ended = match step {
            Step::Write(outs) => write((engine, witness), socket, outs, pass).await,
            Step::Read(message) => read(engine, conn, socket, message).await,
            Step::MakeRoom => Err(End::Close(close_code(Code::TooSlow))),
        };
        if let Err(end) = ended {
            return end;
        }
    }
}

enum Step {
    Write(VecDeque<Out>),
    Read(Result<Message, SocketError>),
    MakeRoom,
}

async fn make_room(pass: &mut Option<Pass>) {
    match pass {
        Some(pass) => pass.must_leave().await,
        None => std::future::pending().await,
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    engine: &Engine,
    conn: ConnId,
    socket: &mut WebSocket<S>,
    first: Result<Message, SocketError>,
) -> Result<(), End> {
    let mut frames = Vec::new();
    let mut pongs = Vec::new();
    let mut next = first.map(Some);
    let ended = loop {
        match next {
            Ok(Some(Message::Binary(bytes))) => frames.push(decode(bytes)),
            Ok(Some(Message::Ping(payload))) => put_pong(&mut pongs, &payload),
            Ok(Some(Message::Goodbye(code))) => break Err(End::Close(code)),
            Ok(Some(Message::Closed)) => break Err(End::Close(1000)),
            Ok(None) => break Ok(()),
            Err(SocketError::Io(_)) => break Err(End::Gone),
            Err(error @ (SocketError::TooLarge { .. } | SocketError::Text)) => {
                let code = if matches!(error, SocketError::Text) { Code::BadFrame } else { Code::TooLarge };
                frames.push(Err(FrameError { code, request: 0, why: error.to_string() }));
                // Told from here: the engine's answer would find the connection closed.
                let refused = Refused::finally(code);
                ServerFrame::refusal(0, refused).encode_into(&mut pongs, put_binary_header);
                break Err(End::Close(error.close_code()));
            }
            Err(error) => break Err(End::Close(error.close_code())),
        }
        if frames.len() + pongs.len() >= FRAMES_AT_ONCE {
            break Ok(());
        }
        next = socket.next_ready();
    };
    if !frames.is_empty() && engine.frames(conn, frames).await.is_err() {
        return Err(End::Gone);
    }
    if !pongs.is_empty() {
        flush(socket, &pongs).await?;
    }
    ended
}

fn decode(bytes: Bytes) -> Result<ClientFrame, FrameError> {
    if planted!("a-task-blocks") {
        std::thread::sleep(Duration::from_millis(20));
    }
    ClientFrame::decode(bytes)
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    (engine, witness): (&Engine, &Witness),
    socket: &mut WebSocket<S>,
    mut outs: VecDeque<Out>,
    pass: &mut Option<Pass>,
) -> Result<(), End> {
    if outs.iter().any(|out| matches!(out, Out::Push(push) if matches!(push.body, Body::At(_)))) {
        outs = read_bodies(engine.bodies(), outs).await?;
    }
    let mut bytes = Vec::new();
    for out in outs {
        match out {
            Out::Frame(frame) => {
                witness.answered(&frame.body);
                frame.encode_into(&mut bytes, put_binary_header);
            }
            Out::Push(push) => {
                let id = push.id;
                match push_frame(*push) {
                    Some(frame) => frame.encode_into(&mut bytes, put_binary_header),
                    None => engine.unreadable(id).await.map_err(|_| End::Gone)?,
                }
            }
            Out::Established => {
                if let Some(pass) = pass.take() {
                    pass.established();
                }
            }
            // For watchers only.
            Out::Ready { .. } | Out::Reply(_) => {}
            Out::Goodbye => {
                flush(socket, &bytes).await?;
                return Err(End::Close(close_code(Code::Restarting)));
            }
            Out::Close(refused) => {
                ServerFrame::refusal(0, refused).encode_into(&mut bytes, put_binary_header);
                flush(socket, &bytes).await?;
                return Err(End::Close(close_code(refused.code)));
            }
        }
        if bytes.len() >= WRITE_BYTES {
            flush(socket, &bytes).await?;
            bytes.clear();
        }
    }
    flush(socket, &bytes).await
}

async fn flush<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocket<S>, bytes: &[u8]) -> Result<(), End> {
    if bytes.is_empty() {
        return Ok(());
    }
    match tokio::time::timeout(SLOW_AFTER, socket.write(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

/// A push whose bytes are here.
fn push_frame(push: Push) -> Option<ServerFrame> {
    let Body::Here(bytes, _) = push.body else { return None };
    let envelope = Envelope::new(bytes).ok()?;
    Some(ServerFrame { request: 0, body: ServerBody::Push { id: push.id, envelope, ttl: push.ttl } })
}

/// Reads what lies in the log, away from the tasks that must not wait for a card.
async fn read_bodies(bodies: Arc<dyn BodyReader>, mut outs: VecDeque<Out>) -> Result<VecDeque<Out>, End> {
    let reading = tokio::task::spawn_blocking(move || {
        for out in &mut outs {
            let Out::Push(push) = out else { continue };
            let Body::At(place) = push.body else { continue };
            match bodies.read(place) {
                Ok(bytes) => push.body = Body::Here(bytes, Some(place)),
                // Destroyed between the push and now, or damaged: the log's own notices tell the keeper.
                Err(error) => tracing::debug!(%error, "an envelope could not be read any more"),
            }
        }
        outs
    });
    reading.await.map_err(|_| End::Gone)
}
