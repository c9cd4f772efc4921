//! A file a page: it asks for what the page shows, or does what a form asks for, and has the page drawn.
//!
//! Every form is sent by POST and leads to a page by redirect, so that going back and reloading send nothing again.
//!
//! # Layout
//! - [`setup`], [`sign_in`]: getting in. [`acts`]: whatever asks "are you sure?".
//! - [`overview`], [`live`]: how it stands. [`members`], [`invitations`]: who is here. [`memory`]: the log.
//! - [`looks`]: pages that only show. [`records`]: audit log and log. [`settings`], [`keepers`], [`backup`]: what owners set.

pub mod acts;
pub mod backup;
pub mod invitations;
pub mod keepers;
pub mod live;
pub mod looks;
pub mod members;
pub mod memory;
pub mod overview;
pub mod records;
pub mod settings;
pub mod setup;
pub mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use hob_admin_ui::view::error::Failed;

use crate::admin::request::At;
use crate::admin::{Admin, guard, json};

/// Everything that the dashboard's port answers.
pub fn router(admin: Arc<Admin>) -> Router {
    let pages = Router::new()
        .route("/setup", get(setup::first).post(setup::code))
        .route("/setup/password", get(setup::password_form).post(setup::password))
        .route("/setup/box", get(setup::naming_form).post(setup::naming))
        .route("/setup/invite", get(setup::invitation_form).post(setup::invitation))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/", get(overview::page))
        .route("/live", get(live::stream))
        .route("/members", get(members::list))
        .route("/members/{id}", get(members::one))
        .route("/invitations", get(invitations::list).post(invitations::make))
        .route("/invitations/print", get(invitations::print))
        .route("/invitations/{id}", get(invitations::one))
        .route("/memory", get(memory::page))
        .route("/traffic", get(looks::traffic))
        .route("/network", get(looks::network))
        .route("/about", get(looks::about))
        .route("/audit", get(records::audit))
        .route("/audit.csv", get(records::audit_csv))
        .route("/logs", get(records::logs))
        .route("/logs.txt", get(records::logs_text))
        .route("/settings", get(settings::page).post(settings::save))
        .route("/settings/sessions", get(keepers::sessions))
        .route("/settings/password", post(keepers::password))
        .route("/settings/totp/begin", post(keepers::totp_begin))
        .route("/settings/totp/on", post(keepers::totp_on))
        .route("/settings/totp/off", post(keepers::totp_off))
        .route("/settings/keepers", get(keepers::keepers).post(keepers::add_keeper))
        .route("/settings/keepers/{id}/role", post(keepers::change_role))
        .route("/settings/tokens", get(keepers::tokens).post(keepers::make_token))
        .route("/settings/backup", get(backup::page).post(backup::make));
    acts::routes(pages)
        .merge(json::routes())
        .route("/assets/{name}", get(asset))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .layer(from_fn_with_state(Arc::clone(&admin), guard::watch))
        .with_state(admin)
}

/// Under names that change with their bytes, so a browser may keep them for ever (RFC 8246).
async fn asset(request: Request) -> Response {
    let found = hob_admin_ui::assets().iter().find(|asset| asset.path == request.uri().path());
    match found {
        Some(asset) => {
            let keep = HeaderValue::from_static("public, max-age=31536000, immutable");
            let kind = HeaderValue::from_static(asset.content_type);
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)], asset.bytes).into_response()
        }
        None => guard::failure(StatusCode::NOT_FOUND, Failed::NotFound),
    }
}

async fn nothing_here(at: At) -> Response {
    at.not_found()
}

async fn wrong_method(at: At) -> Response {
    at.fail(StatusCode::METHOD_NOT_ALLOWED, Failed::NotThatWay)
}

/// Bytes as they stand in paths.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Sixteen bytes of a path.
pub fn id_of(text: &str) -> Option<[u8; 16]> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
