//! Who keeps the box: one's own sign-in (`/settings/sessions`), other keepers, tokens for programs.

use std::time::Duration;

use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use hob_admin_ui::view::keepers::{Keeper as KeeperRow, Keepers};
use hob_admin_ui::view::sessions::{Session as SessionRow, Sessions, Totp};
use hob_admin_ui::view::tokens::{EXPIRES_D, Made, Token, Tokens};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_relay::keeping::{AutomationToken, Change, Keeper, NotPossible, Role, Scope};

use crate::admin::pages::setup::{judge_name, judge_password, new_keeper_id};
use crate::admin::pages::{hex, id_of};
use crate::admin::request::{At, Reply, ui_role};
use crate::admin::sessions::Holder;
use crate::admin::totp;

const DAY_S: u64 = 86_400;

fn sessions_view(at: &At, keeper: &Keeper, errors: Errors) -> Sessions {
    let now = at.admin.now();
    let rows = at.admin.sessions.of_keeper(keeper.id, now).into_iter().map(|session| SessionRow {
        this: at.session.as_ref().is_some_and(|this| this.id == session.id),
        began_unix_s: session.began_unix_s,
        used_unix_s: session.began_unix_s + session.used.saturating_sub(session.began).as_secs(),
        from: session.from.to_string(),
        browser: session.agent,
        id: session.id,
    });
    let offer = at.session.as_ref().and_then(|session| session.totp_offer.clone());
    let totp = match (&offer, keeper.totp_secret.is_empty()) {
        (_, false) => Totp::On,
        (Some(secret), true) => {
            let box_name = at.keeping.settings.box_name.as_deref().unwrap_or("Hob");
            Totp::SettingUp { uri: totp::link(secret, box_name, &keeper.name), secret: totp::shown(secret) }
        }
        (None, true) => Totp::Off,
    };
    Sessions { sessions: rows.collect(), totp, errors }
}

/// `/settings/sessions`.
pub async fn sessions(at: At) -> Reply {
    let keeper = at.signed_in(Role::Viewer)?;
    let view = sessions_view(&at, keeper, Errors::default());
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}

/// Whether the keeper's own password was typed; slowed down like signing in.
async fn current_fits(at: &At, keeper: &Keeper) -> Result<(), Wrong> {
    let source = at.source();
    if let Err(wait) = at.admin.limits.may_guess(source, at.admin.now()) {
        return Err(Wrong::Wait { seconds: wait.as_secs() + 1 });
    }
    if at.admin.passwords.fits(at.form.get("current"), Some(&keeper.password)).await {
        at.admin.limits.right(source);
        return Ok(());
    }
    at.admin.limits.wrong(source, at.admin.now());
    Err(Wrong::NotAccepted)
}

/// `/settings/password`: one's own.
pub async fn password(at: At) -> Reply {
    let keeper = at.signed_in(Role::Viewer)?;
    let again = |errors| {
        let view = sessions_view(&at, keeper, errors);
        at.again(Here::Settings, |chrome| view.render(chrome))
    };
    let once = at.once("/settings/sessions", |at| {
        let view = sessions_view(at, keeper, Errors::default());
        at.stale(Here::Settings, |chrome| view.render(chrome))
    })?;
    let mut errors = Errors::default();
    judge_password(&at, "password", "again", &mut errors);
    if !errors.is_empty() {
        return Err(again(errors));
    }
    if let Err(wrong) = current_fits(&at, keeper).await {
        return Err(again(Errors::one("current", wrong)));
    }
    let hash = at.admin.passwords.hash(at.form.get("password")).await;
    let password = hash.map_err(|error| again(Errors::one("password", Wrong::Said(error.to_string()))))?;
    let changed = Keeper { password, ..keeper.clone() };
    if let Err(why) = at.change(Change::PutKeeper(changed)).await? {
        return Err(again(Errors::one("password", Wrong::Said(why.to_string()))));
    }
    // Whoever knew the old one is out.
    let (mine, this) = (Holder::Keeper(keeper.id), at.session.as_ref().map(|session| session.id.clone()));
    at.admin.sessions.keep(|session| session.holder != mine || Some(&session.id) == this.as_ref());
    once.done();
    Ok(at.tell(Notice::PasswordChanged, "/settings/sessions"))
}

/// `/settings/totp/begin`: a secret is made and shown.
pub async fn totp_begin(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let once = at.once("/settings/sessions", |at| at.tell(Notice::StaleForm, "/settings/sessions"))?;
    let mut secret = vec![0; totp::SECRET_BYTES];
    if getrandom::fill(&mut secret).is_ok() {
        at.admin.sessions.offer_totp(at.session_cookie(), Some(secret));
    }
    once.done();
    Ok(at.go("/settings/sessions"))
}

