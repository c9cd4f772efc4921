//! `/live`: figures as they change, as server-sent events (HTML, section 9.2). An open page prolongs no session.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use hob_admin_ui::live::{Versions, event};
use hob_admin_ui::view::error::Failed;
use hob_admin_ui::{Chrome, Here};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::Role;
use tokio::sync::OwnedSemaphorePermit;

use crate::admin::Admin;
use crate::admin::pages::overview::Known;
use crate::admin::request::{At, Reply};

/// How often somebody who watches is told.
const EVERY: Duration = Duration::from_secs(2);

/// One stream.
struct Watching {
    admin: Arc<Admin>,
    chrome: Chrome,
    cookie: String,
    last: String,
    first: bool,
    _place: OwnedSemaphorePermit,
}

/// The stream.
pub async fn stream(at: At) -> Reply {
    if at.keeper.is_none() {
        return Err(StatusCode::UNAUTHORIZED.into_response());
    }
    at.signed_in(Role::Viewer)?;
    let Ok(place) = Arc::clone(&at.admin.streams).try_acquire_owned() else {
        return Err(at.fail(StatusCode::SERVICE_UNAVAILABLE, Failed::TooOften { wait_s: 30 }));
    };
    let watching = Watching {
        chrome: at.chrome(Here::Overview, None),
        cookie: at.session_cookie().to_owned(),
        admin: Arc::clone(&at.admin),
        last: String::new(),
        first: true,
        _place: place,
    };
    let events = stream::unfold(watching, |mut watching| async {
        let text = watching.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), watching))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
    let answer: Response = (kind, Body::from_stream(events)).into_response();
    Ok(answer)
}

impl Watching {
    /// The next event; a comment keeps a connection alive on which nothing changes.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.first) {
            tokio::time::sleep(EVERY).await;
        }
        if !self.admin.sessions.is_good(&self.cookie, self.admin.now()) {
            return None;
        }
        let keeping = self.admin.keeping().await.ok()?;
        let known = Known::ask(&self.admin).await?;
        self.chrome.now_unix_s = self.admin.unix_s();
        let figures = known.figures(&self.admin, &keeping.settings);
        let data = event(&figures, &versions(&self.admin).await, &self.chrome);
        if data == self.last {
            return Some(": still here\n\n".to_owned());
        }
        let text = format!("data: {data}\n\n");
        self.last = data;
        Some(text)
    }
}

/// What differs when a page does.
pub async fn versions(admin: &Admin) -> Versions {
    let mut members = blake3::Hasher::new();
    let mut invitations = blake3::Hasher::new();
    if let Ok(Answer::Members(all)) = admin.control.ask(Ask::Members).await {
        for member in all {
            members.update(&member.id.0).update(member.label.as_bytes()).update(&[u8::from(member.suspended)]);
            invitations.update(&member.id.0);
            for device in member.devices {
                members.update(&device.mailbox.0).update(&[u8::from(device.connected)]);
            }
        }
    }
    if let Ok(Answer::Invitations(open)) = admin.control.ask(Ask::Invitations).await {
        for invitation in open {
            invitations.update(&invitation.id.0);
        }
    }
    let memory = match admin.control.engine.log_stats().await {
        Ok(log) => {
            let windows = log.windows.iter().map(|window| format!("{}{}", window.number, window.has_body_key));
            format!("{}-{}-{}", log.generation, windows.collect::<String>(), admin.verifying.version())
        }
        Err(_) => String::new(),
    };
    let short = |hasher: &blake3::Hasher| super::hex(hasher.finalize().as_bytes().get(..8).unwrap_or_default());
    Versions {
        // Charts go on by the minute.
        overview: (admin.unix_s() / 60).to_string(),
        members: short(&members),
        invitations: short(&invitations),
        memory: short(blake3::Hasher::new().update(memory.as_bytes())),
        reports: String::new(),
    }
}
