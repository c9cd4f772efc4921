//! First start, in four screens. Each can be left: the ledger knows how far it came, and whoever comes back goes on there.

use hob_admin_ui::view::invitations::Ticket;
use hob_admin_ui::view::setup::{Code, FirstInvitation, Naming, Password, Strength};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{Change, Keeper, KeeperId, NAME_CHARACTERS_MAX, Role, SetUp, Settings};

use crate::admin::pages::invitations::{self, ticket};
use crate::admin::password::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN};
use crate::admin::request::{At, Reply};
use crate::admin::sessions::Holder;

/// Where the set-up goes on for whoever asks.
fn next_screen(at: &At) -> &'static str {
    match (at.keeping.set_up, &at.session) {
        (SetUp::New, Some(_)) => "/setup/password",
        (SetUp::New, None) => "/setup",
        (SetUp::HasOwner, _) => "/setup/box",
        (SetUp::HasName, _) => "/setup/invite",
        (SetUp::Done, _) => "/",
    }
}

/// `/setup`: asks for the code, or leads to where it was left.
pub async fn first(at: At) -> Reply {
    match next_screen(&at) {
        "/setup" => Ok(at.page(Here::Outside, |chrome| Code::default().render(chrome))),
        next => Ok(at.go(next)),
    }
}

/// The code was typed.
pub async fn code(at: At) -> Reply {
    if at.keeping.set_up != SetUp::New {
        return Ok(at.go("/"));
    }
    let typed = at.form.trimmed("code");
    let again = |wrong| Code { code: typed.clone(), errors: Errors::one("code", wrong) };
    let once = at.once("/setup", |at| {
        let form = Code { code: typed.clone(), errors: Errors::default() };
        at.stale(Here::Outside, |chrome| form.render(chrome))
    })?;
    let source = at.source();
    match at.admin.limits.may_guess(source, at.admin.now()) {
        Err(wait) => {
            let seconds = wait.as_secs() + 1;
            let form = again(Wrong::Wait { seconds });
            return Err(at.too_often(|chrome| form.render(chrome), seconds));
        }
        Ok(held_up) => tokio::time::sleep(held_up).await,
    }
    if !at.admin.code.is(&typed) {
        at.admin.limits.wrong(source, at.admin.now());
        let form = again(if typed.is_empty() { Wrong::Empty } else { Wrong::WrongCode });
        return Err(at.again(Here::Outside, |chrome| form.render(chrome)));
    }
    at.admin.limits.right(source);
    once.done();
    Ok(at.begin_session(Holder::SettingUp, None, "/setup/password"))
}

/// Whether the screen is this browser's to see.
fn is_setting_up(at: &At) -> Result<(), axum::response::Response> {
    if at.keeping.set_up == SetUp::New && at.session.is_some() { Ok(()) } else { Err(at.go(next_screen(at))) }
}

/// `/setup/password`.
pub async fn password_form(at: At) -> Reply {
    is_setting_up(&at)?;
    Ok(at.page(Here::Outside, |chrome| Password::default().render(chrome)))
}

/// What is wrong with a new password that was typed twice.
pub fn judge_password(at: &At, password: &str, again: &str, errors: &mut Errors) {
    let (typed, repeated) = (at.form.get(password), at.form.get(again));
    if typed.is_empty() {
        errors.add(password, Wrong::Empty);
    } else if typed.chars().count() < PASSWORD_CHARACTERS_MIN {
        errors.add(password, Wrong::TooShort { min: PASSWORD_CHARACTERS_MIN as u64 });
    } else if typed.len() > PASSWORD_BYTES_MAX {
        errors.add(password, Wrong::TooLong { max: PASSWORD_BYTES_MAX as u64 });
    } else if typed != repeated {
        errors.add(again, Wrong::NotTheSame);
    }
}

/// What is wrong with a name.
pub fn judge_name(name: &str) -> Option<Wrong> {
    if name.is_empty() {
        return Some(Wrong::Empty);
    }
    (name.chars().count() > NAME_CHARACTERS_MAX).then_some(Wrong::TooLong { max: NAME_CHARACTERS_MAX as u64 })
}

