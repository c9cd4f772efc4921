//! Whatever asks "are you sure?": asked by GET at the path to which its form is sent by POST. One way through for all of
//! them: role, form, what was typed, order, notice.

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use hob_admin_ui::view::confirm::{Act, Confirm};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_protocol::ids::{InvitationId, MailboxId};
use hob_relay::admin::Ask;
use hob_relay::keeping::{Change, Role};

use crate::admin::Admin;
use crate::admin::pages::{hex, id_of, invitations, members};
use crate::admin::request::{At, Reply};

/// What is asked about, with everything that is needed to do it.
struct Asked {
    act: Act,
    needed: Role,
    here: Here,
    order: Ask,
    /// Where it leads when it is done, and what is told there.
    to: String,
    notice: Notice,
}

/// The paths.
pub fn routes(router: Router<Arc<Admin>>) -> Router<Arc<Admin>> {
    let paths = [
        "/members/{id}/remove",
        "/members/{id}/suspend",
        "/members/{id}/resume",
        "/members/{id}/devices/{device}/revoke",
        "/invitations/{id}/withdraw",
    ];
    paths.into_iter().fold(router, |router, path| router.route(path, super::asked(get(question).post(answer))))
}

/// What a path asks for.
async fn asked(at: &At) -> Result<Asked, Response> {
    at.signed_in(Role::Viewer)?;
    let last = at.path.rsplit('/').next().unwrap_or_default();
    match (at.path.split('/').nth(1), last) {
        (Some("members"), "revoke") => revoke_device(at).await,
        (Some("members"), verb) => of_member(at, verb).await,
        (Some("invitations"), _) => withdraw(at).await,
        _ => Err(at.not_found()),
    }
}

async fn of_member(at: &At, verb: &str) -> Result<Asked, Response> {
    let member = members::of_path(at).await?;
    let (id, label) = (hex(&member.id.0), member.label.clone());
    let page = format!("/members/{id}");
    let (act, order, to, notice) = match verb {
        "remove" => {
            let waiting = member.devices.iter().map(|device| u64::from(device.pending)).sum();
            let act = Act::RemoveMember { id, label: label.clone(), devices: member.devices.len() as u64, waiting };
            let order = Ask::RevokeMember { member: member.id };
            (act, order, "/members".to_owned(), Notice::MemberRemoved { label })
        }
        "suspend" => {
            let act = Act::SuspendMember { id, label: label.clone() };
            (act, Ask::Change(Change::Suspend(member.id)), page, Notice::MemberSuspended { label })
        }
        "resume" => {
            let act = Act::ResumeMember { id, label: label.clone() };
            (act, Ask::Change(Change::Resume(member.id)), page, Notice::MemberResumed { label })
        }
        _ => return Err(at.not_found()),
    };
    Ok(Asked { act, needed: Role::Keeper, here: Here::Members, order, to, notice })
}

async fn revoke_device(at: &At) -> Result<Asked, Response> {
    let member = members::of_path(at).await?;
    let mailbox = id_of(at.key("device")).map(MailboxId);
    let found = member.devices.iter().find(|device| Some(device.mailbox) == mailbox);
    let device = found.ok_or_else(|| at.not_found())?;
    let is_last = member.devices.len() == 1;
    let id = hex(&member.id.0);
    let to = if is_last { "/members".to_owned() } else { format!("/members/{id}") };
    Ok(Asked {
        order: Ask::RevokeDevice { mailbox: device.mailbox },
        act: Act::RevokeDevice {
            member: id,
            label: member.label.clone(),
            device: hex(&device.mailbox.0),
            waiting: u64::from(device.pending),
            is_last,
        },
        needed: Role::Keeper,
        here: Here::Members,
        to,
        notice: Notice::DeviceRevoked,
    })
}

async fn withdraw(at: &At) -> Result<Asked, Response> {
    let id = id_of(at.key("id")).map(InvitationId);
    let open = invitations::open(at).await?;
    let found = open.iter().find(|view| Some(view.id) == id).ok_or_else(|| at.not_found())?;
    Ok(Asked {
        act: Act::Withdraw { id: hex(&found.id.0) },
        needed: Role::Keeper,
        here: Here::Invitations,
        order: Ask::Withdraw { invitation: found.id },
        to: "/invitations".to_owned(),
        notice: Notice::Withdrawn,
    })
}

/// The question.
async fn question(at: At) -> Reply {
    let asked = asked(&at).await?;
    at.signed_in(asked.needed)?;
    let confirm = Confirm { act: asked.act, typed: String::new(), errors: Errors::default() };
    Ok(at.page(asked.here, |chrome| confirm.render(chrome)))
}

/// `/members` of `/members/{id}/remove`.
fn list_of(path: &str) -> String {
    format!("/{}", path.split('/').nth(1).unwrap_or_default())
}

/// Yes.
async fn answer(at: At) -> Reply {
    // A second click finds nobody left to remove: that is no failure.
    at.refuse_repeated(&list_of(&at.path))?;
    let asked = asked(&at).await?;
    at.signed_in(asked.needed)?;
    let typed = at.form.get("typed").to_owned();
    let form = |errors| Confirm { act: asked.act.clone(), typed: typed.clone(), errors };
    let once = at.once(&asked.to, |at| at.stale(asked.here, |chrome| form(Errors::default()).render(chrome)))?;
    if let Act::RemoveMember { label, .. } = &asked.act
        && !Confirm::is_name(&typed, label)
    {
        let wrong = if typed.is_empty() { Wrong::Empty } else { Wrong::NotThatName };
        return Err(at.again(asked.here, |chrome| form(Errors::one("typed", wrong)).render(chrome)));
    }
    at.order(asked.order.clone()).await?;
    once.done();
    Ok(at.tell(asked.notice, &asked.to))
}