/// `/settings/totp/on`: the app shows the right code, so it may be asked for from now on.
pub async fn totp_on(at: At) -> Reply {
    let keeper = at.signed_in(Role::Viewer)?;
    let once = at.once("/settings/sessions", |at| at.tell(Notice::StaleForm, "/settings/sessions"))?;
    let Some(secret) = at.session.as_ref().and_then(|session| session.totp_offer.clone()) else {
        return Ok(at.go("/settings/sessions"));
    };
    let Some(step) = totp::step_of(&secret, at.form.get("totp"), at.admin.unix_s()) else {
        let view = sessions_view(&at, keeper, Errors::one("totp", Wrong::NotAccepted));
        return Err(at.again(Here::Settings, |chrome| view.render(chrome)));
    };
    let changed = Keeper { totp_secret: secret, ..keeper.clone() };
    if at.change(Change::PutKeeper(changed)).await?.is_ok() {
        at.admin.limits.use_code(keeper.id, step);
        at.admin.sessions.offer_totp(at.session_cookie(), None);
    }
    once.done();
    Ok(at.tell(Notice::TotpOn, "/settings/sessions"))
}

/// `/settings/totp/off`.
pub async fn totp_off(at: At) -> Reply {
    let keeper = at.signed_in(Role::Viewer)?;
    let once = at.once("/settings/sessions", |at| at.tell(Notice::StaleForm, "/settings/sessions"))?;
    if let Err(wrong) = current_fits(&at, keeper).await {
        let view = sessions_view(&at, keeper, Errors::one("current", wrong));
        return Err(at.again(Here::Settings, |chrome| view.render(chrome)));
    }
    let changed = Keeper { totp_secret: Vec::new(), ..keeper.clone() };
    let _ = at.change(Change::PutKeeper(changed)).await?;
    once.done();
    Ok(at.tell(Notice::TotpOff, "/settings/sessions"))
}

fn keepers_view(at: &At, me: &Keeper, errors: Errors) -> Keepers {
    let rows = at.keeping.keepers.iter().map(|keeper| KeeperRow {
        id: hex(&keeper.id.0),
        name: keeper.name.clone(),
        role: ui_role(keeper.role),
        totp: !keeper.totp_secret.is_empty(),
        this: keeper.id == me.id,
    });
    Keepers { keepers: rows.collect(), name: at.form.trimmed("name"), role: at.form.trimmed("role"), errors }
}

/// `/settings/keepers`.
pub async fn keepers(at: At) -> Reply {
    let me = at.signed_in(Role::Owner)?;
    let view = keepers_view(&at, me, Errors::default());
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}

/// What is said of an order that cannot be carried out.
fn wrong_of(why: NotPossible) -> Wrong {
    match why {
        NotPossible::NameTaken => Wrong::Taken,
        why => Wrong::Said(why.to_string()),
    }
}

/// Another keeper is wanted.
pub async fn add_keeper(at: At) -> Reply {
    let me = at.signed_in(Role::Owner)?;
    let again = |errors| {
        let view = keepers_view(&at, me, errors);
        at.again(Here::Settings, |chrome| view.render(chrome))
    };
    let once = at.once("/settings/keepers", |at| {
        let view = keepers_view(at, me, Errors::default());
        at.stale(Here::Settings, |chrome| view.render(chrome))
    })?;
    let name = at.form.trimmed("name");
    let mut errors = Errors::default();
    if let Some(wrong) = judge_name(&name) {
        errors.add("name", wrong);
    }
    let role = Role::of_name(match at.form.get("role") {
        "" => "viewer",
        role => role,
    });
    if role.is_none() {
        errors.add("role", Wrong::NoChoice);
    }
    judge_password(&at, "password", "again", &mut errors);
    let (Some(role), true) = (role, errors.is_empty()) else { return Err(again(errors)) };
    let said = |text: String| Errors::one("password", Wrong::Said(text));
    let hash = at.admin.passwords.hash(at.form.get("password")).await;
    let password = hash.map_err(|error| again(said(error.to_string())))?;
    let id = new_keeper_id().map_err(|error| again(said(error.to_string())))?;
    let made_at_s = at.admin.unix_s();
    let keeper = Keeper { id, name: name.clone(), role, password, totp_secret: Vec::new(), made_at_s };
    if let Err(why) = at.change(Change::PutKeeper(keeper)).await? {
        return Err(again(Errors::one("name", wrong_of(why))));
    }
    once.done();
    Ok(at.tell(Notice::KeeperAdded { name }, "/settings/keepers"))
}

