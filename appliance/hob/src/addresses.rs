//! Where members can reach the box: what the keeper set, or else what the machine's interfaces say.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hob_protocol::address::Address;
use hob_protocol::limits::ADDRESSES_MAX;

/// The addresses for invitations and hellos: those that were set, the one that is listened on, or, where that is all
/// interfaces, up to three of this machine's. Never empty.
pub fn of_box(set: &[Address], listening_on: SocketAddr) -> Vec<Address> {
    if !set.is_empty() {
        return set.to_vec();
    }
    let port = listening_on.port();
    if !listening_on.ip().is_unspecified() {
        return vec![to_address(listening_on)];
    }
    let ipv4_only = listening_on.is_ipv4();
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| worth(*ip).is_some() && (ip.is_ipv4() || !ipv4_only))
        .collect();
    // Private ones first: most members are at home when they join.
    found.sort_by_key(|ip| (worth(*ip), *ip));
    found.dedup();
    found.truncate(ADDRESSES_MAX);
    if found.is_empty() {
        // No network yet. What is shown now works on this machine only, and a later invitation names more.
        found.push(IpAddr::from([127, 0, 0, 1]));
    }
    found.into_iter().map(|ip| to_address(SocketAddr::new(ip, port))).collect()
}

/// The address at which this machine itself reaches the box.
pub fn from_here(listening_on: SocketAddr) -> SocketAddr {
    let ip = match listening_on.ip() {
        // A socket on [::] takes IPv4 too, and every machine has 127.0.0.1.
        ip if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, listening_on.port())
}

fn to_address(address: SocketAddr) -> Address {
    // A socket address printed is host:port, so this parses; a zone ("%eth0") cannot be passed on.
    let plain = SocketAddr::new(address.ip(), address.port());
    Address::parse(&plain.to_string()).unwrap_or_else(|_| loopback(address.port()))
}

fn loopback(port: u16) -> Address {
    #[expect(clippy::expect_used, reason = "a literal of the right shape; the port of a bound socket is not 0")]
    Address::parse(&format!("127.0.0.1:{}", port.max(1))).expect("127.0.0.1 with a port is an address")
}

/// Lower is better; `None`: no use to anyone else.
fn worth(ip: IpAddr) -> Option<u8> {
    match ip {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() => None,
        IpAddr::V4(ip) if ip.is_private() => Some(0),
        IpAddr::V4(_) => Some(2),
        IpAddr::V6(ip) if ip.is_loopback() || is_link_local(ip) || ip.is_unspecified() => None,
        IpAddr::V6(ip) if is_global(ip) => Some(1),
        IpAddr::V6(_) => Some(3),
    }
}

/// `fe80::/10` (RFC 4291, section 2.5.6): good on one link and with a zone only.
const fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

/// `2000::/3` (RFC 4291, section 2.4).
const fn is_global(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_come_first_and_those_of_one_machine_or_link_not_at_all() {
        let order = |text: &str| worth(text.parse().unwrap());
        assert!(order("192.168.1.2") < order("2001:db8::1"));
        assert!(order("2001:db8::1") < order("203.0.113.9"));
        assert!(order("203.0.113.9") < order("fd00::1"));
        for useless in ["127.0.0.1", "::1", "fe80::1", "169.254.3.4", "::", "0.0.0.0"] {
            assert_eq!(order(useless), None, "{useless}");
        }
    }

    #[test]
    fn a_box_on_one_address_names_that_one_and_a_set_one_goes_before_it() {
        let listening = "[::1]:9".parse().unwrap();
        assert_eq!(of_box(&[], listening)[0].as_str(), "[::1]:9");
        let set = vec![Address::parse("box.example:8443").unwrap()];
        assert_eq!(of_box(&set, listening), set);
    }

    #[test]
    fn a_box_on_all_interfaces_names_one_to_three_addresses() {
        let found = of_box(&[], "[::]:8443".parse().unwrap());
        assert!((1..=ADDRESSES_MAX).contains(&found.len()));
        assert_eq!(from_here("[::]:8443".parse().unwrap()), "127.0.0.1:8443".parse().unwrap());
    }
}
