//! Frames in, frames out, until either end closes.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hob_protocol::frame::{ClientFrame, ServerFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const SEND_PATIENCE: Duration = Duration::from_secs(30);
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

/// Passes frames on until the connection ends, or until nobody has frames to send any more: then it is closed in order.
///
/// Frames that wait together leave together, in one write. A frame that cannot be read, and a text message, end the
/// connection: a box that says such things is not one to go on talking to.
pub async fn run_until_closed<S>(
    mut socket: WebSocketStream<S>,
    mut outgoing: UnboundedReceiver<ClientFrame>,
    mut received: impl FnMut(ServerFrame),
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            frame = outgoing.recv() => {
                let Some(frame) = frame else { break };
                // Nobody reads at the other end: waiting longer would hold back what comes from there, too.
                if !matches!(timeout(SEND_PATIENCE, send_all(&mut socket, frame, &mut outgoing)).await, Ok(Ok(()))) {
                    return;
                }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => match ServerFrame::decode(bytes) {
                    Ok(frame) => received(frame),
                    Err(_) => break,
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Close(_) | Message::Frame(_)) | Err(_)) | None => break,
            },
        }
    }
    let _ = timeout(CLOSE_PATIENCE, socket.close(None)).await;
}

async fn send_all<S>(
    socket: &mut WebSocketStream<S>,
    first: ClientFrame,
    waiting: &mut UnboundedReceiver<ClientFrame>,
) -> Result<(), tokio_tungstenite::tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut next = Some(first);
    while let Some(frame) = next {
        let bytes: Bytes = frame.encode();
        socket.feed(Message::Binary(bytes)).await?;
        next = waiting.try_recv().ok();
    }
    socket.flush().await
}
