//! Which address, in which order, for how long: a box has up to three, and names may have several numbers each.
//!
//! The addresses are started in order, 250 ms apart (in the manner of RFC 8305, section 5), so that one that is silent
//! holds nobody up. The first at which the right box says hello is taken, the others are dropped: at 192.168.178.20 there
//! may be one box at home and another at a friend's. Where only wrong ones answer, one of them is taken all the same, and
//! the core says so loudly; it is the core that trusts nothing here.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hob_protocol::address::Address;
use hob_protocol::frame::{ServerBody, ServerFrame};
use hob_protocol::ids::BoxIdentity;
use hob_protocol::limits::{FRAME_BYTES_MAX, SUBPROTOCOL};
use hob_protocol::transcript::{self, Exporter};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{NetError, tls};

const STAGGER: Duration = Duration::from_millis(250);
/// A box in the same house answers within milliseconds, one behind a bad mobile link within two seconds.
const TCP_PATIENCE: Duration = Duration::from_secs(3);
const HANDSHAKES_PATIENCE: Duration = Duration::from_secs(5);

/// A WebSocket over TLS, and what the core has to check about it.
pub struct Connection {
    /// The WebSocket.
    pub socket: WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>,
    /// The box's first frame, read already.
    pub first: ServerFrame,
    /// The TLS exporter.
    pub exporter: Exporter,
    /// The certificate's SPKI, DER.
    pub certificate_spki: Bytes,
}

impl Connection {
    fn is_with(&self, identity: BoxIdentity) -> bool {
        match &self.first.body {
            ServerBody::Hello(hello) => {
                hello.identity == identity
                    && transcript::server(&self.exporter, &self.certificate_spki)
                        .is_signed_by(identity.as_bytes(), &hello.signature)
            }
            _ => false,
        }
    }
}

/// Connects to a box, if it can be to the one with this identity.
///
/// # Errors
/// [`NetError::NoAnswer`], or [`NetError::NotABox`] where something answered and none was a box.
pub async fn connect(identity: BoxIdentity, addresses: &[Address]) -> Result<Connection, NetError> {
    let mut attempts: FuturesUnordered<_> = addresses
        .iter()
        .zip(0u32..)
        .map(|(address, place)| async move {
            sleep(STAGGER * place).await;
            attempt(address).await
        })
        .collect();
    let (mut stranger, mut silence, mut noise) = (None, None, None);
    while let Some(outcome) = attempts.next().await {
        match outcome {
            Ok(connection) if connection.is_with(identity) => return Ok(connection),
            Ok(connection) => stranger = Some(connection),
            Err(Failure::Silent(why)) => silence = Some(why),
            Err(Failure::NotABox(error)) => noise = Some(error),
        }
    }
    if let Some(stranger) = stranger {
        return Ok(stranger);
    }
    Err(noise.unwrap_or_else(|| NetError::NoAnswer {
        addresses: list(addresses),
        why: silence.unwrap_or_else(|| "it has no address".to_owned()),
    }))
}

/// "a:1, b:2"
pub fn list(addresses: &[Address]) -> String {
    let texts: Vec<_> = addresses.iter().map(Address::as_str).collect();
    texts.join(", ")
}

enum Failure {
    Silent(String),
    NotABox(NetError),
}

async fn attempt(address: &Address) -> Result<Connection, Failure> {
    let (host, port) = address.host_and_port();
    let stream = match timeout(TCP_PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(Failure::Silent(error.to_string())),
        Err(_) => return Err(Failure::Silent(format!("nothing within {} s", TCP_PATIENCE.as_secs()))),
    };
    let not_a_box = |why| Failure::NotABox(NetError::NotABox { address: address.to_string(), why });
    match timeout(HANDSHAKES_PATIENCE, handshakes(address, host, stream)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(why)) => Err(not_a_box(why)),
        Err(_) => {
            Err(not_a_box(format!("it took the connection and said nothing for {} s", HANDSHAKES_PATIENCE.as_secs())))
        }
    }
}

async fn handshakes(address: &Address, host: &str, stream: TcpStream) -> Result<Connection, String> {
    // Frames are small and each waits for its answer: Nagle would add a round trip.
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let tls = tls::handshake(host, stream).await?;
    let limits = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (mut socket, response) = client_async_with_config(request(address)?, tls.stream, Some(limits))
        .await
        .map_err(|error| error.to_string())?;
    if response.headers().get(SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::as_bytes) != Some(SUBPROTOCOL.as_bytes()) {
        return Err(format!("it does not speak {SUBPROTOCOL}"));
    }
    let first = match socket.next().await {
        Some(Ok(Message::Binary(bytes))) => ServerFrame::decode(bytes).map_err(|error| error.to_string())?,
        Some(Err(error)) => return Err(error.to_string()),
        Some(Ok(_)) | None => return Err("it did not say hello".to_owned()),
    };
    Ok(Connection { socket, first, exporter: tls.exporter, certificate_spki: tls.certificate_spki })
}

fn request(address: &Address) -> Result<Request, String> {
    let mut request = format!("wss://{address}/v1/socket").into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn run<T>(story: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story)
    }

    #[test]
    fn a_box_that_does_not_run_is_named_with_its_addresses_and_a_question() {
        let error = run(async {
            let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let address = Address::parse(&closed.to_string()).unwrap();
            connect(BoxIdentity([1; 32]), &[address]).await.err().unwrap()
        });
        let text = error.to_string();
        assert!(text.starts_with("no answer from the box at 127.0.0.1:"), "{text}");
        assert!(text.contains("is it running"), "{text}");
    }

    #[test]
    fn something_that_speaks_plain_http_is_told_from_a_box_that_is_down() {
        let error = run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::parse(&listener.local_addr().unwrap().to_string()).unwrap();
            let server = async {
                use tokio::io::AsyncWriteExt;
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
                stream
            };
            let addresses = [address];
            let (_stream, outcome) = tokio::join!(server, connect(BoxIdentity([1; 32]), &addresses));
            outcome.err().unwrap()
        });
        assert!(matches!(&error, NetError::NotABox { why, .. } if why.contains("TLS")), "{error}");
    }
}
