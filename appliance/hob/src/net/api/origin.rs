//! Web pages: the box's own may use the API, those of other origins may not (RFC 6454, and CORS in the Fetch standard).
//!
//! A program that is no browser sends no `Origin` and is not concerned. No cookie is ever set, so nothing here protects
//! a session that comes by itself: it keeps a foreign page from using the box with what its visitor pasted into it, and
//! from finding out that there is a box.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hob_protocol::code::Code;

use crate::engine::Engine;
use crate::net::api::problem::Problem;

/// The origin that the answer may be shown to; `None`: no web page asks.
///
/// # Errors
/// 403: a web page of another origin asks.
pub fn of(engine: &Engine, headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
    match origin.to_str() {
        Ok(text) if engine.is_own_origin(text) => Ok(Some(origin.clone())),
        _ => Err(Problem::of(Code::ForeignOrigin, "the box's own addresses are those in its address record")),
    }
}

/// The answer to a browser that asks first.
pub fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Hob-Delivery-Token"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Says to whom an answer may be shown.
pub fn mark(headers: &mut HeaderMap, allowed: Option<HeaderValue>) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
    }
}
