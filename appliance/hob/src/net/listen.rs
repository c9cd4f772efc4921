//! Sockets in, one task a connection.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hob_protocol::planted;
use hob_protocol::transcript::{EXPORTER_LABEL, Exporter, server};
use hob_relay::activity::Kind;
use hob_relay::gate::{GateConfig, Prefix};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::engine::Engine;
use crate::net::api::Api;
use crate::net::api::manners::Manners;
use crate::net::api::sessions::NoKeys;
use crate::net::door::{Door, Pass};
use crate::net::patience::Patient;
use crate::net::witness::{Watch, Witness};
use crate::net::{pages, tls};

/// Handshakes computed at the same time: each needs memory for its duration.
const HANDSHAKES_MAX: usize = 32;

/// How long a handshake keeps its place among those. One that is slower goes on without: it waits for the other side,
/// and nobody may hold up the others by not speaking.
const HANDSHAKE_PLACE_FOR: Duration = Duration::from_millis(100);

/// How long a connection has for its TLS handshake, and again for its request's headers.
const SLOW_AFTER: Duration = Duration::from_secs(10);

/// How long an answer may go unread.
const UNREAD_FOR: Duration = Duration::from_secs(30);

/// How long the box waits when it has no descriptor left for a new connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);

/// What every connection shares.
pub struct Endpoint {
    pub(crate) engine: Engine,
    spki: Vec<u8>,
    tls: Arc<ServerConfig>,
    door: Arc<Door>,
    handshakes: Semaphore,
    router: axum::Router,
    watch: Arc<Watch>,
}

/// One connection's own part of the handshake, for whoever answers its request.
#[derive(Clone)]
pub struct Handshake {
    pub(crate) exporter: Exporter,
    /// The identity's signature over this connection.
    pub(crate) signature: bytes::Bytes,
    pub(crate) pass: Arc<std::sync::Mutex<Option<Pass>>>,
    /// What was said on this connection so far.
    pub(crate) manners: Arc<Manners>,
    /// Notes what is unusual.
    pub(crate) witness: Witness,
}

/// The endpoint cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The certificate and its key do not fit each other.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// No keys can be made for sessions.
    #[error(transparent)]
    NoKeys(#[from] NoKeys),
}

impl Endpoint {
    /// Prepares an endpoint.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn new(engine: Engine, gate: GateConfig, watch: Arc<Watch>) -> Result<Arc<Self>, EndpointError> {
        let tls = tls::server_config(engine.identity())?;
        let spki = engine.identity().spki.clone();
        let door = Door::open(gate, engine.clocks());
        let handshakes = Semaphore::new(HANDSHAKES_MAX);
        let router = pages::router(engine.clone(), Api::new(engine.clone())?);
        Ok(Arc::new(Self { engine, spki, tls, door, handshakes, router, watch }))
    }
}

/// Accepts connections until the future is dropped.
pub async fn serve(endpoint: Arc<Endpoint>, listeners: Vec<std::net::TcpListener>) -> io::Result<()> {
    let mut loops = tokio::task::JoinSet::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        loops.spawn(accept(Arc::clone(&endpoint), listener));
    }
    while loops.join_next().await.is_some() {}
    Ok(())
}

async fn accept(endpoint: Arc<Endpoint>, listener: TcpListener) {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                told = false;
                let pass = arrive(&endpoint, from);
                let witness = endpoint.watch.of(from.ip());
                tokio::spawn(connection(Arc::clone(&endpoint), stream, pass, witness));
            }
            Err(error) => {
                // Out of descriptors: those who are here are served, newcomers wait in the kernel's queue.
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "cannot accept a connection; more open files would help");
                }
                tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
            }
        }
    }
}

fn arrive(endpoint: &Endpoint, from: SocketAddr) -> Pass {
    endpoint.door.arrive(Prefix::of(from.ip()), endpoint.engine.next_conn())
}

