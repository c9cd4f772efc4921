//! The keeper's own certificate: browsers and JSON clients verify it, and nobody who pins the box notices it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hob_tests::boxes::{HobBox, Start};
use hob_tests::chat::ada_and_bob;
use hob_tests::wire::handshake_with;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// An authority, and files with a certificate of it for localhost.
struct Own {
    authority: CertificateDer<'static>,
    certificate: PathBuf,
    key: PathBuf,
}

fn own_certificate(folder: &Path) -> Own {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap().der().clone();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let write = |name: &str, pem: String| {
        let path = folder.join(name);
        std::fs::write(&path, pem).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    Own { authority, certificate: write("box.pem", leaf.pem()), key: write("box.key", key.serialize_pem()) }
}

fn start_with(own: &Own) -> Start {
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    Start::default().arg("--tls-certificate").arg(&path(&own.certificate)).arg("--tls-key").arg(&path(&own.key))
}

/// A client that trusts one authority and nothing else, as a platform does.
fn verifying(authority: &CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn verifies(hob: &HobBox, connector: &TlsConnector, name: &'static str) -> bool {
    let stream = TcpStream::connect(hob.address).await.unwrap();
    connector.connect(ServerName::try_from(name).unwrap(), stream).await.is_ok()
}

#[tokio::test]
async fn who_trusts_the_keepers_authority_verifies_the_box_and_who_trusts_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let own = own_certificate(folder.path());
    let mut hob = start_with(&own).fresh();
    assert!(verifies(&hob, &verifying(&own.authority), "localhost").await);
    assert!(!verifies(&hob, &verifying(&own.authority), "other.example").await);
    let other = tempfile::tempdir().unwrap();
    assert!(!verifies(&hob, &verifying(&own_certificate(other.path()).authority), "localhost").await);
    assert!(handshake_with(&hob_tests::wire::tls(), hob.address).await.is_ok());
    hob.assert_well();
}

#[test]
fn a_change_of_the_certificate_cuts_nobody_off_who_pins_the_box() {
    let folder = tempfile::tempdir().unwrap();
    let own = own_certificate(folder.path());
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    assert!(hob.stop().success());
    hob.start_again_as(&start_with(&own));
    bob.ok(&["send", "ada", "do you notice anything?", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["do you notice anything?"]);
    hob.assert_well();
}

#[test]
fn a_certificate_that_cannot_be_used_ends_the_start_with_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let own = own_certificate(folder.path());
    let other = tempfile::tempdir().unwrap();
    let start = start_with(&Own { key: own_certificate(other.path()).key, ..own });
    let said = start.over(&folder.path().join("data")).err().unwrap();
    assert!(said.contains("is not the certificate of"), "{said}");
    let said = Start::default().arg("--tls-key").arg("box.key").over(&folder.path().join("data")).err().unwrap();
    assert!(said.contains("go together"), "{said}");
}
