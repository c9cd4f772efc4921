//! What is answered on the control socket; and the part of it that may also be had on a loopback port.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64;
use hob_protocol::ids::{MailboxId, MemberId};
use hob_relay::activity::{Sentence, sentences};
use hob_relay::admin::{Answer, Ask, MemberView};
use hob_relay::keeping::{By, Change, Keeper, Role};
use hob_relay::status::Status;

use crate::admin::Admin;
use crate::admin::sessions::Holder;
use crate::control::wire::{
    CareView, Compacted, Device, Done, InviteOrder, Invited, LedgerView, Member, Refusal, ResetOrder, Restarting,
    RevokeOrder, ServiceView, SetupCode, StatusView, Unusual,
};
use crate::control::{Control, NotDone, metrics};
use crate::{service, show};

/// The longest life of an invitation.
pub const INVITATION_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Everything, for the control socket.
pub fn keeper(admin: Arc<Admin>) -> Router {
    let control = admin.control.clone();
    Router::new()
        .route("/v1/setup-code", get(setup_code))
        .route("/v1/reset-keeper", post(reset_keeper))
        .with_state(admin)
        .merge(keeper_of_box(control))
}

fn keeper_of_box(control: Control) -> Router {
    Router::new()
        .route("/v1/invite", post(invite))
        .route("/v1/members", get(members))
        .route("/v1/revoke", post(revoke))
        .route("/v1/compact", post(compact))
        .route("/v1/ledger", get(ledger))
        .route("/v1/status", get(status))
        .route("/v1/care", get(care))
        .route("/v1/restart", post(restart))
        .merge(health_routes())
        .with_state(control)
}

/// Health and figures: nothing in them names anyone.
pub fn health(control: Control) -> Router {
    health_routes().with_state(control)
}

fn health_routes() -> Router<Control> {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready)).route("/metrics", get(figures))
}

struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, error) = self;
        (status, Json(Refusal { error })).into_response()
    }
}

impl From<NotDone> for Refused {
    fn from(not_done: NotDone) -> Self {
        let status = match not_done {
            NotDone::NotFound => StatusCode::NOT_FOUND,
            NotDone::CannotStore => StatusCode::INSUFFICIENT_STORAGE,
            NotDone::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, not_done.to_string())
    }
}

fn not_possible(text: &str) -> Refused {
    Refused(StatusCode::UNPROCESSABLE_ENTITY, text.to_owned())
}

async fn setup_code(State(admin): State<Arc<Admin>>) -> Json<SetupCode> {
    Json(SetupCode { setup_code: admin.open_code().await, dashboard: admin.listening_on.map(|on| on.to_string()) })
}