async fn connection(endpoint: Arc<Endpoint>, stream: TcpStream, mut pass: Pass, witness: Witness) {
    if !pass.admitted().await {
        return;
    }
    let spoke = AtomicBool::new(false);
    let Some((tls, pass)) = shake_hands(&endpoint, stream, pass, &spoke).await else {
        // Whoever only looks whether the port is open is nobody to be told of.
        if spoke.load(Ordering::Relaxed) {
            witness.saw(Kind::Handshake);
        }
        return;
    };
    let Some(exporter) = exporter_of(&tls) else { return };
    let signed = if planted!("hello-of-another-connection") { Exporter([0; 32]) } else { exporter };
    let signature = server(&signed, &endpoint.spki).sign(&endpoint.engine.identity().key);
    let signature = bytes::Bytes::copy_from_slice(&signature);
    let leaving = pass.leaving();
    let pass = Arc::new(std::sync::Mutex::new(Some(pass)));
    let manners = Arc::new(Manners::new(Arc::clone(&pass), Some(witness.clone())));
    let handshake = Handshake { exporter, signature, pass, manners: Arc::clone(&manners), witness };
    let router = endpoint.router.clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(handshake.clone());
        tower::ServiceExt::oneshot(router.clone(), request)
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SLOW_AFTER)
        .max_buf_size(16 << 10)
        .half_close(false)
        .serve_connection(TokioIo::new(Patient::new(tls, UNREAD_FOR)), service)
        .with_upgrades();
    tokio::select! {
        // A connection that breaks is the other side's business.
        _ = serving => {}
        () = leaving => {}
        () = shows_nothing(&manners, endpoint.engine.unproven_for()) => {}
    }
}

/// Ends when a connection had its time and showed nothing good; never, once it did.
async fn shows_nothing(manners: &Manners, for_as_long: Duration) {
    tokio::time::sleep(for_as_long).await;
    if manners.is_established() {
        std::future::pending::<()>().await;
    }
}

async fn shake_hands(
    endpoint: &Endpoint,
    stream: TcpStream,
    mut pass: Pass,
    spoke: &AtomicBool,
) -> Option<(TlsStream<TcpStream>, Pass)> {
    // Small frames wait for nothing; a device that vanished is noticed within minutes.
    let _ = stream.set_nodelay(true);
    let _ = keep_alive(&stream);
    let mut stream = Some(stream);
    let shake = async {
        let stream_ref = stream.as_ref()?;
        let mut first = [0; 1];
        if stream_ref.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        spoke.store(true, Ordering::Relaxed);
        let mut stream = stream.take()?;
        if first[0].is_ascii_uppercase() {
            explain_plain_http(&mut stream).await;
            return None;
        }
        // The client's hello is waited for without a place: whoever opens connections and says nothing takes none.
        let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await.ok()?;
        let place = endpoint.handshakes.acquire().await.ok()?;
        let mut accepting = pin!(hello.into_stream(Arc::clone(&endpoint.tls)));
        match tokio::time::timeout(HANDSHAKE_PLACE_FOR, &mut accepting).await {
            Ok(accepted) => accepted.ok(),
            Err(_) => {
                drop(place);
                accepting.await.ok()
            }
        }
    };
    tokio::select! {
        tls = tokio::time::timeout(SLOW_AFTER, shake) => tls.ok().flatten().map(|tls| (tls, pass)),
        () = pass.must_leave() => None,
    }
}

/// A device or a browser that vanished is noticed within minutes.
pub fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let keep_alive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(240))
        .with_interval(Duration::from_secs(30))
        .with_retries(4);
    socket2::SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}

/// Somebody speaks plain HTTP to the TLS port: a sentence helps more than a broken connection.
pub async fn explain_plain_http(stream: &mut TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
        Content-Length: 63\r\n\r\nThis is a Hob box. It speaks https only: write https:// first.\n";
    let _ = stream.write_all(ANSWER).await;
    let _ = stream.shutdown().await;
}

/// RFC 9266, section 4.2.
fn exporter_of(tls: &TlsStream<TcpStream>) -> Option<Exporter> {
    tls.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, None).ok().map(Exporter)
}
