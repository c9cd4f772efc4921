//! Sockets in: TLS 1.3 as on the members' port, HTTP/1.1 inside, few connections, none of them slow.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::admin::guard::Peer;
use crate::admin::{Admin, pages};
use crate::net::listen::{explain_plain_http, keep_alive};
use crate::net::patience::Patient;
use crate::net::tls;

/// Connections at the same time: a browser opens six.
const CONNECTIONS_MAX: usize = 128;

/// Of one address: many, since behind a container's port everybody has the same one; but never all.
const PER_ADDRESS_MAX: usize = CONNECTIONS_MAX / 2;

/// How long a handshake, and then each request's headers, may take; between requests, too.
const SLOW_AFTER: Duration = Duration::from_secs(20);

/// How long an answer may go unread.
const UNREAD_FOR: Duration = Duration::from_secs(30);

/// How long the box waits when it has no descriptor left for a new connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);

/// Serves until the future is dropped.
///
/// # Errors
/// The certificate and its key do not fit each other.
pub async fn serve(admin: Arc<Admin>, listener: TcpListener) -> Result<(), rustls::Error> {
    let acceptor = TlsAcceptor::from(tls::server_config(admin.control.engine.identity())?);
    let router = pages::router(admin);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let guests = Guests::default();
    let mut told = false;
    loop {
        // Who comes while all places are taken waits in the kernel's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((stream, from)) => {
                told = false;
                let Some(guest) = guests.let_in(from.ip().to_canonical()) else { continue };
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    connection(acceptor, router, stream, from).await;
                    drop((place, guest));
                });
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "cannot accept a connection to the dashboard");
                }
                tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
            }
        }
    }
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; counted until dropped.
struct Guest {
    all: Guests,
    from: IpAddr,
}

impl Guests {
    /// Counts one more, unless the address has its part: whoever holds many must not keep others out.
    fn let_in(&self, from: IpAddr) -> Option<Guest> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(from).or_default();
        if *count >= PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Guest { all: self.clone(), from })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.from);
            }
        }
    }
}

async fn connection(acceptor: TlsAcceptor, router: axum::Router, mut stream: TcpStream, from: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let _ = keep_alive(&stream);
    let shake = async {
        let mut first = [0; 1];
        if stream.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        if first[0].is_ascii_uppercase() {
            explain_plain_http(&mut stream).await;
            return None;
        }
        acceptor.accept(stream).await.ok()
    };
    let Ok(Some(tls)) = tokio::time::timeout(SLOW_AFTER, shake).await else { return };
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(from.ip().to_canonical()));
        tower::ServiceExt::oneshot(router.clone(), request)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW_AFTER)
        .max_buf_size(32 << 10)
        .half_close(false)
        .serve_connection(TokioIo::new(Patient::new(tls, UNREAD_FOR)), service);
    // A connection that breaks is the other side's business.
    let _ = serving.await;
}
