//! What somebody does who shows a delivery token and nothing else.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest as _, Query, Request, State};
use axum::http::HeaderMap;
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::limits::ENVELOPE_BYTES_MAX;
use hob_relay::web::Asker;

use crate::net::api::Api;
use crate::net::api::answers::{Accepted, Bundle};
use crate::net::api::bodies::{Base64, FetchBundle, Hex, Submit, Treatment, submit as submit_body};
use crate::net::api::problem::{Problem, ProblemDocument};
use crate::net::api::request::{Anonymous, JsonBody, media_type, unexpected, unsupported, whole_body};

/// Where the delivery token is when the body is the envelope itself.
pub const TOKEN_HEADER: &str = "Hob-Delivery-Token";

/// Submit one sealed envelope
///
/// Anonymous: a request with an `Authorization` header is refused. The answer comes when the envelope is durable. The
/// body is JSON; or it is the envelope itself (`application/octet-stream`), with the token in the header
/// `Hob-Delivery-Token` and the rest in the query. After a lost answer submit the same bytes again.
#[utoipa::path(post, path = "/v1/envelopes", tag = "sending",
    params(
        ("Hob-Delivery-Token" = Option<Hex<32>>, Header, description = "The delivery token, where the body is the envelope itself"),
        ("ttl_s" = Option<u32>, Query, description = "As in the JSON body, where the body is the envelope itself"),
        ("urgency" = Option<crate::net::api::bodies::HowUrgent>, Query, description = "Likewise"),
        ("online_only" = Option<bool>, Query, description = "Likewise"),
    ),
    request_body(content((Submit = "application/json"), (Vec<u8> = "application/octet-stream"))),
    responses((status = OK, description = "It went well", body = Accepted), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn submit(
    State(api): State<Api>,
    Anonymous(manners): Anonymous,
    query: Result<Query<Treatment>, QueryRejection>,
    request: Request,
) -> Result<Json<Accepted>, Problem> {
    let body = match media_type(request.headers()) {
        Some("application/json") => {
            let JsonBody(body) = JsonBody::<Submit>::from_request(request, &()).await?;
            submit_body(&body.token, &body.envelope.0, body.treatment())?
        }
        Some("application/octet-stream") => bare(query, request).await?,
        _ => return Err(unsupported("application/json or application/octet-stream")),
    };
    match api.frame(&manners, Asker::Anybody, body).await? {
        ServerBody::Accepted { ttl, duplicate } => Ok(Json(Accepted { ttl_s: ttl.as_secs(), duplicate })),
        _ => Err(unexpected()),
    }
}

async fn bare(query: Result<Query<Treatment>, QueryRejection>, request: Request) -> Result<ClientBody, Problem> {
    let Query(treatment) = query.map_err(|error| Problem::of(Code::BadFrame, error.body_text()))?;
    let token = token_of(request.headers())?;
    let sealed = whole_body(request, ENVELOPE_BYTES_MAX).await?;
    Ok(submit_body(&token, &sealed, treatment)?)
}

fn token_of(headers: &HeaderMap) -> Result<Hex<32>, Problem> {
    let token = headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok()).and_then(Hex::parse);
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
