//! What somebody does who shows a delivery token and nothing else.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest as _, Query, Request, State};
use axum::http::HeaderMap;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::limits::{ENVELOPE_BYTES_MAX, TTL_MIN};
use hob_relay::web::Asker;

use crate::net::api::Api;
use crate::net::api::answers::{Accepted, Bundle};
use crate::net::api::bodies::{FetchBundle, Submit, Treatment, TreatmentQuery, submit as submit_body};
use crate::net::api::problem::{Problem, ProblemDocument};
use crate::net::api::request::{Anonymous, JsonBody, media_type, unexpected, unsupported, whole_body};
use crate::net::api::shapes::{BareEnvelope, Base64, Hex};

/// Where the delivery token is when the body is the envelope itself.
pub const TOKEN_HEADER: &str = "Hob-Delivery-Token";

/// Submit one sealed envelope
///
/// Anonymous: a request with an `Authorization` header is refused. The answer comes when the envelope is durable. The
/// body is JSON; or it is the envelope itself (`application/octet-stream`), with the token in the header
/// `Hob-Delivery-Token` and the rest in the query, which is of no account beside JSON. After a lost answer submit the same bytes again.
#[utoipa::path(post, path = "/v1/envelopes", tag = "sending",
    params(
        ("Hob-Delivery-Token" = Option<Hex<32>>, Header, description = "The delivery token, where the body is the envelope itself"),
        TreatmentQuery,
    ),
    request_body(content((Submit = "application/json"), (BareEnvelope = "application/octet-stream"))),
    responses((status = OK, description = "It went well", body = Accepted), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn submit(
    State(api): State<Api>,
    Anonymous(manners): Anonymous,
    query: Result<Query<TreatmentQuery>, QueryRejection>,
    request: Request,
) -> Result<Json<Accepted>, Problem> {
    let Query(query) = query.map_err(|error| Problem::of(Code::BadFrame, error.body_text()))?;
    if Duration::from_secs(query.ttl_s.into()) < TTL_MIN {
        return Err(Refused::finally(Code::TtlTooShort).into());
    }
    let body = match media_type(request.headers()) {
        Some("application/json") => {
            let JsonBody(body) = JsonBody::<Submit>::from_request(request, &()).await?;
            submit_body(&body.token, &body.envelope.0, body.treatment())?
        }
        Some("application/octet-stream") => bare(query.into(), request).await?,
        _ => return Err(unsupported("application/json or application/octet-stream")),
    };
    match api.frame(&manners, Asker::Anybody, body).await? {
        ServerBody::Accepted { ttl, duplicate } => Ok(Json(Accepted { ttl_s: ttl.as_secs(), duplicate })),
        _ => Err(unexpected()),
    }
}

async fn bare(treatment: Treatment, request: Request) -> Result<ClientBody, Problem> {
    let token = token_of(request.headers())?;
    let sealed = whole_body(request, ENVELOPE_BYTES_MAX).await?;
    Ok(submit_body(&token, &sealed, treatment)?)
}

fn token_of(headers: &HeaderMap) -> Result<Hex<32>, Problem> {
    let Some(token) = headers.get(TOKEN_HEADER) else {
        return Err(Problem::of(Code::NoSuchToken, format!("{TOKEN_HEADER} is missing")));
    };
    let token = token.to_str().ok().and_then(Hex::parse);
    token.ok_or_else(|| Problem::of(Code::BadFrame, format!("{TOKEN_HEADER} has 64 hex digits")))
}

/// Fetch the bundle of the mailbox that a token is for
///
/// Anonymous, as submitting is. At most 20 times an hour for a token; keep it, and use it for at most 30 minutes.
#[utoipa::path(post, path = "/v1/bundles/fetch", tag = "sending", request_body = FetchBundle,
    responses((status = OK, description = "It went well", body = Bundle), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn fetch_bundle(
    State(api): State<Api>,
    Anonymous(manners): Anonymous,
    JsonBody(body): JsonBody<FetchBundle>,
) -> Result<Json<Bundle>, Problem> {
    match api.frame(&manners, Asker::Anybody, body.into()).await? {
        ServerBody::Bundle { bundle } => Ok(Json(Bundle { bundle: Base64(bundle) })),
        _ => Err(unexpected()),
    }
}
