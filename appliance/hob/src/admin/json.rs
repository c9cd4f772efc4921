//! `/admin/v1` and `/metrics`: the same for programs that show a token of the settings page.
//!
//! A token is good for its scope and until its end; every order stands in the audit log under the token's name. No cookie
//! opens these paths and no token opens a page, so nothing here needs the token of a form.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hob_protocol::ids::{InvitationId, MailboxId, MemberId};
use hob_relay::admin::{Answer, Ask, MemberView};
use hob_relay::keeping::{By, Change, InvitationView, Scope};
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::Admin;
use crate::admin::guard::Peer;
use crate::admin::pages::{hex, id_of, memory};
use crate::admin::request::FORM_BYTES_MAX;
use crate::control::routes::{INVITATION_MAX, status_view};
use crate::control::{NotDone, metrics};
use crate::show;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hob /admin/v1",
        version = "1",
        description = "What the dashboard can do, for programs. Tokens are made on the dashboard, under Settings.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    modifiers(&Token),
)]
struct About;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of the settings page. Scopes: metrics, read, keeper; a later one opens more"))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// The operations.
pub fn routes() -> Router<Arc<Admin>> {
    operations().split_for_parts().0.layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

fn operations() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::with_openapi(About::openapi())
        .routes(routes!(openapi))
        .routes(routes!(figures))
        .routes(routes!(status))
        .routes(routes!(members))
        .routes(routes!(remove_member))
        .routes(routes!(suspend))
        .routes(routes!(resume))
        .routes(routes!(revoke_device))
        .routes(routes!(invitations, invite))
        .routes(routes!(withdraw))
        .routes(routes!(windows))
        .routes(routes!(compact))
        .routes(routes!(traffic))
        .routes(routes!(audit))
}

/// A problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminProblem)]
pub struct Problem {
    /// What it is, for a person.
    title: String,
    /// The HTTP status.
    status: u16,
}

impl Problem {
    fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self { title: title.into(), status: status.as_u16() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, Json(self)).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

impl From<NotDone> for Problem {
    fn from(why: NotDone) -> Self {
        let status = match why {
            NotDone::NotFound => StatusCode::NOT_FOUND,
            NotDone::CannotStore => StatusCode::INSUFFICIENT_STORAGE,
            NotDone::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        let title = match why {
            NotDone::NotFound => "there is none such: list what there is first".to_owned(),
            why => why.to_string(),
        };
        Self::new(status, title)
    }
}

/// Whoever shows a good token.
pub struct Bearer {
    scope: Scope,
    by: By,
}

impl FromRequestParts<Arc<Admin>> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Problem> {
        const NO_TOKEN: &str = "this needs a token that is good: make one on the dashboard, under Settings";
        let no_token = || Problem::new(StatusCode::UNAUTHORIZED, NO_TOKEN);
        let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(no_token)?;
        // Tokens have 256 random bits: looking one up by its hash tells nothing by how long it takes.
        let hash = blake3::hash(shown.trim().as_bytes());
        let keeping = admin.keeping().await?;
        let found = keeping.tokens.into_iter().find(|token| hash == token.hash).ok_or_else(no_token)?;
        let from = parts.extensions.get::<Peer>().map(|Peer(ip)| ip.to_string()).unwrap_or_default();
        Ok(Self { scope: found.scope, by: By { who: format!("token {}", found.name), from } })
    }
}

impl Bearer {
    fn may(&self, needed: Scope) -> Result<(), Problem> {
        if self.scope >= needed {
            return Ok(());
        }
        let (has, needed) = (self.scope.name(), needed.name());
        let why = format!("this needs a token with the scope \"{needed}\"; this one has \"{has}\"");
        Err(Problem::new(StatusCode::FORBIDDEN, why))
    }

    async fn order(self, admin: &Admin, ask: Ask) -> Result<Answer, Problem> {
        self.may(Scope::Manage)?;
        Ok(admin.order(self.by, ask).await?)
    }
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminMember)]
struct Member {
    /// In hex.
    id: String,
    /// As the member chose it.
    label: String,
    /// RFC 3339.
    joined: String,
    /// Not served at the moment.
    suspended: bool,
    /// The devices.
    devices: Vec<Device>,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminDevice)]
struct Device {
    /// In hex.
    mailbox: String,
    /// "native" or "web".
    kind: String,
    /// Connected now.
    connected: bool,
    /// Envelopes that wait.
    pending: u32,
}

impl From<MemberView> for Member {
    fn from(view: MemberView) -> Self {
        let device = |device: &hob_relay::admin::DeviceView| Device {
            mailbox: hex(&device.mailbox.0),
            kind: format!("{:?}", device.binding).to_lowercase(),
            connected: device.connected,
            pending: device.pending,
        };
        Self {
            id: hex(&view.id.0),
            label: view.label,
            joined: show::expires(view.joined_at_s),
            suspended: view.suspended,
            devices: view.devices.iter().map(device).collect(),
        }
    }
}

/// This document
#[utoipa::path(get, path = "/admin/v1/openapi.json",
    responses((status = OK, description = "OpenAPI 3.1", body = serde_json::Value)))]