/// The owner chose a password.
pub async fn password(at: At) -> Reply {
    is_setting_up(&at)?;
    let name = at.form.trimmed("name");
    let strength = Some(at.form.get("password")).filter(|typed| !typed.is_empty()).map(Strength::of);
    let form = |errors| Password { name: name.clone(), strength, errors };
    let once = at.once("/setup/box", |at| at.stale(Here::Outside, |chrome| form(Errors::default()).render(chrome)))?;
    let mut errors = Errors::default();
    if let Some(wrong) = judge_name(&name) {
        errors.add("name", wrong);
    }
    judge_password(&at, "password", "again", &mut errors);
    if !errors.is_empty() {
        return Err(at.again(Here::Outside, |chrome| form(errors).render(chrome)));
    }
    let said = |text: String| form(Errors::one("password", Wrong::Said(text)));
    let password = match at.admin.passwords.hash(at.form.get("password")).await {
        Ok(hash) => hash,
        Err(error) => return Err(at.again(Here::Outside, |chrome| said(error.to_string()).render(chrome))),
    };
    let id =
        new_keeper_id().map_err(|error| at.again(Here::Outside, |chrome| said(error.to_string()).render(chrome)))?;
    let owner = Keeper {
        id,
        name: name.clone(),
        role: Role::Owner,
        password,
        totp_secret: Vec::new(),
        made_at_s: at.admin.unix_s(),
    };
    if at.change(Change::FirstOwner(owner)).await?.is_err() {
        // Somebody else was faster: the code is dead.
        return Ok(at.go("/sign-in"));
    }
    // Other browsers that typed the code have nothing more to do.
    at.admin.sessions.keep(|session| session.holder != Holder::SettingUp);
    once.done();
    Ok(at.begin_session(Holder::Keeper(id), None, "/setup/box"))
}

/// A random one.
///
/// # Errors
/// The system gives no random bytes.
pub fn new_keeper_id() -> Result<KeeperId, getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(KeeperId(id))
}

/// All zones of the system's database.
pub fn zones() -> Vec<String> {
    let mut zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    zones.sort();
    if zones.is_empty() {
        zones.push("UTC".to_owned());
    }
    zones
}

/// The machine's own zone, as a first guess.
fn machine_zone() -> String {
    let zone = jiff::tz::TimeZone::system();
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// `/setup/box`.
pub async fn naming_form(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    if at.keeping.set_up == SetUp::Done {
        return Ok(at.go("/"));
    }
    let form = Naming {
        name: at.keeping.settings.box_name.clone().unwrap_or_default(),
        zone: at.keeping.settings.time_zone.clone().unwrap_or_else(machine_zone),
        zones: zones(),
        errors: Errors::default(),
    };
    Ok(at.page(Here::Outside, |chrome| form.render(chrome)))
}

/// The box was given a name.
pub async fn naming(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let (name, zone) = (at.form.trimmed("name"), at.form.trimmed("zone"));
    let form = |errors| Naming { name: name.clone(), zone: zone.clone(), zones: zones(), errors };
    let once =
        at.once("/setup/invite", |at| at.stale(Here::Outside, |chrome| form(Errors::default()).render(chrome)))?;
    let mut errors = Errors::default();
    if let Some(wrong) = judge_name(&name) {
        errors.add("name", wrong);
    }
    if jiff::tz::TimeZone::get(&zone).is_err() {
        errors.add("zone", Wrong::NoZone);
    }
    if !errors.is_empty() {
        return Err(at.again(Here::Outside, |chrome| form(errors).render(chrome)));
    }
    let settings =
        Settings { box_name: Some(name.clone()), time_zone: Some(zone.clone()), ..at.keeping.settings.clone() };
    if let Err(why) = at.change(Change::Settings(settings)).await? {
        let errors = Errors::one("name", Wrong::Said(why.to_string()));
        return Err(at.again(Here::Outside, |chrome| form(errors).render(chrome)));
    }
    let _ = at.change(Change::SetUp(SetUp::HasName)).await?;
    once.done();
    Ok(at.go("/setup/invite"))
}

/// `/setup/invite`: an invitation to scan. The one of before is shown again, so that reloading makes no second one.
pub async fn invitation_form(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    match at.keeping.set_up {
        SetUp::Done => return Ok(at.go("/")),
        SetUp::HasOwner => return Ok(at.go("/setup/box")),
        SetUp::New | SetUp::HasName => {}
    }
    let open = invitations::open(&at).await?;
    let shown: Option<Ticket> = match open.last() {
        Some(view) => Some(ticket(&at, view)),
        None => make_one(&at).await?,
    };
    let members = super::members::all(&at).await?;
    let form = FirstInvitation {
        ticket: shown,
        joined: members.iter().max_by_key(|member| member.joined_at_s).map(|member| member.label.clone()),
        version: super::live::versions(&at.admin).await.invitations,
        errors: Errors::default(),
    };
    Ok(at.page(Here::Outside, |chrome| form.render(chrome)))
}

async fn make_one(at: &At) -> Result<Option<Ticket>, axum::response::Response> {
    let expires_in = std::time::Duration::from_secs(24 * 3600);
    match at.order(Ask::Invite { expires_in }).await? {
        Answer::Invited { invitation, secret, expires_at_s } => {
            let view = hob_relay::keeping::InvitationView { id: invitation, secret, expires_at_s };
            Ok(Some(ticket(at, &view)))
        }
        _ => Ok(None),
    }
}

/// The set-up ends, or another invitation is wanted.
pub async fn invitation(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let once = at.once("/setup/invite", |at| at.go("/setup/invite"))?;
    if at.form.is_checked("again") {
        make_one(&at).await?;
        once.done();
        return Ok(at.go("/setup/invite"));
    }
    let _ = at.change(Change::SetUp(SetUp::Done)).await?;
    once.done();
    Ok(at.tell(Notice::SetUp, "/"))
}
