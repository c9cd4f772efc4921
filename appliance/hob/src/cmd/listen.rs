//! Opens the ports that strangers and figures come in by.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel holds until the box takes them: a flood must not push a member out.
const BACKLOG: i32 = 1024;

/// A port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has it.
    #[error("port {port} is in use by another program: stop that one, or choose another with --listen")]
    InUse {
        /// The port.
        port: u16,
    },
    /// This user may not.
    #[error("this user may not listen on port {port}: choose one above 1023 with --listen")]
    NotAllowed {
        /// The port.
        port: u16,
    },
    /// A socket that is there cannot be used.
    #[error("the system gives no descriptor for the port: let it open more files (LimitNOFILE, ulimit -n)")]
    NoDescriptor(#[from] io::Error),
    /// The address is not this machine's, or something else.
    #[error("cannot listen on {address}: choose an address of this machine with --listen")]
    Other {
        /// What was asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Listens. `[::]` takes IPv4 too, and is 0.0.0.0 on a machine without IPv6.
///
/// # Errors
/// [`ListenError`].
pub fn on(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let error = match open(address) {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let no_ipv6 = error.raw_os_error().is_some_and(|code| {
        code == rustix::io::Errno::AFNOSUPPORT.raw_os_error() || code == rustix::io::Errno::ADDRNOTAVAIL.raw_os_error()
    });
    if no_ipv6 && address.is_ipv6() && address.ip().is_unspecified() {
        let ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
        return open(ipv4).map_err(|error| explain(ipv4, error));
    }
    Err(explain(address, error))
}

fn explain(address: SocketAddr, source: io::Error) -> ListenError {
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { port: address.port() },
        io::ErrorKind::PermissionDenied => ListenError::NotAllowed { port: address.port() },
        _ => ListenError::Other { address, source },
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A box that comes back takes its port at once, though old connections still linger in the kernel.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_box_on_all_interfaces_takes_ipv4_too() {
        let listener = on("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let first = on("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = on(first.local_addr().unwrap()).unwrap_err();
        assert!(matches!(error, ListenError::InUse { .. }), "{error}");
    }
}