async fn openapi() -> Json<Document> {
    Json(operations().split_for_parts().1)
}

/// The figures, in Prometheus' text format (scope: metrics)
#[utoipa::path(get, path = "/metrics", security(("token" = [])),
    responses((status = OK, description = "Version 0.0.4", body = String), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn figures(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Response, Problem> {
    bearer.may(Scope::Metrics)?;
    let rules = admin.figures().await.ok_or(NotDone::Stopping)?;
    let view = status_view(&admin.control, &rules).await;
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    Ok((kind, metrics::text(&view, &rules.counters.refusals)).into_response())
}

/// How the box stands, as `hob status --json` says it (scope: read)
#[utoipa::path(get, path = "/admin/v1/status", security(("token" = [])),
    responses((status = OK, description = "It went well", body = serde_json::Value), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn status(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Response, Problem> {
    bearer.may(Scope::Read)?;
    let rules = admin.figures().await.ok_or(NotDone::Stopping)?;
    Ok(Json(status_view(&admin.control, &rules).await).into_response())
}

/// Who is here (scope: read)
#[utoipa::path(get, path = "/admin/v1/members", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Vec<Member>), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn members(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Vec<Member>>, Problem> {
    bearer.may(Scope::Read)?;
    match admin.control.ask(Ask::Members).await? {
        Answer::Members(members) => Ok(Json(members.into_iter().map(Member::from).collect())),
        _ => Err(NotDone::Stopping.into()),
    }
}

fn id(text: &str) -> Result<[u8; 16], Problem> {
    id_of(text).ok_or_else(|| NotDone::NotFound.into())
}

/// Take a member out, with all devices and the mail that waits for them (scope: keeper)
#[utoipa::path(delete, path = "/admin/v1/members/{id}", security(("token" = [])), params(("id" = String, Path, description = "In hex")),
    responses((status = NO_CONTENT, description = "Done"), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn remove_member(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    Path(member): Path<String>,
) -> Result<StatusCode, Problem> {
    bearer.order(&admin, Ask::RevokeMember { member: MemberId(id(&member)?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Do not serve a member's devices until they are resumed (scope: keeper)
#[utoipa::path(post, path = "/admin/v1/members/{id}/suspend", security(("token" = [])), params(("id" = String, Path, description = "In hex")),
    responses((status = NO_CONTENT, description = "Done"), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn suspend(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    Path(member): Path<String>,
) -> Result<StatusCode, Problem> {
    bearer.order(&admin, Ask::Change(Change::Suspend(MemberId(id(&member)?)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Serve a member's devices again (scope: keeper)
#[utoipa::path(post, path = "/admin/v1/members/{id}/resume", security(("token" = [])), params(("id" = String, Path, description = "In hex")),
    responses((status = NO_CONTENT, description = "Done"), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn resume(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    Path(member): Path<String>,
) -> Result<StatusCode, Problem> {
    bearer.order(&admin, Ask::Change(Change::Resume(MemberId(id(&member)?)))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take one device out (scope: keeper)
#[utoipa::path(delete, path = "/admin/v1/devices/{mailbox}", security(("token" = [])), params(("mailbox" = String, Path, description = "In hex")),
    responses((status = NO_CONTENT, description = "Done"), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn revoke_device(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    Path(mailbox): Path<String>,
) -> Result<StatusCode, Problem> {
    bearer.order(&admin, Ask::RevokeDevice { mailbox: MailboxId(id(&mailbox)?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminInvitation)]
struct Invitation {
    /// In hex.
    id: String,
    /// `hob://join/…`; only for those who may make one, as it is as good as a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// RFC 3339.
    expires: String,
}

fn shown(admin: &Admin, view: InvitationView, with_link: bool) -> Invitation {
    let (id, expires) = (hex(&view.id.0), show::expires(view.expires_at_s));
    let link = with_link.then(|| admin.control.invitation(view.id, view.secret, view.expires_at_s).to_link());
    Invitation { id, link, expires }
}

/// Which invitations are open (scope: read; with links: keeper)
#[utoipa::path(get, path = "/admin/v1/invitations", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Vec<Invitation>), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn invitations(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Vec<Invitation>>, Problem> {
    bearer.may(Scope::Read)?;
    let with_link = bearer.may(Scope::Manage).is_ok();
    match admin.control.ask(Ask::Invitations).await? {
        Answer::Invitations(open) => Ok(Json(open.into_iter().map(|view| shown(&admin, view, with_link)).collect())),
        _ => Err(NotDone::Stopping.into()),
    }
}

/// Which invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AdminInvite)]
struct Invite {
    /// Seconds: 60 to 2,592,000.
    expires_in_s: u64,
}

/// Make an invitation (scope: keeper)
#[utoipa::path(post, path = "/admin/v1/invitations", security(("token" = [])), request_body = Invite,
    responses((status = OK, description = "It went well", body = Invitation), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn invite(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    body: axum::body::Bytes,
) -> Result<Json<Invitation>, Problem> {
    bearer.may(Scope::Manage)?;
    let wrong = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let order: Invite = serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))?;
    let expires_in = Duration::from_secs(order.expires_in_s);
    if expires_in < Duration::from_secs(60) || expires_in > INVITATION_MAX {
        return Err(wrong("an invitation is good for 60 to 2592000 seconds".to_owned()));
    }
    match bearer.order(&admin, Ask::Invite { expires_in }).await? {
        Answer::Invited { invitation, secret, expires_at_s } => {
            Ok(Json(shown(&admin, InvitationView { id: invitation, secret, expires_at_s }, true)))
        }
        _ => Err(NotDone::CannotStore.into()),
    }
}

/// Withdraw an invitation (scope: keeper)
#[utoipa::path(delete, path = "/admin/v1/invitations/{id}", security(("token" = [])), params(("id" = String, Path, description = "In hex")),
    responses((status = NO_CONTENT, description = "Done"), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn withdraw(
    State(admin): State<Arc<Admin>>,
    bearer: Bearer,
    Path(invitation): Path<String>,
) -> Result<StatusCode, Problem> {
    bearer.order(&admin, Ask::Withdraw { invitation: InvitationId(id(&invitation)?) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Half an hour of traffic.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminWindow)]
struct Window {
    /// Its number.
    number: u32,
    /// RFC 3339.
    opened: String,
    /// Envelopes taken in.
    accepted: u64,
    /// Of them, those that wait.
    pending: u64,
    /// Its bodies can still be read.
    readable: bool,
}

/// The windows of traffic (scope: read)
#[utoipa::path(get, path = "/admin/v1/windows", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Vec<Window>), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn windows(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Vec<Window>>, Problem> {
    bearer.may(Scope::Read)?;
    let log = admin.control.engine.log_stats().await.map_err(|_| NotDone::Stopping)?;
    let window = |window: &hob_log::WindowStats| Window {
        number: window.number,
        opened: show::expires(window.opened_unix_ms / 1000),
        accepted: window.accepted,
        pending: window.pending,
        readable: window.has_body_key,
    };
    Ok(Json(log.windows.iter().map(window).collect()))
}

/// What compacting did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminCompacted)]
struct Compacted {
    /// The generation that now holds.
    generation: u64,
    /// Records before.
    records_before: u64,
    /// Records after.
    records_after: u64,
}

/// Close the open window and compact the ledger (scope: keeper)
#[utoipa::path(post, path = "/admin/v1/compact", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Compacted), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn compact(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Compacted>, Problem> {
    bearer.may(Scope::Manage)?;
    let failed = |why| Problem::new(StatusCode::INSUFFICIENT_STORAGE, why);
    let report = memory::compact(&admin).await.map_err(failed)?;
    admin.change(bearer.by, Change::Note { what: "compacted", about: String::new() }).await?;
    let (generation, records_before, records_after) = (report.generation, report.records_before, report.records_after);
    Ok(Json(Compacted { generation, records_before, records_after }))
}

/// What happened in half an hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminTraffic)]
struct HalfHour {
    /// When it began, Unix seconds.
    from_unix_s: u64,
    /// By what happened: accepted, delivered, expired, refused.
    counts: BTreeMap<&'static str, u64>,
}

/// The last day by half hours, oldest first (scope: read)
#[utoipa::path(get, path = "/admin/v1/traffic", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Vec<HalfHour>), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn traffic(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Vec<HalfHour>>, Problem> {
    bearer.may(Scope::Read)?;
    admin.figures().await.ok_or(NotDone::Stopping)?;
    let day = admin.traffic.last_day(admin.unix_s());
    let half_hours = (0..).zip(&day.steps).map(|(place, step)| HalfHour {
        from_unix_s: day.from_unix_s + place * day.step_s,
        counts: BTreeMap::from([
            ("accepted", step.accepted),
            ("delivered", step.delivered),
            ("expired", step.expired),
            ("refused", step.refused),
        ]),
    });
    Ok(Json(half_hours.collect()))
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminAuditLine)]
struct Line {
    /// From 1.
    number: u64,
    /// RFC 3339.
    at: String,
    /// A keeper's name, "token NAME" or "console".
    who: String,
    /// What was done.
    what: String,
    /// To what.
    about: String,
    /// The address it came from; empty: the machine itself.
    from: String,
}

/// The audit log, newest first (scope: keeper)
#[utoipa::path(get, path = "/admin/v1/audit", security(("token" = [])),
    responses((status = OK, description = "It went well", body = Vec<Line>), (status = "default", description = "A problem", body = Problem, content_type = "application/problem+json")))]
async fn audit(State(admin): State<Arc<Admin>>, bearer: Bearer) -> Result<Json<Vec<Line>>, Problem> {
    bearer.may(Scope::Manage)?;
    let Answer::AuditLog(lines) = admin.control.ask(Ask::AuditLog).await? else {
        return Err(NotDone::Stopping.into());
    };
    let line = |line: hob_relay::keeping::AuditLine| Line {
        number: line.number,
        at: show::expires(line.at_s),
        who: line.who,
        what: line.what,
        about: line.about,
        from: line.from,
    };
    Ok(Json(lines.into_iter().map(line).collect()))
}
