//! Whatever asks "are you sure?": asked by GET at the path to which its form is sent by POST. One way through for all of
//! them: role, form, what was typed, deed, notice.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use hob_admin_ui::view::confirm::{Act, Confirm};
use hob_admin_ui::view::wait::{Wait, WaitOn};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_protocol::ids::{InvitationId, MailboxId};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{Change, Role};

use crate::admin::Admin;
use crate::admin::pages::{hex, id_of, invitations, keepers, members, memory};
use crate::admin::request::{At, Reply};
use crate::admin::sessions::Holder;

/// How long an answer may take to be read before the box goes.
const ANSWER_READ_WITHIN: Duration = Duration::from_millis(500);

/// What is asked about, with everything that is needed to do it.
struct Asked {
    act: Act,
    needed: Role,
    here: Here,
    deed: Deed,
    /// Where it leads when it is done, and what is told there.
    to: String,
    notice: Notice,
}

/// What is done.
enum Deed {
    /// Something that the rules do.
    Order(Ask),
    Compact,
    Verify,
    /// After these the box does not answer for a while.
    Leave(WaitOn),
    EndSession(String),
    EndOtherSessions,
}

/// The paths.
pub fn routes(router: Router<Arc<Admin>>) -> Router<Arc<Admin>> {
    let paths = [
        "/members/{id}/remove",
        "/members/{id}/suspend",
        "/members/{id}/resume",
        "/members/{id}/devices/{device}/revoke",
        "/invitations/{id}/withdraw",
        "/memory/compact",
        "/memory/verify",
        "/settings/restart",
        "/settings/shutdown",
        "/settings/reset",
        "/settings/sessions/revoke-others",
        "/settings/sessions/{id}/revoke",
        "/settings/keepers/{id}/remove",
        "/settings/tokens/{id}/revoke",
    ];
    paths.into_iter().fold(router, |router, path| router.route(path, get(question).post(answer)))
}

/// What a path asks for.
async fn asked(at: &At) -> Result<Asked, Response> {
    at.signed_in(Role::Viewer)?;
    let words: Vec<&str> = at.path.split('/').skip(1).collect();
    match words.as_slice() {
        ["members", _, "devices", _, "revoke"] => revoke_device(at).await,
        ["members", _, verb] => of_member(at, verb).await,
        ["invitations", _, "withdraw"] => withdraw(at).await,
        ["memory", verb] => of_memory(at, verb),
        ["settings", "sessions", ..] => of_sessions(at),
        ["settings", "keepers", _, "remove"] => remove_keeper(at),
        ["settings", "tokens", _, "revoke"] => revoke_token(at),
        ["settings", verb] => of_box(at, verb).await,
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
    Ok(Asked { act, needed: Role::Keeper, here: Here::Members, deed: Deed::Order(order), to, notice })
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
        deed: Deed::Order(Ask::RevokeDevice { mailbox: device.mailbox }),
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
        deed: Deed::Order(Ask::Withdraw { invitation: found.id }),
        to: "/invitations".to_owned(),
        notice: Notice::Withdrawn,
    })
}

fn of_memory(at: &At, verb: &str) -> Result<Asked, Response> {
    let (act, deed, notice) = match verb {
        "compact" => {
            // What it did is known when it is done.
            (Act::Compact, Deed::Compact, Notice::Compacted { records_before: 0, records_after: 0 })
        }
        "verify" => (Act::Verify, Deed::Verify, Notice::Verifying),
        _ => return Err(at.not_found()),
    };
    Ok(Asked { act, needed: Role::Keeper, here: Here::Memory, deed, to: "/memory".to_owned(), notice })
}

