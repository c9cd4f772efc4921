//! How a request is read, and asked of the rules.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Buf as _, Bytes, BytesMut};
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_relay::web::{Asker, Question, Reply};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::engine::asking::Said;
use crate::net::api::bodies::{RequestBody, read};
use crate::net::api::manners::Manners;
use crate::net::api::problem::Problem;
use crate::net::api::sessions::Session;
use crate::net::api::{Api, origin};
use crate::net::listen::Handshake;

/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What is read of a body that was refused, so that its sender reads why: a connection closed over unread bytes loses
/// its answer.
const DISCARD_BYTES_MAX: usize = 256 << 10;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// Around every operation: origin, manners, what is left of the body, and the headers that every answer has.
pub async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let allowed = match origin::of(&api.engine, request.headers()) {
        Ok(allowed) => allowed,
        Err(problem) => return finish(problem.into_response(), None),
    };
    let manners = manners_of(request.extensions());
    if let Err(problem) = manners.as_ref().map_or(Ok(()), |manners| manners.count()) {
        return finish(problem.into_response(), allowed);
    }
    if request.method() == Method::OPTIONS {
        return finish(origin::preflight(), allowed);
    }
    let (parts, body) = request.into_parts();
    let body = SharedBody(Arc::new(Mutex::new(body)));
    let response = next.run(Request::from_parts(parts, Body::new(body.clone()))).await;
    if response.status().is_client_error() {
        // However it ends: the answer is ready.
        let _ = tokio::time::timeout(DISCARD_WITHIN, discard(body)).await;
    }
    finish(response, allowed)
}

fn finish(mut response: Response, allowed: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    origin::mark(headers, allowed);
    response
}

fn manners_of(extensions: &axum::http::Extensions) -> Option<Arc<Manners>> {
    extensions.get::<Handshake>().map(|handshake| Arc::clone(&handshake.manners))
}

async fn discard(mut body: SharedBody) {
    let mut read = 0;
    while read < DISCARD_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// A body that can still be read when the operation has left it.
#[derive(Clone)]
struct SharedBody(Arc<Mutex<Body>>);

impl hyper::body::Body for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// The connection that a request came on.
pub struct Connection(pub Arc<Manners>);

impl<S: Sync> FromRequestParts<S> for Connection {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        manners_of(&parts.extensions).map(Self).ok_or_else(|| Problem::of(Code::BadFrame, "no connection"))
    }
}

/// Somebody anonymous: nothing in the request or on the connection may say who.
pub struct Anonymous(pub Arc<Manners>);

impl<S: Sync> FromRequestParts<S> for Anonymous {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Connection(manners) = Connection::from_request_parts(parts, state).await?;
        for name in [header::AUTHORIZATION, header::COOKIE] {
            if parts.headers.contains_key(&name) {
                let why = format!("senders are anonymous: without the header {name}");
                return Err(Problem::of(Code::NotAnonymous, why));
            }
        }
        manners.as_sender()?;
        Ok(Self(manners))
    }
}

/// A device, or somebody who is about to become one, names itself.
pub struct Named(pub Arc<Manners>);

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Connection(manners) = Connection::from_request_parts(parts, state).await?;
        manners.as_owner()?;
        Ok(Self(manners))
    }
}

/// A device with a good session.
pub struct Owner {
    /// Its session.
    pub session: Session,
}

impl FromRequestParts<Api> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Named(manners) = Named::from_request_parts(parts, api).await?;
        let session = bearer(&parts.headers).and_then(|token| api.sessions.check(api.now(), token));
        match session {
            Some(session) => {
                manners.establish();
                Ok(Self { session })
            }
            None => {
                manners.bad_session();
                Err(Refused::finally(Code::NoSession).into())
            }
        }
    }
}

/// The one access token of a request (RFC 6750, section 2.1); two are none.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next()?, all.next());
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    (second.is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}

/// A JSON body.
pub struct JsonBody<T>(pub T);

impl<T: RequestBody, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(request.headers()) != Some("application/json") {
            return Err(unsupported("application/json"));
        }
        let bytes = whole_body(request, T::BYTES_MAX).await?;
        Ok(Self(read(&bytes)?))
    }
}

/// The media type without its parameters, as lower-case callers write it.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    value.split(';').next().map(str::trim)
}

/// 415.
pub fn unsupported(wanted: &str) -> Problem {
    let why = format!("the body's Content-Type must be {wanted}");
    Problem::of(Code::BadFrame, why).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// A whole body, within its bounds of size and time.
pub async fn whole_body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::of(Code::TooLarge, format!("at most {bytes_max} bytes are taken"));
    let mut body = request.into_body();
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let reading = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::of(Code::BadFrame, "the body broke off"))?;
            let Ok(mut data) = frame.into_data() else { continue };
            if whole.len() + data.len() > bytes_max {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
            data.advance(data.len());
        }
        Ok(whole.freeze())
    };
    match tokio::time::timeout(BODY_WITHIN, reading).await {
        Ok(read) => read,
        Err(_) => Err(Problem::of(Code::TooSlow, "the body did not come in time").and_close()),
    }
}

impl Api {
    /// Asks the rules, and charges the connection with the answer.
    pub(super) async fn ask(&self, manners: &Manners, asker: Asker, question: Question) -> Result<Said, Refused> {
        let answered = self.engine.asked(asker, question).await.map_err(|_| Problem::restarting())?;
        if answered.established {
            manners.establish();
        }
        if let Ok(Said::Frame(body)) = &answered.said {
            manners.answered(body);
        }
        if let Err(refused) = &answered.said {
            manners.refused(refused.code);
            match refused.code {
                Code::NoSuchToken | Code::BadProof | Code::NoSuchInvitation | Code::ExporterMissing => manners.bad(),
                Code::Revoked => {
                    if let Asker::Device(device) = asker {
                        self.sessions.forget(&device);
                    }
                }
                _ => {}
            }
        }
        answered.said
    }

    /// What has a frame.
    pub(super) async fn frame(&self, manners: &Manners, asker: Asker, body: ClientBody) -> Result<ServerBody, Problem> {
        match self.ask(manners, asker, Question::Frame(body)).await? {
            Said::Frame(body) => Ok(body),
            Said::Reply(_) => Err(unexpected()),
        }
    }

    /// What a device does with its mailbox.
    pub(super) async fn as_owner(&self, owner: &Owner, body: ClientBody) -> Result<ServerBody, Problem> {
        let asker = Asker::Device(owner.session.device);
        match self.engine_asked(asker, Question::Frame(body)).await? {
            Said::Frame(body) => Ok(body),
            Said::Reply(_) => Err(unexpected()),
        }
    }

    /// What a device asks that has no frame.
    pub(super) async fn reply_to(&self, owner: &Owner, question: Question) -> Result<Reply, Problem> {
        match self.engine_asked(Asker::Device(owner.session.device), question).await? {
            Said::Reply(reply) => Ok(reply),
            Said::Frame(_) => Err(unexpected()),
        }
    }

    async fn engine_asked(&self, asker: Asker, question: Question) -> Result<Said, Refused> {
        // The session was good, so there is nothing to charge the connection with.
        let nobody = Manners::new(Arc::default(), None);
        self.ask(&nobody, asker, question).await
    }
}

/// The rules answered something else than the question allows.
pub fn unexpected() -> Problem {
    Problem::new(Problem::restarting())
}
