//! What a device does with its own mailbox.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::frame::ClientBody;
use hob_protocol::ids::{EnvelopeId, TokenHash};
use hob_protocol::planted;
use hob_relay::web::{Question, Reply, Waiting};
use hyper::body::{Frame, SizeHint};
use serde::Deserialize;

use crate::net::api::answers::{Kept, Page};
use crate::net::api::bodies::{Acknowledge, GrantToken, PublishBundle, TokenList};
use crate::net::api::problem::{Problem, ProblemDocument};
use crate::net::api::request::{JsonBody, Owner, unexpected};
use crate::net::api::shapes::{Base64, Hex};
use crate::net::api::{Api, PagePlace, cursor};

/// Envelopes of a page, unless asked otherwise, and at most.
const PAGE_ENVELOPES: usize = 16;
const PAGE_ENVELOPES_MAX: usize = 64;

/// Bytes of envelopes in a page; a single one is always there.
const PAGE_BYTES: u64 = 256 << 10;

/// Publish this device's bundle
#[utoipa::path(put, path = "/v1/bundles", tag = "mailbox", request_body = PublishBundle, security(("session" = [])),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn publish_bundle(
    State(api): State<Api>,
    owner: Owner,
    JsonBody(body): JsonBody<PublishBundle>,
) -> Result<StatusCode, Problem> {
    done(&api, &owner, body.into()).await
}

async fn done(api: &Api, owner: &Owner, body: ClientBody) -> Result<StatusCode, Problem> {
    api.as_owner(owner, body).await.map(|_| StatusCode::NO_CONTENT)
}

/// Grant one delivery token
#[utoipa::path(post, path = "/v1/tokens", tag = "mailbox", request_body = GrantToken, security(("session" = [])),
    responses((status = NO_CONTENT, description = "It is done", links(
        ("taken_back" = (operation_id = "revoke_token", parameters(("token_hash" = "$request.body#/token_hash")))))), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn grant_token(
    State(api): State<Api>,
    owner: Owner,
    JsonBody(body): JsonBody<GrantToken>,
) -> Result<StatusCode, Problem> {
    done(&api, &owner, body.into()).await
}

/// Replace the whole list of delivery tokens
///
/// Missing ones are granted, others dropped. Wanted after a new epoch: `/v1/auth/me` tells.
#[utoipa::path(put, path = "/v1/tokens", tag = "mailbox", request_body = TokenList, security(("session" = [])),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn put_tokens(
    State(api): State<Api>,
    owner: Owner,
    JsonBody(body): JsonBody<TokenList>,
) -> Result<StatusCode, Problem> {
    done(&api, &owner, body.into()).await
}

/// Revoke one delivery token
///
/// Whether it was there is not told: it is not there any more.
#[utoipa::path(delete, path = "/v1/tokens/{token_hash}", tag = "mailbox", security(("session" = [])),
    params(("token_hash" = Hex<32>, Path, description = "What the box keeps of the token")),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn revoke_token(
    State(api): State<Api>,
    owner: Owner,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let token_hash = TokenHash(hex(path)?);
    done(&api, &owner, ClientBody::TokenRevoke { token_hash }).await
}

