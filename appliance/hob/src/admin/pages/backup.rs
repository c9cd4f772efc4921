//! `/settings/backup`: what lasts of the box, sealed to a passphrase, as a file to keep elsewhere.

use axum::response::Response;
use hob_admin_ui::view::backup::Backup;
use hob_admin_ui::{Errors, Here, Wrong};
use hob_log::backup::{Content, Cost, Passphrase, Secret, seal};
use hob_relay::keeping::{Change, Role};
use zeroize::Zeroizing;

use crate::admin::pages::overview::unix_s_of;
use crate::admin::pages::records::download;
use crate::admin::request::{At, Reply};
use crate::secret::CHARACTERS_MIN;
use crate::{identity, notes, show};

fn view(at: &At, errors: Errors) -> Backup {
    Backup { last_unix_s: notes::last_backup(&at.admin.data).map(|made| unix_s_of(&made)), errors, ..Backup::default() }
}

/// The page.
pub async fn page(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let view = view(&at, Errors::default());
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}

/// A backup is wanted: the answer is the file.
pub async fn make(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let again = |errors| -> Response {
        let view = view(&at, errors);
        at.again(Here::Settings, |chrome| view.render(chrome))
    };
    let once = at.once("/settings/backup", |at| {
        let view = view(at, Errors::default());
        at.stale(Here::Settings, |chrome| view.render(chrome))
    })?;
    let passphrase = Zeroizing::new(at.form.get("passphrase").to_owned());
    if passphrase.chars().count() < CHARACTERS_MIN {
        let wrong = Wrong::TooShort { min: CHARACTERS_MIN as u64 };
        return Err(again(Errors::one("passphrase", wrong)));
    }
    if passphrase.as_str() != at.form.get("again") {
        return Err(again(Errors::one("again", Wrong::NotTheSame)));
    }
    let said = |text: String| Errors::one("passphrase", Wrong::Said(text));
    let ledger = at.admin.control.engine.lasting_ledger().await.map_err(|why| again(said(why)))?;
    let seed = identity::seed_of(&at.admin.data).map_err(|error| again(said(error.to_string())))?;
    let made_at_s = at.admin.unix_s();
    let made_by = env!("CARGO_PKG_VERSION").to_owned();
    let content = Content { made_at_s, made_by, identity_seed: seed, settings: None, ledger };
    // Argon2 takes a second and 64 MiB: not on the thread that serves.
    let sealing = tokio::task::spawn_blocking(move || {
        let mut file = Vec::new();
        let secret = Secret::Passphrase(Passphrase(&passphrase));
        seal(&content, &secret, Cost::DEFAULT, &mut file, &mut |_| {}).map(|()| file)
    });
    let file = match sealing.await {
        Ok(Ok(file)) => file,
        Ok(Err(error)) => return Err(again(said(crate::failure::chain(&error)))),
        Err(_) => return Err(again(said("the backup could not be sealed: see the log".to_owned()))),
    };
    let made = show::expires(made_at_s);
    // The file is what counts: a note that cannot be written costs a reminder.
    let _ = notes::backed_up(&at.admin.data, &made);
    let _ = at.change(Change::Note { what: "backed-up", about: String::new() }).await?;
    once.done();
    Ok(download(file, "application/octet-stream", "box.hob-backup"))
}
