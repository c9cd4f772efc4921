//! Listening sockets that outlive a program: handed over by the service manager (`LISTEN_FDS`, sd_listen_fds(3)), or by
//! the box to the program that takes its place. So no connection attempt is refused while one program follows the other.
//!
//! What is handed over must lie at descriptor 3 and following. Those places are taken at the start, before anything else
//! can have them, and filled just before the next program begins.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use listenfd::ListenFd;
use rustix::io::FdFlags;

/// The first descriptor that is handed over (sd_listen_fds(3)).
const FIRST: i32 = 3;

/// More than any unit of a box has.
const HANDED_MAX: usize = 8;

/// What the box calls sockets that it opened itself and hands to its next program.
const KEPT: &str = "kept";

/// The listening sockets, and the places to hand them over.
#[derive(Debug)]
pub struct Sockets {
    /// Descriptors 3, 4, …; without a gap.
    places: Vec<OwnedFd>,
    /// Where members come in.
    main: Vec<TcpListener>,
    /// Whether the service manager opened them.
    activated: bool,
}

impl Sockets {
    /// Takes what was handed over, and the places. To be called before any thread begins and any file is opened.
    pub fn take() -> Self {
        let (handed, activated) = take_handed();
        let mut main = Vec::new();
        let mut places: Vec<OwnedFd> = Vec::new();
        for listener in handed {
            if let Ok(clone) = listener.try_clone() {
                main.push(clone);
            }
            places.push(listener.into());
        }
        fill_up(&mut places);
        Self { places, main, activated }
    }

    /// Whether the service manager opened the ports.
    pub const fn is_activated(&self) -> bool {
        self.activated
    }

    /// Where members come in: what was handed over, or what `open` opens. Sockets that the box kept from its last program
    /// are used only if they are still those that the settings want; the service manager's always are.
    ///
    /// # Errors
    /// As `open` says, or the system gives no descriptor.
    pub fn main<E: From<io::Error>>(
        &mut self,
        wanted: SocketAddr,
        open: impl FnOnce(SocketAddr) -> Result<TcpListener, E>,
    ) -> Result<Vec<TcpListener>, E> {
        if !self.activated {
            self.main.retain(|kept| kept.local_addr().is_ok_and(|address| is_as_wanted(address, wanted)));
        }
        if self.main.is_empty() {
            self.main.push(open(wanted)?);
        }
        let clones: io::Result<Vec<TcpListener>> = self.main.iter().map(TcpListener::try_clone).collect();
        Ok(clones?)
    }

    /// Puts a program in the place of this one, with the sockets. Comes back only if that cannot be.
    pub fn exec(&mut self, mut program: Command) -> io::Error {
        let count = match self.fill_places() {
            Ok(count) => count,
            Err(error) => return error,
        };
        if count > 0 {
            let name = if self.activated { "main" } else { KEPT };
            program.env("LISTEN_PID", std::process::id().to_string());
            program.env("LISTEN_FDS", count.to_string());
            program.env("LISTEN_FDNAMES", vec![name; count].join(":"));
        }
        let error = program.exec();
        for place in &self.places {
            // Children of this program, which goes on, have no business with them.
            let _ = rustix::io::fcntl_setfd(place, FdFlags::CLOEXEC);
        }
        error
    }

    /// How many sockets lie at their places; 0 where the places could not be had: then the next program opens its own.
    fn fill_places(&mut self) -> io::Result<usize> {
        if self.places.len() < self.main.len() {
            tracing::warn!("the port cannot be handed over: for a moment connections will be refused");
            return Ok(0);
        }
        for (place, listener) in self.places.iter_mut().zip(&self.main) {
            // The copy has no close-on-exec flag.
            rustix::io::dup2(listener, place)?;
        }
        Ok(self.main.len())
    }
}

fn is_as_wanted(kept: SocketAddr, wanted: SocketAddr) -> bool {
    let port = wanted.port() == 0 || wanted.port() == kept.port();
    // [::] is 0.0.0.0 on a machine without IPv6.
    port && (kept.ip() == wanted.ip() || (kept.ip().is_unspecified() && wanted.ip().is_unspecified()))
}

fn take_handed() -> (Vec<TcpListener>, bool) {
    let count = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<usize>().ok());
    if count.is_none_or(|count| count > HANDED_MAX) {
        return (Vec::new(), false);
    }
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut handed = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..handed.len() {
        // Left in place, what is no listening TCP socket would make a gap, which nothing behind it survives.
        match handed.take_tcp_listener(index) {
            Ok(Some(listener)) if listens(&listener) => listeners.push(listener),
            _ => break,
        }
    }
    let activated = !listeners.is_empty() && names.split(':').next() != Some(KEPT);
    (listeners, activated)
}

fn listens(listener: &TcpListener) -> bool {
    rustix::net::sockopt::socket_acceptconn(listener.as_fd()).unwrap_or(false)
}

/// Takes the places behind those that are filled, with something that does no harm.
fn fill_up(places: &mut Vec<OwnedFd>) {
    let Ok(nothing) = File::open("/dev/null") else { return };
    // Opening may itself have taken the next place: what is asked for is then one further, and it moves there below.
    let mut nothing = OwnedFd::from(nothing);
    while places.len() < HANDED_MAX {
        let next = FIRST + i32::try_from(places.len()).unwrap_or(0);
        if nothing.as_raw_fd() == next {
            let Ok(other) = rustix::io::fcntl_dupfd_cloexec(&nothing, next + 1) else { return };
            places.push(std::mem::replace(&mut nothing, other));
            continue;
        }
        match rustix::io::fcntl_dupfd_cloexec(&nothing, next) {
            Ok(place) if place.as_raw_fd() == next => places.push(place),
            // Somebody else's descriptor lies there.
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_socket_is_used_while_the_settings_still_want_it() {
        let kept = "127.0.0.1:8443".parse().unwrap();
        for wanted in ["127.0.0.1:8443", "127.0.0.1:0"] {
            assert!(is_as_wanted(kept, wanted.parse().unwrap()), "{wanted}");
        }
        for other in ["127.0.0.1:9443", "[::]:8443", "192.0.2.1:8443"] {
            assert!(!is_as_wanted(kept, other.parse().unwrap()), "{other}");
        }
        assert!(is_as_wanted("0.0.0.0:8443".parse().unwrap(), "[::]:8443".parse().unwrap()));
    }
}
