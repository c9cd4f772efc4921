//! TLS as Hob uses it: version 1.3 alone, X25519MLKEM768 first, no tickets, no early data.
//!
//! The pin is not the certificate. Boxes make their own certificates and change them as they like; who a box *is* stands
//! in its hello, signed over this connection's exporter and this certificate's SPKI, and `hob-client` checks that before
//! anything secret is sent. So any certificate is taken here, but the other end must prove that it holds its key: without
//! that check the SPKI would be anybody's.

use std::sync::Arc;

use bytes::Bytes;
use hob_protocol::transcript::{EXPORTER_LABEL, Exporter};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, PeerIncompatible, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a handshake leaves for the core.
pub struct Handshake {
    /// The encrypted stream.
    pub stream: TlsStream<TcpStream>,
    /// Names this very connection.
    pub exporter: Exporter,
    /// The certificate's SubjectPublicKeyInfo, DER (RFC 5280, section 4.1.2.7).
    pub certificate_spki: Bytes,
}

/// Shakes hands.
///
/// # Errors
/// In words: no TLS 1.3, no certificate, a certificate that cannot be read.
pub async fn handshake(host: &str, stream: TcpStream) -> Result<Handshake, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let config = config().map_err(|error| error.to_string())?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| explain(&error))?;
    let (_, connection) = stream.get_ref();
    let exporter =
        connection.export_keying_material([0u8; 32], EXPORTER_LABEL, None).map_err(|error| error.to_string())?;
    let certificate =
        connection.peer_certificates().and_then(|chain| chain.first()).ok_or("it shows no certificate")?;
    let spki = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?.subject_public_key_info();
    Ok(Handshake { exporter: Exporter(exporter), certificate_spki: Bytes::copy_from_slice(&spki), stream })
}

/// Made anew for every connection: the owner's and the senders' share nothing by which a box could link them.
fn config() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn explain(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidMessage(_)) => "it does not speak TLS; is this the box's main port (8443)?".to_owned(),
        Some(Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig)) => {
            "it speaks no TLS 1.3".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Takes any certificate whose key the other end holds.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{NamedGroup, ServerConfig};

    use super::*;

    /// Shakes hands with a server that shows one certificate and has another's key, or its own.
    fn shake_hands_with_who_shows(certificate_is_its_own: bool) -> Result<(), String> {
        let [shown, held] = [0, 1].map(|_| rcgen::generate_simple_self_signed(vec!["hob".to_owned()]).unwrap());
        let key = if certificate_is_its_own { &shown } else { &held }.signing_key.serialize_der();
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&PrivatePkcs8KeyDer::from(key).into()).unwrap();
        let certified = CertifiedKey::new(vec![shown.cert.der().clone()], key);
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let accept = async {
                let (stream, _) = listener.accept().await.unwrap();
                tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(stream).await
            };
            let connect = async { handshake("127.0.0.1", TcpStream::connect(address).await.unwrap()).await };
            let (_, client) = tokio::join!(accept, connect);
            let client = client?;
            let shown = ParsedCertificate::try_from(shown.cert.der()).unwrap();
            assert_eq!(client.certificate_spki[..], shown.subject_public_key_info()[..]);
            let group = client.stream.get_ref().1.negotiated_key_exchange_group().unwrap().name();
            assert_eq!(group, NamedGroup::X25519MLKEM768);
            Ok(())
        })
    }

    #[test]
    fn whoever_shows_a_certificate_must_hold_its_key() {
        assert_eq!(shake_hands_with_who_shows(true), Ok(()));
        let refused = shake_hands_with_who_shows(false).unwrap_err();
        assert!(refused.contains("BadSignature"), "{refused}");
    }

    #[test]
    fn the_hybrid_key_exchange_is_offered_first_and_nothing_is_resumed() {
        let config = config().unwrap();
        let first = config.crypto_provider().kx_groups[0].name();
        assert_eq!(first, NamedGroup::X25519MLKEM768);
        assert!(!config.enable_early_data);
        assert!(format!("{:?}", config.resumption).contains("Disabled"), "{:?}", config.resumption);
    }
}
