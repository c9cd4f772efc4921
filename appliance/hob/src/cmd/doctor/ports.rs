//! The members' port: of a running box it must answer, of a stopped one it must be free.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use crate::addresses;
use crate::cmd::doctor::finding::Finding;
use crate::cmd::doctor::patient::{Asked, Patient};
use crate::cmd::doctor::{probe, proc};
use crate::control::wire::CareView;

const CHECK: &str = "ports";

/// Looks at the ports.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    match (&patient.care, &patient.asked) {
        (Some(care), _) => {
            findings.push(reach(care));
            findings.extend(figures(patient, care));
        }
        (None, Asked::Trouble(why)) => findings.push(Finding::wrong(
            CHECK,
            format!("a box holds the folder, and does not answer the keeper: {why}"),
            "look at its log (`journalctl -u hob`), and start it again",
        )),
        (None, _) => findings.push(is_free(patient.config.listen)),
    }
}

/// A connection as a member's device makes it, to the box itself.
fn reach(care: &CareView) -> Finding {
    let Ok(listening_on) = care.listening_on.parse::<SocketAddr>() else {
        return Finding::wrong(CHECK, "the box does not tell its port", "use a `hob` of the same version as the box");
    };
    let address = addresses::from_here(listening_on);
    let began = Instant::now();
    match probe::hello(address) {
        Err(why) => Finding::wrong(
            CHECK,
            format!("the box does not answer at {address}: {why}"),
            "look whether a firewall of this machine closes the port, and at the box's log",
        ),
        Ok(identity) if identity.to_string() == care.identity => Finding::ok(
            CHECK,
            format!(
                "{address} answers as this box within {} ms; whether others reach it, only they can tell",
                began.elapsed().as_millis()
            ),
        ),
        Ok(_) => Finding::wrong(
            CHECK,
            format!("another box answers at {address}: its identity is not this one's"),
            "stop one of the two, or give them different ports with --listen",
        ),
    }
}

/// The box goes on without its port for figures; the keeper may wonder.
fn figures(patient: &Patient, care: &CareView) -> Option<Finding> {
    let wanted = patient.config.metrics?;
    care.metrics.is_none().then(|| {
        Finding::look(
            CHECK,
            format!("metrics.listen is set, and the box could not open {wanted}{}", held_by(wanted.port())),
            "choose another port for metrics.listen, and restart the box",
        )
    })
}

fn held_by(port: u16) -> String {
    let inodes = proc::listeners_on(port);
    match (inodes.is_empty(), proc::holder_of(&inodes)) {
        (true, _) => String::new(),
        (false, Some((pid, name))) => format!(": {name} (process {pid}) has it"),
        (false, None) => ": a program of another user has it".to_owned(),
    }
}

fn is_free(address: SocketAddr) -> Finding {
    let port = address.port();
    if port == 0 {
        return Finding::ok(CHECK, "any free port will be taken");
    }
    let inodes = proc::listeners_on(port);
    match (proc::holder_of(&inodes), bind(address)) {
        (Some((1, name)), _) => Finding::ok(CHECK, format!("port {port} is held by {name}, for the box, it seems")),
        (Some((pid, name)), Err(_)) => Finding::wrong(
            CHECK,
            format!("port {port} is taken by {name} (process {pid})"),
            "stop that program, or choose another port with --listen",
        ),
        (None, Err(error)) if error.kind() == io::ErrorKind::AddrInUse => Finding::wrong(
            CHECK,
            format!("port {port} is taken by a program of another user"),
            format!("find it as root (`ss -ltnp sport = :{port}`), or choose another port with --listen"),
        ),
        (None, Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Finding::wrong(
            CHECK,
            format!("this user may not listen on port {port}"),
            "choose one above 1023 with --listen",
        ),
        (None, Err(error)) => Finding::wrong(
            CHECK,
            format!("{address} cannot be listened on: {error}"),
            "choose an address of this machine with --listen",
        ),
        (_, Ok(())) => Finding::ok(CHECK, format!("port {port} is free")),
    }
}

/// Takes the address as the box would, without listening: nobody can connect meanwhile.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    #[test]
    fn a_taken_port_is_wrong_and_names_who_has_it_and_a_free_one_stays_free() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let taken = is_free(address);
        assert_eq!(taken.verdict, Verdict::Wrong);
        assert!(taken.says.contains(&format!("process {}", std::process::id())), "{}", taken.says);
        drop(listener);
        assert_eq!(is_free(address).verdict, Verdict::Ok);
        assert!(std::net::TcpListener::bind(address).is_ok(), "the doctor does not keep it");
    }
}