fn of_sessions(at: &At) -> Result<Asked, Response> {
    let keeper = at.signed_in(Role::Viewer)?;
    let to = "/settings/sessions".to_owned();
    let settings = |act, deed, notice| Asked { act, needed: Role::Viewer, here: Here::Settings, deed, to, notice };
    if at.path.ends_with("/revoke-others") {
        let notice = Notice::OtherSessionsRevoked;
        return Ok(settings(Act::RevokeOtherSessions, Deed::EndOtherSessions, notice));
    }
    // One's own only.
    let mine = at.admin.sessions.of_keeper(keeper.id, at.admin.now());
    let found = mine.into_iter().find(|session| session.id == at.key("id")).ok_or_else(|| at.not_found())?;
    let act = Act::RevokeSession { id: found.id.clone() };
    Ok(settings(act, Deed::EndSession(found.id), Notice::SessionRevoked))
}

fn remove_keeper(at: &At) -> Result<Asked, Response> {
    at.signed_in(Role::Owner)?;
    let keeper = keepers::keeper_of_path(at)?;
    let (id, name) = (hex(&keeper.id.0), keeper.name);
    Ok(Asked {
        act: Act::RemoveKeeper { id, name: name.clone() },
        needed: Role::Owner,
        here: Here::Settings,
        deed: Deed::Order(Ask::Change(Change::RemoveKeeper(keeper.id))),
        to: "/settings/keepers".to_owned(),
        notice: Notice::KeeperRemoved { name },
    })
}

fn revoke_token(at: &At) -> Result<Asked, Response> {
    at.signed_in(Role::Owner)?;
    let id = id_of(at.key("id"));
    let found = at.keeping.tokens.iter().find(|token| Some(token.id) == id).ok_or_else(|| at.not_found())?;
    Ok(Asked {
        act: Act::RevokeToken { id: hex(&found.id), name: found.name.clone() },
        needed: Role::Owner,
        here: Here::Settings,
        deed: Deed::Order(Ask::Change(Change::RemoveToken(found.id))),
        to: "/settings/tokens".to_owned(),
        notice: Notice::TokenRevoked,
    })
}

async fn of_box(at: &At, verb: &str) -> Result<Asked, Response> {
    at.signed_in(Role::Owner)?;
    let (act, on) = match verb {
        "restart" => (Act::Restart, WaitOn::Restart),
        "shutdown" => (Act::ShutDown, WaitOn::ShutDown),
        "reset" => {
            let second = at.query.get("step") == "2" || !at.form.get("csrf").is_empty();
            let members = members::all(at).await?.len() as u64;
            (Act::Reset { step: if second { 2 } else { 1 }, members }, WaitOn::Reset)
        }
        _ => return Err(at.not_found()),
    };
    let to = "/settings".to_owned();
    Ok(Asked { act, needed: Role::Owner, here: Here::Settings, deed: Deed::Leave(on), to, notice: Notice::Saved })
}

/// The question.
async fn question(at: At) -> Reply {
    let asked = asked(&at).await?;
    at.signed_in(asked.needed)?;
    let confirm = Confirm { act: asked.act, typed: String::new(), errors: Errors::default() };
    Ok(at.page(asked.here, |chrome| confirm.render(chrome)))
}

/// `/members` of `/members/{id}/remove`; `/settings/tokens` of `/settings/tokens/{id}/revoke`.
fn list_of(path: &str) -> String {
    match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["settings", section, _, _] => format!("/settings/{section}"),
        [first, ..] => format!("/{first}"),
        [] => "/".to_owned(),
    }
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
    if let Some(errors) = wrong_with(&at, &asked.act, &typed).await {
        return Err(at.again(asked.here, |chrome| form(errors).render(chrome)));
    }
    let notice = match carry_out(&at, &asked).await? {
        Done::Told(notice) => notice,
        Done::Page(page) => {
            once.done();
            return Ok(page);
        }
    };
    once.done();
    Ok(at.tell(notice, &asked.to))
}

