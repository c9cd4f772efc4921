//! The certificate of the TLS endpoint. Native clients pin the box's identity instead; browsers and JSON clients do not.

use std::fs;
use std::io;

use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::cmd::doctor::finding::{Finding, about};
use crate::cmd::doctor::patient::Patient;

const CHECK: &str = "certificate";

/// Whoever renews by hand needs some days.
const SOON_S: u64 = 14 * 86_400;

const RENEW: &str = "remove keys/tls.crt and keys/tls.key and restart: the box makes new ones, which cuts nobody off who \
                     uses hob-chat";

const RENEW_OWN: &str = "have it renewed by whoever made it, put it where tls.certificate and tls.key say, and restart";

/// Reads the certificate that the box shows.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    if let Some(own) = &patient.config.tls_certificate {
        use rustls::pki_types::pem::PemObject as _;
        let first = rustls::pki_types::CertificateDer::from_pem_file(own);
        findings.push(match first {
            Ok(der) => judge(&der, patient.unix_ms / 1000, RENEW_OWN),
            Err(_) => Finding::wrong(CHECK, "tls.certificate names no readable certificate in PEM", RENEW_OWN),
        });
        return;
    }
    let path = patient.data.join("keys").join("tls.crt");
    match fs::read(&path) {
        Ok(der) => findings.push(judge(&der, patient.unix_ms / 1000, RENEW)),
        // A start that ended early; the next one makes it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && patient.is_box() => {
            findings.push(Finding::ok(CHECK, "none yet; the next start makes one"));
        }
        // The rights are another check's business.
        Err(_) => {}
    }
}

/// What a certificate says of itself.
pub struct Read {
    /// Whoever shows it made it.
    pub is_self_made: bool,
    /// Names and addresses that it is for.
    pub names: Vec<String>,
    /// Its end, Unix seconds.
    pub ends_unix_s: u64,
}

/// Reads a certificate; `None`: it is none.
pub fn read(der: &[u8]) -> Option<Read> {
    let certificate = Certificate::from_der(der).ok()?;
    let content = certificate.tbs_certificate();
    Some(Read {
        is_self_made: content.issuer() == content.subject(),
        names: names(&certificate),
        ends_unix_s: content.validity().not_after.to_unix_duration().as_secs(),
    })
}

fn judge(der: &[u8], now_s: u64, renew: &'static str) -> Finding {
    let Ok(certificate) = Certificate::from_der(der) else {
        return Finding::wrong(CHECK, "it is no certificate", renew);
    };
    let content = certificate.tbs_certificate();
    let unix_s = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    let (from_s, until_s) = (unix_s(content.validity().not_before), unix_s(content.validity().not_after));
    let kind = if content.issuer() == content.subject() { "self-made" } else { "made by an authority" };
    let names = names(&certificate);
    let called = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    if now_s > until_s {
        let expired = about(now_s - until_s);
        return Finding::wrong(CHECK, format!("{kind}{called}, expired {expired} ago: browsers refuse it"), renew);
    }
    if now_s < from_s {
        return Finding::look(CHECK, format!("{kind}{called}, not good yet by this machine's clock"), "set the clock");
    }
    let left_s = until_s - now_s;
    if left_s < SOON_S {
        return Finding::look(CHECK, format!("{kind}{called}, good for {} only", about(left_s)), renew);
    }
    let pin = if kind == "self-made" { "; clients pin the box's identity, not this" } else { "" };
    Finding::ok(CHECK, format!("{kind}{called}, good for {}{pin}", about(left_s)))
}

/// DNS names and addresses that it is for, made harmless for a terminal; at most four.
fn names(certificate: &Certificate) -> Vec<String> {
    let Ok(Some((_, alternative))) = certificate.tbs_certificate().get_extension::<SubjectAltName>() else {
        return Vec::new();
    };
    let shown = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(crate::show::plain(name.as_str())),
        GeneralName::IpAddress(bytes) => match *bytes.as_bytes() {
            [a, b, c, d] => Some(std::net::Ipv4Addr::from([a, b, c, d]).to_string()),
            ref bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        },
        _ => None,
    };
    alternative.0.iter().filter_map(shown).take(4).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    /// 2027-01-15
    const NOW: u64 = 1_800_000_000;

    fn certificate(names: &[&str], until: (i32, u8, u8)) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn an_expired_certificate_is_wrong_one_that_expires_soon_is_worth_a_look_and_names_are_told() {
        let good = judge(&certificate(&["box.example", "192.0.2.7", "2001:db8::7"], (2030, 1, 1)), NOW, RENEW);
        assert_eq!(good.verdict, Verdict::Ok);
        assert!(good.says.contains("box.example, 192.0.2.7, 2001:db8::7"), "{}", good.says);
        assert_eq!(judge(&certificate(&["hob"], (2027, 1, 20)), NOW, RENEW).verdict, Verdict::Look);
        assert_eq!(judge(&certificate(&["hob"], (2027, 1, 10)), NOW, RENEW).verdict, Verdict::Wrong);
        assert_eq!(
            judge(&certificate(&["hob"], (2030, 1, 1)), 60, RENEW).verdict,
            Verdict::Look,
            "the clock stands in 1970"
        );
    }

    #[test]
    fn a_certificate_cut_at_any_byte_is_wrong_and_no_panic() {
        let whole = certificate(&["hob"], (2030, 1, 1));
        for end in 0..whole.len() {
            assert_eq!(judge(&whole[..end], NOW, RENEW).verdict, Verdict::Wrong, "cut at {end}");
        }
    }
}
