//! Who is let near the dashboard at all, and what every answer carries.
//!
//! Only private networks; only names of this box, so that no web page can pose as it by pointing its own name here (DNS
//! rebinding). An address in digits cannot be pointed elsewhere, so a private one is always taken: behind a container's
//! port the box does not know its own.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hob_admin_ui::Chrome;
use hob_admin_ui::view::error::{Failed, Failure};

use crate::admin::Admin;

/// Everything comes from the box itself, nothing is inline, nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Whether an address is of this machine or a private network: loopback, RFC 1918, link-local (RFC 3927, RFC 4291), unique
/// local (RFC 4193).
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || is_unique_or_link_local(ip),
    }
}

const fn is_unique_or_link_local(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
}

/// Refuses strangers and foreign names before anything is looked at, and marks every answer.
pub async fn watch(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let host = host_of(&request);
    let answer = if !peer.is_some_and(|Peer(ip)| is_private(ip)) {
        failure(StatusCode::FORBIDDEN, Failed::PublicAddress)
    } else if !is_own_host(&admin, host.as_deref()).await {
        failure(StatusCode::MISDIRECTED_REQUEST, Failed::WrongHost)
    } else {
        next.run(request).await
    };
    marked(answer)
}

/// A page for somebody of whom nothing is known.
pub fn failure(status: StatusCode, failed: Failed) -> Response {
    let page = Failure { failed, back: None }.render(&Chrome::default());
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// Adds what every answer carries. An answer that may be kept says so itself.
pub fn marked(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), same_origin.clone());
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), same_origin);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// The host that a request is for: the request's own address wins over the header (RFC 9112, section 3.2.2).
pub fn host_of(request: &Request) -> Option<String> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str().to_owned(),
        None => hosts.next()?.to_str().ok()?.to_owned(),
    };
    (hosts.next().is_none() || request.uri().authority().is_some()).then(|| host.to_ascii_lowercase())
}

async fn is_own_host(admin: &Admin, host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let name = without_port(host);
    if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return is_private(ip) || admin.control.listening_on.ip() == ip || is_configured(admin, name);
    }
    if name == "localhost" || is_configured(admin, name) || is_machine(name) {
        return true;
    }
    let settings = admin.keeping().await.map(|keeping| keeping.settings).unwrap_or_default();
    settings.box_name.is_some_and(|box_name| is_local_name(name, &box_name))
}

/// Without the port, and without the dot at the end of a whole name.
fn without_port(host: &str) -> &str {
    let end = match host.rfind(':') {
        // The colons of an IPv6 address stand in brackets.
        Some(colon) if !host.get(colon..).is_some_and(|rest| rest.contains(']')) => colon,
        _ => host.len(),
    };
    host.get(..end).unwrap_or_default().trim_end_matches('.')
}

fn is_configured(admin: &Admin, name: &str) -> bool {
    admin.control.set_addresses.iter().any(|address| without_port(address.as_str()).eq_ignore_ascii_case(name))
}

/// The machine's own name, alone or in the home network.
fn is_machine(name: &str) -> bool {
    let uname = rustix::system::uname();
    let machine = uname.nodename().to_string_lossy().to_ascii_lowercase();
    !machine.is_empty() && (name == machine || is_local_name(name, &machine))
}

/// `the-box.local` for "The box!".
fn is_local_name(name: &str, box_name: &str) -> bool {
    let Some(name) = name.strip_suffix(".local") else { return false };
    let slug: String = box_name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let slug = slug.trim_matches('-');
    !slug.is_empty() && name == slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_private_networks_are_let_near() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.9",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:192.168.0.9",
        ] {
            assert!(is_private(near.parse().unwrap()), "{near}");
        }
        for far in [
            "8.8.8.8",
            "172.32.0.1",
            "100.64.0.1",
            "203.0.113.7",
            "0.0.0.0",
            "2001:db8::1",
            "::",
            "::ffff:8.8.8.8",
            "fec0::1",
            "224.0.0.1",
        ] {
            assert!(!is_private(far.parse().unwrap()), "{far}");
        }
    }

    #[test]
    fn a_host_is_its_name_without_the_port() {
        for (host, name) in [
            ("box.example:8444", "box.example"),
            ("box.example.", "box.example"),
            ("[::1]:8444", "[::1]"),
            ("[fd00::1]", "[fd00::1]"),
            ("192.168.1.2:8444", "192.168.1.2"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn the_boxs_name_is_known_in_the_home_network() {
        assert!(is_local_name("the-box.local", "The box!"));
        assert!(!is_local_name("the-box.local.evil.example", "The box!"));
        assert!(!is_local_name(".local", "!"));
        assert!(!is_local_name("the-box", "The box"));
    }
}
