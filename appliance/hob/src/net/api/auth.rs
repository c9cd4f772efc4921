//! Who comes in: registering, proving, sessions.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ServerBody;
use hob_protocol::ids::DeviceKey;
use hob_relay::web::{Asker, Question, Reply};
use serde::Deserialize;

use crate::engine::asking::Said;
use crate::net::api::Api;
use crate::net::api::answers::{BoxInfo, Challenge, Me, Registered, TokenPair};
use crate::net::api::bodies::{LogIn, Refresh, Register};
use crate::net::api::problem::{Problem, ProblemDocument};
use crate::net::api::request::{Connection, JsonBody, Named, Owner, unexpected};
use crate::net::api::sessions::CHALLENGE_FOR;
use crate::net::api::shapes::Hex;

/// What this box is and allows
#[utoipa::path(get, path = "/v1/box", tag = "box",
    responses((status = OK, description = "It went well", body = BoxInfo), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn box_info(State(api): State<Api>, Connection(manners): Connection) -> Result<Json<BoxInfo>, Problem> {
    match api.ask(&manners, Asker::Anybody, Question::Hello).await? {
        Said::Reply(Reply::Hello(hello)) => Ok(Json((*hello).into())),
        _ => Err(unexpected()),
    }
}

/// Redeem an invitation for a new web device
///
/// The device key and the box's answer are the same when the answer was lost and the same key redeems again within ten
/// minutes.
#[utoipa::path(post, path = "/v1/auth/register", tag = "auth", request_body = Register,
    responses((status = OK, description = "It went well", body = Registered), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn register(
    State(api): State<Api>,
    Named(manners): Named,
    JsonBody(body): JsonBody<Register>,
) -> Result<Json<Registered>, Problem> {
    match api.frame(&manners, Asker::Anybody, body.into()).await? {
        ServerBody::Admitted { member, mailbox } => {
            Ok(Json(Registered { member: Hex(member.0), mailbox: Hex(mailbox.0) }))
        }
        _ => Err(unexpected()),
    }
}

/// Ask for something to sign
#[utoipa::path(post, path = "/v1/auth/challenge", tag = "auth",
    responses((status = OK, description = "It went well", body = Challenge, links(
        ("signed" = (operation_id = "login", request_body = json!({"nonce": "{$response.body#/nonce}"}))))), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn challenge(State(api): State<Api>, _named: Named) -> Json<Challenge> {
    let nonce = api.sessions.challenge(api.now());
    Json(Challenge {
        nonce: Hex(nonce),
        identity: Hex(api.engine.identity().public.0),
        expires_in_s: CHALLENGE_FOR.as_secs(),
    })
}

/// Prove a web device, for a session
#[utoipa::path(post, path = "/v1/auth/login", tag = "auth", request_body = LogIn,
    responses((status = OK, description = "It went well", body = TokenPair, links(
        ("next" = (operation_id = "refresh", request_body = json!({"refresh_token": "{$response.body#/refresh_token}"}))))), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn login(
    State(api): State<Api>,
    Named(manners): Named,
    JsonBody(body): JsonBody<LogIn>,
) -> Result<Json<TokenPair>, Problem> {
    let (nonce, device_key) = (body.nonce.0, DeviceKey(body.device_key.0));
    api.sessions.check_challenge(api.now(), &nonce).inspect_err(|_| manners.bad_session())?;
    let (signature, origin, clock_ms) = (body.signature.0, body.origin, body.clock_ms);
    let question = Question::LogIn { nonce, device_key, signature, origin, clock_ms };
    match api.ask(&manners, Asker::Anybody, question).await? {
        Said::Reply(Reply::LoggedIn(_)) => {}
        _ => return Err(unexpected()),
    }
    let tokens = api.sessions.log_in(api.now(), &nonce, device_key);
    tokens.map(|tokens| Json(tokens.into())).ok_or_else(|| Refused::finally(Code::BadProof).into())
}

/// Change a refresh token for the next pair
///
/// A repeat within 60 seconds gives the same refresh token again, since an answer can be lost. One that is older ends the
/// session: somebody has a copy.
#[utoipa::path(post, path = "/v1/auth/refresh", tag = "auth", request_body = Refresh,
    responses((status = OK, description = "It went well", body = TokenPair, links(
        ("next" = (operation_id = "refresh", request_body = json!({"refresh_token": "{$response.body#/refresh_token}"}))))), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn refresh(
    State(api): State<Api>,
    Named(manners): Named,
    JsonBody(body): JsonBody<Refresh>,
) -> Result<Json<TokenPair>, Problem> {
    let (device, tokens) =
        api.sessions.refresh(api.now(), &body.refresh_token).inspect_err(|_| manners.bad_session())?;
    // A device that was removed gets no tokens that are good for nothing.
    match api.ask(&manners, Asker::Device(device), Question::Me).await? {
        Said::Reply(Reply::Me(_)) => {
            manners.establish();
            Ok(Json(tokens.into()))
        }
        _ => Err(unexpected()),
    }
}

/// Which sessions end.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogOut {
    /// All sessions of this device, not only this one.
    #[serde(default)]
    everywhere: bool,
}

/// End this session, or all of this device
#[utoipa::path(post, path = "/v1/auth/logout", tag = "auth", params(LogOut), security(("session" = [])),
    responses((status = NO_CONTENT, description = "It is done"), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn logout(
    State(api): State<Api>,
    owner: Owner,
    query: Result<Query<LogOut>, axum::extract::rejection::QueryRejection>,
) -> Result<StatusCode, Problem> {
    let Query(query) = query.map_err(|error| Problem::of(Code::BadFrame, error.body_text()))?;
    api.sessions.log_out(&owner.session, query.everywhere);
    Ok(StatusCode::NO_CONTENT)
}

/// How this device stands
#[utoipa::path(get, path = "/v1/auth/me", tag = "auth", security(("session" = [])),
    responses((status = OK, description = "It went well", body = Me), (status = "default", description = "A problem", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn me(State(api): State<Api>, owner: Owner) -> Result<Json<Me>, Problem> {
    match api.reply_to(&owner, Question::Me).await? {
        Reply::Me(standing) => {
            let sessions = api.sessions.count(&owner.session.device);
            Ok(Json(Me::new(&standing, sessions, owner.session.expires_in)))
        }
        _ => Err(unexpected()),
    }
}