/// A new password, for whoever stands at the machine. Asks for no one-time codes any more: the phone may be what is lost.
async fn reset_keeper(State(admin): State<Arc<Admin>>, Json(order): Json<ResetOrder>) -> Result<Json<Done>, Refused> {
    let keeping = admin.keeping().await?;
    let of_name = |keeper: &&Keeper| keeper.name.eq_ignore_ascii_case(&order.name);
    let owner = |keeper: &&Keeper| keeper.role == Role::Owner;
    let found = match order.name.as_str() {
        "" => keeping.keepers.iter().find(owner),
        _ => keeping.keepers.iter().find(of_name),
    };
    let Some(keeper) = found else {
        return Err(not_possible("there is no such keeper; before the set-up, see `hob setup-code`"));
    };
    let hash = admin.passwords.hash(&order.password).await;
    let password = hash.map_err(|error| Refused(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    let changed = Keeper { password, totp_secret: Vec::new(), ..keeper.clone() };
    admin.change(By::console(), Change::PutKeeper(changed)).await?;
    let id = keeper.id;
    admin.sessions.keep(|session| session.holder != Holder::Keeper(id));
    Ok(Json(Done { done: true }))
}

async fn invite(State(control): State<Control>, Json(order): Json<InviteOrder>) -> Result<Json<Invited>, Refused> {
    let expires_in = Duration::from_secs(order.expires_in_s);
    if expires_in.is_zero() || expires_in > INVITATION_MAX {
        return Err(not_possible("an invitation is good for 1s to 30d"));
    }
    let invitation = control.invite(By::console(), expires_in).await?;
    Ok(Json(Invited { link: invitation.to_link(), expires: show::expires(invitation.expires_at_s) }))
}

async fn members(State(control): State<Control>) -> Result<Json<Vec<Member>>, Refused> {
    match control.ask(Ask::Members).await? {
        Answer::Members(members) => Ok(Json(members.into_iter().map(member).collect())),
        _ => Err(NotDone::Stopping.into()),
    }
}

fn member(view: MemberView) -> Member {
    Member {
        member: view.id.to_string(),
        label: view.label,
        joined: show::expires(view.joined_at_s),
        devices: view
            .devices
            .into_iter()
            .map(|device| Device {
                mailbox: device.mailbox.to_string(),
                kind: format!("{:?}", device.binding).to_lowercase(),
                connected: device.connected,
                pending: device.pending,
            })
            .collect(),
    }
}

async fn revoke(State(control): State<Control>, Json(order): Json<RevokeOrder>) -> Result<Json<Done>, Refused> {
    let bytes = |hex: &str| data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok();
    let no_id = || not_possible("a member or mailbox is named by 32 hex digits; `hob members` shows them");
    let ask = match &order {
        RevokeOrder::Member(hex) => {
            let id = bytes(hex).and_then(|id| MemberId::try_from(&id[..]).ok()).ok_or_else(no_id)?;
            Ask::RevokeMember { member: id }
        }
        RevokeOrder::Mailbox(hex) => {
            let id = bytes(hex).and_then(|id| MailboxId::try_from(&id[..]).ok()).ok_or_else(no_id)?;
            Ask::RevokeDevice { mailbox: id }
        }
    };
    control.ask(Ask::Noted { by: By::console(), ask: Box::new(ask) }).await?;
    Ok(Json(Done { done: true }))
}

// The order says nothing, and is read all the same: a connection closed over unread bytes loses its answer.
async fn compact(State(control): State<Control>, _order: Bytes) -> Result<Json<Compacted>, Refused> {
    let report = control.engine.compact().await.map_err(|error| Refused(StatusCode::INSUFFICIENT_STORAGE, error))?;
    let stats = control.engine.log_stats().await.map_err(|_| NotDone::Stopping)?;
    Ok(Json(Compacted {
        generation: report.generation,
        records_before: report.records_before,
        records_after: report.records_after,
        closed_window: report.closed_window,
        windows_with_body_key: count(stats.windows.iter().filter(|window| window.has_body_key)),
    }))
}

async fn ledger(State(control): State<Control>) -> Result<Json<LedgerView>, Refused> {
    let ledger = control.engine.lasting_ledger().await;
    let ledger = ledger.map_err(|error| Refused(StatusCode::INSUFFICIENT_STORAGE, error))?;
    let clock = ledger.checkpoint.ok_or(NotDone::Stopping)?;
    Ok(Json(LedgerView {
        events: ledger.events.iter().map(|event| BASE64.encode(event)).collect(),
        box_time_ms: clock.box_time.0,
        ledger_time_ms: clock.ledger_time.0,
        unix_ms: clock.unix_ms,
    }))
}

async fn status(State(control): State<Control>) -> Result<Json<StatusView>, Refused> {
    Ok(Json(view(&control).await?))
}

async fn view(control: &Control) -> Result<StatusView, NotDone> {
    Ok(status_view(control, &rules_status(control).await?).await)
}

async fn rules_status(control: &Control) -> Result<Status, NotDone> {
    match control.ask(Ask::Status).await? {
        Answer::Status(status) => Ok(*status),
        _ => Err(NotDone::Stopping),
    }
}

pub async fn status_view(control: &Control, rules: &Status) -> StatusView {
    let log = control.engine.log_stats().await.unwrap_or_default();
    let counters = &rules.counters;
    StatusView {
        pending: rules.pending,
        pending_bytes: rules.pending_bytes,
        accepted: counters.accepted,
        delivered: counters.delivered,
        expired: counters.expired,
        online_only: counters.online_only,
        duplicates: counters.duplicates,
        pushed: counters.pushed,
        refused: counters.refusals.values().sum(),
        members: rules.members,
        devices: rules.devices,
        connected: rules.owners_connected,
        senders: rules.others_connected,
        windows: log.windows.len() as u64,
        windows_with_body_key: count(log.windows.iter().filter(|window| window.has_body_key)),
        lost_windows: rules.lost_windows,
        damaged_records: log.quarantined_records,
        generation: log.generation,
        bytes_on_disk: log.bytes_on_disk,
        storing_fails: rules.storing_fails,
        memory_bytes: metrics::resident_bytes(),
        uptime_s: control.engine.uptime().as_secs(),
        last_stop: control.start.last_stop.clone(),
        unusual: unusual(control),
        // Whoever asks looks at the folder for these.
        last_backup: None,
        restored_from: None,
    }
}

pub fn unusual(control: &Control) -> Vec<Unusual> {
    let snapshot = control.watch.snapshot();
    let number = |kind| snapshot.seen.iter().find(|seen| seen.kind == kind);
    let view = |sentence: Sentence| Unusual {
        kind: sentence.kind.name().to_owned(),
        last_hour: number(sentence.kind).map_or(0, |seen| seen.last_hour),
        day_before: number(sentence.kind).map_or(0, |seen| seen.day_before),
        text: sentence.text,
    };
    sentences(&snapshot).into_iter().map(view).collect()
}

// The order says nothing, and is read all the same, as above.
async fn restart(State(control): State<Control>, _order: Bytes) -> Result<Json<Restarting>, Refused> {
    control.restart().await.map(Json).map_err(|why| Refused(StatusCode::CONFLICT, why))
}

async fn care(State(control): State<Control>) -> Result<Json<CareView>, Refused> {
    let engine = &control.engine;
    let clock = engine.clock_view().await.map_err(|_| NotDone::Stopping)?;
    let log = engine.log_stats().await.map_err(|_| NotDone::Stopping)?;
    let recovery = engine.recovery();
    let watchdog = service::watchdog().map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
    Ok(Json(CareView {
        pid: std::process::id(),
        run: control.start.run,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        identity: engine.identity().public.to_string(),
        listening_on: control.listening_on.to_string(),
        metrics: control.metrics.map(|address| address.to_string()),
        unix_ms_by_records: clock.unix_ms,
        time_confirmed: clock.is_confirmed,
        old_mail_until_s: clock.old_mail_for.map(|left| left.as_secs()),
        cut_tails: recovery.cut_tails,
        ledger_restored: recovery.ledger_restored,
        ledger_lost: recovery.ledger_lost,
        refused_commits: log.refused_commits,
        service: ServiceView {
            notifies: service::is_there(),
            watchdog_ms: watchdog,
            activated: control.start.activated,
        },
        status: view(&control).await?,
    }))
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.count() as u64
}

async fn ready(State(control): State<Control>) -> Response {
    if control.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match rules_status(&control).await {
        Ok(status) if status.storing_fails => (StatusCode::SERVICE_UNAVAILABLE, "cannot store\n").into_response(),
        Ok(_) => "ready\n".into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response(),
    }
}

async fn figures(State(control): State<Control>) -> Result<Response, Refused> {
    let rules = rules_status(&control).await?;
    let view = status_view(&control, &rules).await;
    let text = metrics::text(&view, &rules.counters.refusals);
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
