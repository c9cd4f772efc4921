//! One connection, frame by frame, well-behaved or not.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ClientFrame, Hello, ServerBody, ServerFrame};
use hob_protocol::limits::{FRAME_BYTES_MAX, SUBPROTOCOL};
use hob_protocol::transcript::{EXPORTER_LABEL, Exporter};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a box may take to say something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes any certificate: these tests look at frames, and the box's identity is checked by the real client.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// TLS 1.3 as Hob's clients speak it.
pub fn tls() -> TlsConnector {
    TlsConnector::from(tls_config())
}

/// The first flight of a good handshake, of which nothing else follows.
pub fn client_hello() -> Vec<u8> {
    let mut client = rustls::ClientConnection::new(tls_config(), ServerName::try_from("hob.invalid").unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

fn tls_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// A bare TLS connection.
///
/// # Errors
/// What the handshake said.
pub async fn handshake(address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    handshake_with(&tls(), address).await
}

/// The same with a connector that is used again.
///
/// # Errors
/// What the handshake said.
pub async fn handshake_with(connector: &TlsConnector, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    connector.connect(ServerName::try_from("hob.invalid").unwrap(), stream).await
}

/// TCP from another address of this machine: all of 127.0.0.0/8 are its own.
///
/// # Errors
/// If the connection does not come about.
pub async fn tcp_from(from: [u8; 4], address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection after its hello.
pub struct Wire {
    pub socket: Socket,
    pub exporter: Exporter,
    pub hello: Hello,
    pub nonce: [u8; 32],
    /// What came unasked and was not looked at yet.
    pub unasked: VecDeque<ServerBody>,
    /// The WebSocket's closing code, once the box has said one.
    pub close_code: Option<u16>,
    next_request: u64,
}

impl Wire {
    /// Connects and reads hello and challenge.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(&tls(), address).await.expect("the box takes connections")
    }

    /// The same from another address of this machine: all of 127.0.0.0/8 are its own.
    pub async fn connect_from(from: [u8; 4], address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(address).await.unwrap();
        let stream = tls().connect(ServerName::try_from("hob.invalid").unwrap(), stream).await.unwrap();
        Self::over(stream, address).await.expect("the box takes connections")
    }

    /// The same with a connector that is used again, by one who may not get in.
    ///
    /// # Errors
    /// If the connection does not come about.
    pub async fn try_from(connector: &TlsConnector, from: [u8; 4], address: SocketAddr) -> Result<Self, Error> {
        let stream = tcp_from(from, address).await?;
        let stream = connector.connect(ServerName::try_from("hob.invalid").unwrap(), stream).await?;
        Self::over(stream, address).await
    }

    /// The same with a connector that is used again.
    ///
    /// # Errors
    /// If the connection does not come about.
    pub async fn connect_with(connector: &TlsConnector, address: SocketAddr) -> Result<Self, Error> {
        Self::over(handshake_with(connector, address).await?, address).await
    }

    async fn over(stream: TlsStream<TcpStream>, address: SocketAddr) -> Result<Self, Error> {
        let (_, tls) = stream.get_ref();
        let exporter = tls.export_keying_material([0; 32], EXPORTER_LABEL, None).map(Exporter).unwrap();
        let mut request = format!("wss://{address}/v1/socket").into_client_request()?;
        request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL.parse().unwrap());
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        let mut wire = Self {
            socket,
            exporter,
            hello: empty_hello(),
            nonce: [0; 32],
            unasked: VecDeque::new(),
            close_code: None,
            next_request: 0,
        };
        match wire.frame().await.map(|frame| frame.body) {
            Some(ServerBody::Hello(hello)) => wire.hello = *hello,
            None => return Err(Error::ConnectionClosed),
            other => panic!("a hello comes first, not {other:?}"),
        }
        match wire.frame().await.map(|frame| frame.body) {
            Some(ServerBody::Challenge { nonce }) => wire.nonce = nonce,
            None => return Err(Error::ConnectionClosed),
            other => panic!("a challenge comes second, not {other:?}"),
        }
        Ok(wire)
    }

    /// The next frame; `None` once the box has closed.
    pub async fn frame(&mut self) -> Option<ServerFrame> {
        self.raw_frame().await.map(|bytes| ServerFrame::decode(bytes).unwrap())
    }

    /// The next frame's bytes; `None` once the box has closed.
    pub async fn raw_frame(&mut self) -> Option<Bytes> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match message.expect("the box answers in time") {
                Some(Ok(Message::Binary(bytes))) => return Some(bytes),
                Some(Ok(Message::Close(frame))) => {
                    self.close_code = frame.map(|frame| frame.code.into());
                    return None;
                }
                Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends without waiting for the answer; the request's number.
    pub async fn send(&mut self, body: ClientBody) -> u64 {
        self.next_request += 1;
        let request = self.next_request;
        self.raw(ClientFrame { request, body }.encode()).await;
        request
    }

    /// Sends what wants no answer.
    pub async fn tell(&mut self, body: ClientBody) {
        self.raw(ClientFrame { request: 0, body }.encode()).await;
    }

    /// Sends any bytes as a message.
    pub async fn raw(&mut self, bytes: Bytes) {
        // Whoever was closed notices when reading.
        let _ = self.socket.send(Message::Binary(bytes)).await;
    }

    /// Sends bytes past the WebSocket: its headers, lengths and masks are the caller's.
    pub async fn bare(&mut self, bytes: &[u8]) {
        let stream = self.socket.get_mut();
        // Whoever was closed notices when reading.
        let _ = stream.write_all(bytes).await;
        let _ = stream.flush().await;
    }

    /// Asks and waits for the answer; what comes unasked meanwhile is kept.
    pub async fn ask(&mut self, body: ClientBody) -> ServerBody {
        let request = self.send(body).await;
        loop {
            match self.frame().await {
                Some(frame) if frame.request == request => return frame.body,
                Some(frame) => self.unasked.push_back(frame.body),
                None => panic!("the box closed instead of answering"),
            }
        }
    }

    /// The next thing that comes unasked.
    pub async fn unasked(&mut self) -> ServerBody {
        if let Some(body) = self.unasked.pop_front() {
            return body;
        }
        self.frame().await.expect("the box stays").body
    }

    /// The next refusal; what comes before it is dropped.
    pub async fn unasked_error(&mut self) -> ServerBody {
        loop {
            let body = self.unasked().await;
            if matches!(body, ServerBody::Error { .. }) {
                return body;
            }
        }
    }

    /// Waits for the end of the connection; the last error that was told, if one was.
    pub async fn closed(&mut self) -> Option<Code> {
        let mut last = None;
        while let Some(frame) = self.frame().await {
            last = code_of(&frame.body).or(last);
        }
        last
    }

    /// The connection goes on: it answers a ping.
    pub async fn assert_open(&mut self) {
        assert_eq!(self.ask(ClientBody::Ping).await, ServerBody::Pong);
    }
}

/// The code of an error; `None` for any other frame.
pub fn code_of(body: &ServerBody) -> Option<Code> {
    match body {
        ServerBody::Error { code, .. } => Some(Code::from_number(*code).expect("a code of this version")),
        _ => None,
    }
}

fn empty_hello() -> Hello {
    Hello {
        identity: hob_protocol::ids::BoxIdentity([0; 32]),
        signature: Bytes::new(),
        epoch: 0,
        lost_windows: Vec::new(),
        limits: hob_protocol::frame::Limits {
            ttl_max: Duration::ZERO,
            ttl_min: Duration::ZERO,
            mailbox_envelopes: 0,
            mailbox_bytes: 0,
            token_burst: 0,
            token_per_second: 0,
            credit_max: 0,
            bundle_fetches_per_hour: 0,
            tokens_per_mailbox: 0,
        },
        address_record: None,
    }
}