/// The keeper whom the path names.
///
/// # Errors
/// The page that says that there is none.
pub fn keeper_of_path(at: &At) -> Result<Keeper, Response> {
    let id = id_of(at.key("id"));
    let found = at.keeping.keepers.iter().find(|keeper| Some(keeper.id.0) == id);
    found.cloned().ok_or_else(|| at.not_found())
}

/// `/settings/keepers/{id}/role`.
pub async fn change_role(at: At) -> Reply {
    let me = at.signed_in(Role::Owner)?;
    let keeper = keeper_of_path(&at)?;
    let back = |errors| {
        let view = Keepers { name: String::new(), role: String::new(), ..keepers_view(&at, me, errors) };
        at.again(Here::Settings, |chrome| view.render(chrome))
    };
    let once = at.once("/settings/keepers", |at| at.tell(Notice::StaleForm, "/settings/keepers"))?;
    let Some(role) = Role::of_name(at.form.get("role")) else {
        return Err(back(Errors::one("role", Wrong::NoChoice)));
    };
    let name = keeper.name.clone();
    if let Err(why) = at.change(Change::PutKeeper(Keeper { role, ..keeper })).await? {
        return Err(back(Errors::one("role", wrong_of(why))));
    }
    once.done();
    Ok(at.tell(Notice::KeeperChanged { name }, "/settings/keepers"))
}

fn tokens_view(at: &At, errors: Errors, made: Option<Made>) -> Tokens {
    let now = at.admin.unix_s();
    let rows = at.keeping.tokens.iter().map(|token| Token {
        id: hex(&token.id),
        name: token.name.clone(),
        scope: token.scope.name().to_owned(),
        made_by: token.made_by.clone(),
        expires_unix_s: now + token.good_for.as_secs(),
        used_unix_s: None,
    });
    let kept = |name: &str| if made.is_some() { String::new() } else { at.form.trimmed(name) };
    Tokens {
        tokens: rows.collect(),
        scopes: Scope::ALL.iter().map(|scope| scope.name().to_owned()).collect(),
        name: kept("name"),
        scope: kept("scope"),
        expires_d: kept("expires_d"),
        made,
        errors,
    }
}

/// `/settings/tokens`.
pub async fn tokens(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let view = tokens_view(&at, Errors::default(), None);
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}

/// A token is wanted. It is shown in the answer, once, and never again: so there is no redirect to a page that would have to
/// remember it.
pub async fn make_token(at: At) -> Reply {
    let me = at.signed_in(Role::Owner)?;
    let again = |errors| {
        let view = tokens_view(&at, errors, None);
        at.again(Here::Settings, |chrome| view.render(chrome))
    };
    let once = at.once("/settings/tokens", |at| {
        let view = tokens_view(at, Errors::default(), None);
        at.stale(Here::Settings, |chrome| view.render(chrome))
    })?;
    let name = at.form.trimmed("name");
    let mut errors = Errors::default();
    if let Some(wrong) = judge_name(&name) {
        errors.add("name", wrong);
    }
    let scope = Scope::of_name(at.form.get("scope"));
    if scope.is_none() {
        errors.add("scope", Wrong::NoChoice);
    }
    let days = match at.form.trimmed("expires_d").as_str() {
        "" => Some(90),
        text => text.parse::<u64>().ok().filter(|days| EXPIRES_D.contains(days)),
    };
    if days.is_none() {
        errors.add("expires_d", Wrong::NoChoice);
    }
    let (Some(scope), Some(days), true) = (scope, days, errors.is_empty()) else { return Err(again(errors)) };
    let (mut id, mut secret) = ([0; 16], [0; 32]);
    if getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret)).is_err() {
        return Err(again(Errors::one("name", Wrong::Said("the system gives no random bytes".to_owned()))));
    }
    let secret = format!("hob_{}", BASE64URL_NOPAD.encode(&secret));
    let token = AutomationToken {
        id,
        hash: *blake3::hash(secret.as_bytes()).as_bytes(),
        name: name.clone(),
        scope,
        good_for: Duration::from_secs(days * DAY_S),
        made_at_s: at.admin.unix_s(),
        made_by: me.name.clone(),
    };
    if let Err(why) = at.change(Change::AddToken(token.clone())).await? {
        return Err(again(Errors::one("name", wrong_of(why))));
    }
    once.done();
    let mut view = tokens_view(&at, Errors::default(), Some(Made { name, secret }));
    view.tokens.push(Token {
        id: hex(&token.id),
        name: token.name,
        scope: token.scope.name().to_owned(),
        made_by: token.made_by,
        expires_unix_s: at.admin.unix_s() + token.good_for.as_secs(),
        used_unix_s: None,
    });
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}
