//! A connection to a box as a member's device makes it: TLS, WebSocket, hello; and the hello's signature is checked.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hob_protocol::frame::{ServerBody, ServerFrame};
use hob_protocol::ids::BoxIdentity;
use hob_protocol::limits::{FRAME_BYTES_MAX, SUBPROTOCOL};
use hob_protocol::transcript::{EXPORTER_LABEL, Exporter, server};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use tungstenite::Message;
use tungstenite::client::{IntoClientRequest as _, client_with_config};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::WebSocketConfig;

/// From this machine to itself everything is near.
const EACH_STEP_WITHIN: Duration = Duration::from_secs(5);

/// Who answers at an address.
///
/// # Errors
/// In words: nobody does, or what answers is no box.
pub fn hello(address: SocketAddr) -> Result<BoxIdentity, String> {
    let stream = connect(address).map_err(|error| error.to_string())?;
    let mut connection = client_connection().map_err(|error| error.to_string())?;
    let mut socket = &stream;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).map_err(|error| format!("TLS fails: {error}"))?;
    }
    let exporter: [u8; 32] =
        connection.export_keying_material([0; 32], EXPORTER_LABEL, None).map_err(|error| error.to_string())?;
    let shown = connection.peer_certificates().and_then(|chain| chain.first()).ok_or("it shows no certificate")?;
    let spki = ParsedCertificate::try_from(shown).map_err(|error| error.to_string())?.subject_public_key_info();
    let frame = first_frame(StreamOwned::new(connection, stream), address)?;
    let ServerBody::Hello(hello) = frame.body else { return Err("it does not say hello".to_owned()) };
    if server(&Exporter(exporter), &spki).is_signed_by(hello.identity.as_bytes(), &hello.signature) {
        Ok(hello.identity)
    } else {
        Err("its hello is not signed for this connection: something sits between".to_owned())
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, EACH_STEP_WITHIN)?;
    stream.set_read_timeout(Some(EACH_STEP_WITHIN))?;
    stream.set_write_timeout(Some(EACH_STEP_WITHIN))?;
    Ok(stream)
}

fn first_frame(stream: StreamOwned<ClientConnection, TcpStream>, address: SocketAddr) -> Result<ServerFrame, String> {
    let mut request = format!("wss://{address}/v1/socket").into_client_request().map_err(|error| error.to_string())?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
    let limits =
        WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX));
    let (mut socket, _) =
        client_with_config(request, stream, Some(limits)).map_err(|error| format!("no WebSocket: {error}"))?;
    let frame = match socket.read() {
        Ok(Message::Binary(bytes)) => ServerFrame::decode(bytes).map_err(|error| error.to_string()),
        Ok(_) => Err("it does not say hello".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    // Whether the goodbye arrives does not matter.
    let _ = socket.close(None);
    let _ = socket.flush();
    frame
}

fn client_connection() -> Result<ClientConnection, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from("hob.invalid").map_err(|_| rustls::Error::General("no name".to_owned()))?;
    ClientConnection::new(Arc::new(config), name)
}

/// Takes any certificate whose key the other end holds: who it is, the hello says.
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
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
