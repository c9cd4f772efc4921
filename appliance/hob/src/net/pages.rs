//! HTTP: the upgrade to WebSocket, `/join`, the API, and clear answers to everything else.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hob_protocol::limits::{FRAME_BYTES_MAX, SUBPROTOCOL};
use hob_protocol::planted;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tungstenite::handshake::derive_accept_key;

use crate::engine::Engine;
use crate::net::api::{self, Api};
use crate::net::connection;
use crate::net::listen::Handshake;
use crate::net::patience::Patient;
use crate::net::websocket::WebSocket;

const JOIN_PAGE: &str = include_str!("join.html");

/// All that HTTP reaches on the members' port.
pub fn router(engine: Engine, api: Api) -> Router {
    Router::new()
        .route("/v1/socket", get(socket))
        .route("/join", get(join))
        .method_not_allowed_fallback(api::wrong_method)
        .with_state(engine)
        .merge(api::router(api))
        .fallback(nothing_here)
        .layer(from_fn(clear_head))
}

/// What to do with an invitation, for somebody who opened its link in a browser.
async fn join() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'sha256-G83KNSJtpe8UeiB04TSMq6cXZ7LFdpFOMsdBIlTfJAQ='; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, JOIN_PAGE).into_response()
}

async fn nothing_here(uri: Uri) -> Response {
    if uri.path().starts_with("/v1/") {
        return api::no_such_path();
    }
    (StatusCode::NOT_FOUND, "Nothing is here. Members' programs use /v1/socket; /join says how to join.\n")
        .into_response()
}

/// The WebSocket handshake (RFC 6455, section 4.2).
async fn socket(State(engine): State<Engine>, mut request: Request) -> Response {
    let key = match check_upgrade(request.headers()) {
        Ok(key) => key,
        Err((status, why)) => return no_upgrade(status, why),
    };
    let chosen = offers_subprotocol(request.headers());
    let handshake = request.extensions().get::<Handshake>().cloned();
    if handshake.as_ref().is_some_and(|handshake| !handshake.manners.is_fresh()) {
        // What the two are may not be linked, and what a socket is it shows itself (RFC 9110, section 15.5.20).
        let why = "this connection was used for single requests: open another\n";
        return (StatusCode::MISDIRECTED_REQUEST, [(header::CONNECTION, "close")], why).into_response();
    }
    let (Some(handshake), Some(upgrade)) = (handshake, request.extensions_mut().remove::<OnUpgrade>()) else {
        return (StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded\n").into_response();
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            start(engine, upgraded, handshake);
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if chosen {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    response
}

fn no_upgrade(status: StatusCode, why: &'static str) -> Response {
    let mut response = (status, [(header::SEC_WEBSOCKET_VERSION, "13")], why).into_response();
    if status == StatusCode::UPGRADE_REQUIRED {
        // RFC 9110, sections 15.5.22 and 7.8.
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    response
}

/// A fresh, small task takes the bare TLS stream: the one that served the request gives its buffers back.
fn start(engine: Engine, upgraded: Upgraded, handshake: Handshake) {
    let Ok(parts) = upgraded.downcast::<TokioIo<Patient<TlsStream<TcpStream>>>>() else { return };
    let pass = handshake.pass.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(pass) = pass else { return };
    let socket = WebSocket::new(parts.io.into_inner().into_inner(), &parts.read_buf, FRAME_BYTES_MAX);
    let Handshake { exporter, signature, witness, .. } = handshake;
    tokio::spawn(Box::pin(connection::run(engine, socket, pass, witness, exporter, signature)));
}

fn check_upgrade(headers: &HeaderMap) -> Result<HeaderValue, (StatusCode, &'static str)> {
    let says = |name: header::HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(wanted)))
    };
    if !says(header::CONNECTION, "upgrade") || !says(header::UPGRADE, "websocket") {
        return Err((StatusCode::UPGRADE_REQUIRED, "this address is for WebSocket (RFC 6455)\n"));
    }
    if !says(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err((StatusCode::UPGRADE_REQUIRED, "WebSocket version 13 is spoken here\n"));
    }
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) && !offers_subprotocol(headers) {
        return Err((StatusCode::BAD_REQUEST, "the subprotocol hob.v1 is spoken here\n"));
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_key(key) => Ok(key.clone()),
        _ => Err((StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing or no key\n")),
    }
}

/// 16 bytes in base64 (RFC 6455, section 4.1).
fn is_key(key: &HeaderValue) -> bool {
    data_encoding::BASE64.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16)
}

/// What a request means must be clear: what lies between us and a client must not read another one, or two.
async fn clear_head(request: Request, next: Next) -> Response {
    if !names_one_host(&request) {
        return api::unclear("one Host header with a name or address belongs there");
    }
    if !body_has_one_reading(request.headers()) && !planted!("codings-as-they-come") {
        return api::unclear("the only Transfer-Encoding here is: chunked");
    }
    next.run(request).await
}

/// RFC 9112, section 3.2.
fn names_one_host(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, None) => request.version() < Version::HTTP_11,
        (Some(host), None) => host.to_str().is_ok_and(is_host),
        _ => false,
    }
}

/// RFC 9112, section 6.1.
fn body_has_one_reading(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, None) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

fn is_host(host: &str) -> bool {
    let port_is_number = |authority: &Authority| {
        authority.as_str().ends_with(']') || {
            let port = authority.as_str().rsplit_once(':').map_or("", |(_, port)| port);
            port.bytes().all(|digit| digit.is_ascii_digit())
        }
    };
    host.is_empty() || host.parse().is_ok_and(|host: Authority| !host.as_str().contains('@') && port_is_number(&host))
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|word| word.trim() == SUBPROTOCOL))
}
