//! `/invitations`: making them, the open ones, one to be scanned, several to be printed.

use std::time::Duration;

use axum::response::Response;
use hob_admin_ui::view::error::Failed;
use hob_admin_ui::view::invitations::{EXPIRES_H, HOW_MANY_MAX, Invitations, Open, Shown, Ticket};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_protocol::ids::InvitationId;
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{InvitationView, Role};

use crate::admin::pages::{hex, id_of};
use crate::admin::request::{At, Reply};

/// Those that nobody used yet.
///
/// # Errors
/// The page that says why there is no answer.
pub async fn open(at: &At) -> Result<Vec<InvitationView>, Response> {
    match at.ask(Ask::Invitations).await? {
        Answer::Invitations(open) => Ok(open),
        _ => Ok(Vec::new()),
    }
}

/// As it is shown.
pub fn ticket(at: &At, view: &InvitationView) -> Ticket {
    let invitation = at.admin.control.invitation(view.id, view.secret.clone(), view.expires_at_s);
    Ticket { id: hex(&view.id.0), link: invitation.to_link(), expires_unix_s: view.expires_at_s }
}

/// Whether the keeper's role may invite, as the owner set it.
///
/// # Errors
/// The page that says which role is needed.
pub fn may_invite(at: &At) -> Result<(), Response> {
    let needed = at.keeping.settings.inviting_role.unwrap_or(Role::Keeper);
    at.signed_in(needed)?;
    Ok(())
}

async fn view(at: &At, errors: Errors) -> Result<Invitations, Response> {
    // Whoever may not invite does not see the secrets either: a link of an open invitation is as good as a new one.
    let can_be_shown = may_invite(at).is_ok();
    let open = open(at).await?.into_iter().map(|view| Open {
        id: hex(&view.id.0),
        expires_unix_s: view.expires_at_s,
        for_member: None,
        can_be_shown,
    });
    Ok(Invitations {
        how_many: at.form.trimmed("how_many"),
        expires_h: at.form.trimmed("expires_h"),
        errors,
        open: open.collect(),
        version: super::live::versions(&at.admin).await.invitations,
    })
}

/// The list, with the form.
pub async fn list(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let view = view(&at, Errors::default()).await?;
    Ok(at.page(Here::Invitations, |chrome| view.render(chrome)))
}

/// New ones are wanted.
pub async fn make(at: At) -> Reply {
    may_invite(&at)?;
    let shown = view(&at, Errors::default()).await?;
    let once = at.once("/invitations", |at| at.stale(Here::Invitations, |chrome| shown.render(chrome)))?;
    let (count, hours) = match read(&at) {
        Ok(wanted) => wanted,
        Err(errors) => {
            let view = view(&at, errors).await?;
            return Err(at.again(Here::Invitations, |chrome| view.render(chrome)));
        }
    };
    let mut made = Vec::new();
    for _ in 0..count {
        let expires_in = Duration::from_secs(hours * 3600);
        match at.order(Ask::Invite { expires_in }).await? {
            Answer::Invited { invitation, .. } => made.push(hex(&invitation.0)),
            _ => return Err(at.fail(axum::http::StatusCode::SERVICE_UNAVAILABLE, Failed::CannotStore)),
        }
    }
    once.done();
    let to = match made.as_slice() {
        [one] => format!("/invitations/{one}"),
        several => format!("/invitations/print?ids={}", several.join(",")),
    };
    Ok(at.tell(Notice::Invited { count: u32::try_from(count).unwrap_or(u32::MAX) }, &to))
}

fn read(at: &At) -> Result<(u64, u64), Errors> {
    let mut errors = Errors::default();
    let count = match at.form.trimmed("how_many").as_str() {
        "" => Some(1),
        text => text.parse::<u64>().ok(),
    };
    match count {
        None => errors.add("how_many", Wrong::NotANumber),
        Some(count) if !(1..=HOW_MANY_MAX).contains(&count) => {
            errors.add("how_many", Wrong::OutOfBounds { from: "1".to_owned(), to: HOW_MANY_MAX.to_string() });
        }
        Some(_) => {}
    }
    let hours = match at.form.trimmed("expires_h").as_str() {
        "" => Some(24),
        text => text.parse::<u64>().ok().filter(|hours| EXPIRES_H.contains(hours)),
    };
    if hours.is_none() {
        errors.add("expires_h", Wrong::NoChoice);
    }
    match (count, hours) {
        (Some(count), Some(hours)) if errors.is_empty() => Ok((count, hours)),
        _ => Err(errors),
    }
}

/// One, large.
pub async fn one(at: At) -> Reply {
    let id = id_of(at.key("id"));
    shown(at, id.into_iter().collect()).await
}

/// Several, for paper.
pub async fn print(at: At) -> Reply {
    let ids = at.query.get("ids").split(',').take(HOW_MANY_MAX as usize).filter_map(id_of).collect();
    shown(at, ids).await
}

async fn shown(at: At, ids: Vec<[u8; 16]>) -> Reply {
    may_invite(&at)?;
    let open = open(&at).await?;
    let found = ids.iter().filter_map(|id| open.iter().find(|view| view.id == InvitationId(*id)));
    let tickets: Vec<Ticket> = found.map(|view| ticket(&at, view)).collect();
    if tickets.is_empty() {
        return Err(at.not_found());
    }
    let view = Shown { tickets, version: super::live::versions(&at.admin).await.invitations };
    Ok(at.page(Here::Invitations, |chrome| view.render(chrome)))
}
