//! JSON over HTTP, for those who cannot hold a socket: the same rules, one request at a time.
//!
//! A shell: it reads a request, makes the input that a frame would make, and writes what the rules say.
//!
//! # Layout
//! - [`shapes`]: what fields are made of. [`bodies`]: the bodies of requests; [`answers`]: those of responses; [`problem`]: refusals (RFC 9457).
//! - [`sessions`]: challenges, access and refresh tokens; [`cursor`]: where a page begins.
//! - [`request`]: how a request is read and asked; [`manners`]: what one connection may do; [`origin`]: web pages.
//! - [`auth`], [`owner`], [`sender`], [`events`]: the operations; [`describe`]: the OpenAPI document of them.

pub mod answers;
pub mod auth;
pub mod bodies;
pub mod cursor;
pub mod describe;
pub mod events;
pub mod manners;
pub mod origin;
pub mod owner;
pub mod problem;
pub mod request;
pub mod sender;
pub mod sessions;
pub mod shapes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use hob_protocol::code::{Code, Refused};
use hob_protocol::ids::DeviceKey;

use crate::engine::Engine;
use crate::net::api::problem::Problem;
use crate::net::api::sessions::{NoKeys, Sessions};

/// Pages of one device that are read at the same time.
const PAGES_PER_DEVICE: u32 = 4;

/// Pages that are read at the same time, of all devices: each holds its envelopes in memory until it is read.
const PAGES_MAX: u32 = 64;

/// What the operations share.
#[derive(Clone)]
pub struct Api {
    engine: Engine,
    sessions: Arc<Sessions>,
    reading: Arc<Mutex<Reading>>,
}

#[derive(Default)]
struct Reading {
    pages: u32,
    of: HashMap<DeviceKey, u32>,
}

/// A page that is being read; dropped, it makes room for another.
pub struct PagePlace {
    reading: Arc<Mutex<Reading>>,
    device: DeviceKey,
}

impl Api {
    /// With keys of its own, for this run of the box.
    ///
    /// # Errors
    /// If no keys can be made.
    pub fn new(engine: Engine) -> Result<Self, NoKeys> {
        let clocks = engine.clocks();
        let sessions = Sessions::new(&engine.identity().public, clocks.monotone(), clocks.unix_ms())?;
        Ok(Self { engine, sessions: Arc::new(sessions), reading: Arc::default() })
    }

    /// Time for sessions: nobody sets it.
    fn now(&self) -> Duration {
        self.engine.clocks().monotone()
    }

    /// A place for a page.
    fn page_place(&self, device: DeviceKey) -> Result<PagePlace, Refused> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let of_device = reading.of.get(&device).copied().unwrap_or(0);
        if of_device >= PAGES_PER_DEVICE || reading.pages >= PAGES_MAX {
            return Err(Refused::for_now(Code::TooFast, Duration::from_secs(1)));
        }
        reading.pages += 1;
        reading.of.insert(device, of_device + 1);
        Ok(PagePlace { reading: Arc::clone(&self.reading), device })
    }
}

impl Drop for PagePlace {
    fn drop(&mut self) {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        reading.pages = reading.pages.saturating_sub(1);
        if let Some(pages) = reading.of.get_mut(&self.device) {
            *pages = pages.saturating_sub(1);
            if *pages == 0 {
                reading.of.remove(&self.device);
            }
        }
    }
}

/// All operations, and problem documents for what is none.
pub fn router(api: Api) -> Router {
    let (operations, _) = describe::operations().split_for_parts();
    operations
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), request::guard))
        .with_state(api)
}

/// What is there, for another method.
pub async fn wrong_method() -> Response {
    let why = "this method is not for this path; Allow says which are";
    Problem::of(Code::UnknownFrame, why).with_status(StatusCode::METHOD_NOT_ALLOWED).into_response()
}

/// What is not there.
pub fn no_such_path() -> Response {
    Problem::of(Code::UnknownFrame, "nothing is at this path; /v1/openapi.json lists what there is").into_response()
}

/// A request that others might read otherwise.
pub fn unclear(why: &str) -> Response {
    Problem::of(Code::BadFrame, why).and_close().into_response()
}
