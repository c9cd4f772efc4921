//! TLS 1.3, and nothing older.
//!
//! The certificate is only what the protocol asks for: what clients trust is the box's identity, which signs every
//! connection's exporter together with the certificate's key. So there are no tickets and no sessions to resume: each
//! would link two connections that must not be linked.

use std::sync::Arc;

use hob_protocol::planted;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;

use crate::identity::Identity;

/// The TLS settings of the endpoint.
///
/// # Errors
/// If the certificate and its key do not fit each other.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = identity.certificates_der.iter().cloned().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::try_from(identity.certificate_key_der.to_vec());
    let key = key.map_err(|why| rustls::Error::General(why.to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    if !planted!("tickets") {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