fn hex(path: Result<Path<String>, PathRejection>) -> Result<[u8; 32], Problem> {
    let Path(text) = path.map_err(|error| Problem::of(Code::BadFrame, error.body_text()))?;
    Hex::parse(&text).map(|hex| hex.0).ok_or_else(|| Problem::of(Code::BadFrame, "64 hex digits belong in the path"))
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichPage {
    /// From the page before; without it, the oldest envelopes.
    cursor: Option<String>,
    /// At most so many envelopes; 16 without it.
    #[param(minimum = 1, maximum = 64)]
    limit: Option<usize>,
}

/// Envelopes that wait, oldest first
///
/// Reading takes nothing away: what is not acknowledged is there again. A page ends after 256 KiB, but holds one envelope
/// at least.
#[utoipa::path(get, path = "/v1/envelopes", tag = "mailbox", params(WhichPage), security(("session" = [])),
    responses((status = OK, description = "It went well", body = Page, links(
        ("next" = (operation_id = "page", parameters(("cursor" = "$response.body#/cursor")))),
        ("read" = (operation_id = "acknowledge_one", parameters(("id" = "$response.body#/envelopes/0/id")))))), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn page(
    State(api): State<Api>,
    owner: Owner,
    query: Result<Query<WhichPage>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::of(Code::BadFrame, error.body_text()))?;
    let device = owner.session.device;
    let after = match &query.cursor {
        Some(cursor) => {
            let read = cursor::read(&api.sessions, api.now(), &device, cursor);
            Some(read.ok_or_else(|| Problem::of(Code::BadCursor, "cursors live for an hour and until a restart"))?)
        }
        None => None,
    };
    let envelopes = query.limit.unwrap_or(PAGE_ENVELOPES);
    if !(1..=PAGE_ENVELOPES_MAX).contains(&envelopes) && !planted!("pages-without-limit") {
        return Err(Problem::of(Code::BadFrame, format!("limit is 1 to {PAGE_ENVELOPES_MAX}")));
    }
    let place = api.page_place(device)?;
    let question = Question::Page { after, envelopes, bytes: PAGE_BYTES };
    let Reply::Page { envelopes, more } = api.reply_to(&owner, question).await? else { return Err(unexpected()) };
    let last = envelopes.last().map(|waiting| (waiting.place.window, waiting.place.sequence));
    let cursor = last.filter(|_| more).map(|last| cursor::write(&api.sessions, api.now(), &device, last));
    let page = Page { envelopes: read_bodies(&api, envelopes).await?, cursor };
    let left = serde_json::to_vec(&page).map_err(|_| unexpected())?.into();
    let body = Body::new(PlacedBody { left, _place: place });
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Reads what lies in the log, away from the tasks that must not wait for a card.
async fn read_bodies(api: &Api, waiting: Vec<Waiting>) -> Result<Vec<Kept>, Problem> {
    let bodies = api.engine.bodies();
    let reading = tokio::task::spawn_blocking(move || {
        waiting.into_iter().map(|waiting| (waiting, bodies.read(waiting.place))).collect::<Vec<_>>()
    });
    let mut kept = Vec::new();
    for (waiting, read) in reading.await.map_err(|_| unexpected())? {
        match read {
            Ok(bytes) => {
                kept.push(Kept { id: Hex(waiting.id.0), envelope: Base64(bytes), ttl_s: waiting.ttl.as_secs() })
            }
            // Destroyed between the page and now, or damaged: the log's own notices tell the keeper.
            Err(error) => {
                tracing::debug!(%error, "an envelope could not be read any more");
                api.engine.unreadable(waiting.id).await.map_err(|_| unexpected())?;
            }
        }
    }
    Ok(kept)
}

/// Handed over at once; the rest waits here, so that the place is kept until its reader has nearly all.
const CHUNK_BYTES: usize = 16 << 10;

/// A body that keeps its place while it is being written.
struct PlacedBody {
    left: Bytes,
    _place: PagePlace,
}

impl hyper::body::Body for PlacedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let at = self.left.len().min(CHUNK_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.left.split_to(at)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// Acknowledge envelopes by id
///
/// Only what is safe on the device's own disk: the box forgets their bodies. Ids that it does not know are ignored.
#[utoipa::path(post, path = "/v1/envelopes/acknowledge", tag = "mailbox", request_body = Acknowledge,
    security(("session" = [])),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn acknowledge(
    State(api): State<Api>,
    owner: Owner,
    JsonBody(body): JsonBody<Acknowledge>,
) -> Result<StatusCode, Problem> {
    done(&api, &owner, body.into()).await
}

/// Acknowledge one envelope
#[utoipa::path(delete, path = "/v1/envelopes/{id}", tag = "mailbox", security(("session" = [])),
    params(("id" = Hex<32>, Path, description = "The envelope's id")),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn acknowledge_one(
    State(api): State<Api>,
    owner: Owner,
    path: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Problem> {
    let ids = vec![EnvelopeId(hex(path)?)];
    done(&api, &owner, ClientBody::Acknowledge { ids }).await
}
