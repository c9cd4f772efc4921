//! Signing in and out.

use hob_admin_ui::view::sign_in::SignIn;
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_relay::keeping::{Keeper, SetUp};

use crate::admin::request::{At, Reply};
use crate::admin::sessions::Holder;
use crate::admin::totp;

/// Where to go after signing in: a path of this dashboard and nowhere else.
fn next_of(text: &str) -> Option<String> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains(['\\', '\r', '\n', '\t']);
    (is_path && text.is_ascii() && !text.starts_with("/sign-")).then(|| text.to_owned())
}

fn empty(at: &At, next: Option<String>) -> SignIn {
    let keepers = &at.keeping.keepers;
    SignIn {
        asks_name: keepers.len() > 1,
        asks_totp: keepers.iter().any(|keeper| !keeper.totp_secret.is_empty()),
        next,
        ..SignIn::default()
    }
}

/// `/sign-in`.
pub async fn form(at: At) -> Reply {
    if at.keeping.set_up == SetUp::New {
        return Ok(at.go("/setup"));
    }
    let next = next_of(at.query.get("next"));
    if at.keeper.is_some() {
        return Ok(at.go(next.as_deref().unwrap_or("/")));
    }
    let notice = match (at.query.is_checked("out"), at.query.is_checked("ended")) {
        (true, _) => Some(Notice::SignedOut),
        (_, true) => Some(Notice::SessionEnded),
        _ => None,
    };
    let form = empty(&at, next);
    Ok(at.page_as(axum::http::StatusCode::OK, Here::Outside, notice, |chrome| form.render(chrome)))
}

/// Name, password and code were typed.
pub async fn sign_in(at: At) -> Reply {
    if at.keeping.set_up == SetUp::New {
        return Ok(at.go("/setup"));
    }
    let next = next_of(at.form.get("next"));
    let with = |errors| SignIn { name: at.form.trimmed("name"), errors, ..empty(&at, next.clone()) };
    let to = next.clone().unwrap_or_else(|| "/".to_owned());
    let once = at.once(&to, |at| at.stale(Here::Outside, |chrome| with(Errors::default()).render(chrome)))?;
    let source = at.source();
    match at.admin.limits.may_guess(source, at.admin.now()) {
        Err(wait) => {
            let seconds = wait.as_secs() + 1;
            let form = with(Errors::one("password", Wrong::Wait { seconds }));
            return Err(at.too_often(|chrome| form.render(chrome), seconds));
        }
        Ok(held_up) => tokio::time::sleep(held_up).await,
    }
    match check(&at).await {
        Some(keeper) => {
            at.admin.limits.right(source);
            once.done();
            tracing::info!("a keeper signed in to the dashboard");
            Ok(at.begin_session(Holder::Keeper(keeper.id), None, &to))
        }
        None => {
            at.admin.limits.wrong(source, at.admin.now());
            let form = with(Errors::one("password", Wrong::NotAccepted));
            Err(at.again(Here::Outside, |chrome| form.render(chrome)))
        }
    }
}

/// The keeper whose name, password and code were typed. Nobody learns which of them was wrong, and an unknown name takes
/// as long as a known one.
async fn check(at: &At) -> Option<Keeper> {
    let keepers = &at.keeping.keepers;
    let name = at.form.trimmed("name");
    let named = match keepers.as_slice() {
        [only] if name.is_empty() => Some(only),
        _ => keepers.iter().find(|keeper| keeper.name.eq_ignore_ascii_case(&name)),
    };
    let fits = at.admin.passwords.fits(at.form.get("password"), named.map(|keeper| keeper.password.as_str())).await;
    let keeper = named.filter(|_| fits)?;
    if keeper.totp_secret.is_empty() {
        return Some(keeper.clone());
    }
    let step = totp::step_of(&keeper.totp_secret, at.form.get("totp"), at.admin.unix_s())?;
    // Whoever looked over the shoulder may not use it again.
    at.admin.limits.use_code(keeper.id, step).then(|| keeper.clone())
}

/// `/sign-out`.
pub async fn sign_out(at: At) -> Reply {
    if at.keeper.is_none() {
        return Ok(at.go("/sign-in"));
    }
    let once = at.once("/sign-in?out=1", |at| at.tell(Notice::StaleForm, "/"))?;
    once.done();
    Ok(at.end_session("/sign-in?out=1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_nowhere_but_to_this_dashboard() {
        for good in ["/", "/members?q=a", "/settings/tokens"] {
            assert_eq!(next_of(good).as_deref(), Some(good));
        }
        for bad in
            ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "/sign-out", "members", "/ä"]
        {
            assert_eq!(next_of(bad), None, "{bad}");
        }
    }
}