/// What was typed does not fit.
async fn wrong_with(at: &At, act: &Act, typed: &str) -> Option<Errors> {
    let name = match act {
        Act::RemoveMember { label, .. } => label.clone(),
        Act::Reset { .. } => at.keeping.settings.box_name.clone().unwrap_or_default(),
        _ => return None,
    };
    // A box that has no name yet is called what the page calls it.
    if !Confirm::is_name(typed, &name) && !name.is_empty() {
        let wrong = if typed.is_empty() { Wrong::Empty } else { Wrong::NotThatName };
        return Some(Errors::one("typed", wrong));
    }
    if matches!(act, Act::Reset { .. }) {
        let keeper = at.keeper.as_ref()?;
        let source = at.source();
        if let Err(wait) = at.admin.limits.may_guess(source, at.admin.now()) {
            return Some(Errors::one("password", Wrong::Wait { seconds: wait.as_secs() + 1 }));
        }
        if !at.admin.passwords.fits(at.form.get("password"), Some(&keeper.password)).await {
            at.admin.limits.wrong(source, at.admin.now());
            return Some(Errors::one("password", Wrong::NotAccepted));
        }
    }
    None
}

enum Done {
    Told(Notice),
    Page(Response),
}

async fn note(at: &At, what: &'static str) -> Result<(), Response> {
    let _ = at.change(Change::Note { what, about: String::new() }).await?;
    Ok(())
}

async fn carry_out(at: &At, asked: &Asked) -> Result<Done, Response> {
    match &asked.deed {
        Deed::Order(ask) => {
            if let Answer::NotPossible(why) = at.order(ask.clone()).await? {
                return Ok(Done::Told(Notice::Other { failed: true, text: why.to_string() }));
            }
        }
        Deed::Compact => {
            let failed = |why| {
                tracing::warn!("the ledger could not be compacted for the dashboard");
                Done::Told(Notice::Other { failed: true, text: why })
            };
            let report = match memory::compact(&at.admin).await {
                Ok(report) => report,
                Err(why) => return Ok(failed(why)),
            };
            note(at, "compacted").await?;
            let (records_before, records_after) = (report.records_before, report.records_after);
            return Ok(Done::Told(Notice::Compacted { records_before, records_after }));
        }
        Deed::Verify => {
            memory::begin_to_verify(&at.admin).await;
            note(at, "verified").await?;
        }
        Deed::EndSession(id) => {
            at.admin.sessions.keep(|session| session.id != *id);
            note(at, "session-revoked").await?;
        }
        Deed::EndOtherSessions => {
            let mine = at.keeper.as_ref().map(|keeper| Holder::Keeper(keeper.id));
            let this = at.session.as_ref().map(|session| session.id.clone());
            at.admin.sessions.keep(|session| Some(session.holder) != mine || Some(&session.id) == this.as_ref());
            note(at, "session-revoked").await?;
        }
        Deed::Leave(on) => return leave(at, *on).await.map(Done::Page),
    }
    Ok(Done::Told(asked.notice.clone()))
}

/// The box goes, once the answer was read.
async fn leave(at: &At, on: WaitOn) -> Reply {
    let what = match on {
        WaitOn::Restart | WaitOn::Restore => "restarted",
        WaitOn::ShutDown => "shut-down",
        WaitOn::Reset => "reset",
    };
    let control = at.admin.control.clone();
    if on == WaitOn::Restart
        && let Err(why) = control.program_is_good().await
    {
        return Err(at.tell(Notice::Other { failed: true, text: why }, "/settings"));
    }
    note(at, what).await?;
    tokio::spawn(async move {
        tokio::time::sleep(ANSWER_READ_WITHIN).await;
        match on {
            WaitOn::Restart | WaitOn::Restore => control.again.notify_one(),
            WaitOn::ShutDown => control.stop.notify_one(),
            WaitOn::Reset => control.reset.notify_one(),
        }
    });
    let wait = Wait { on };
    Ok(at.page_as(StatusCode::OK, Here::Outside, None, |chrome| wait.render(chrome)))
}
