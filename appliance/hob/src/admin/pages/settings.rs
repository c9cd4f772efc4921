//! `/settings`: what an owner may change without a terminal.

use axum::response::Response;
use hob_admin_ui::view::settings::{Setting, Settings as View};
use hob_admin_ui::{Errors, Here, Notice, Wrong};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{Change, NotPossible, Role, Settings};
use hob_relay::quota;

use crate::admin::pages::setup::{judge_name, zones};
use crate::admin::request::{At, Reply};
use crate::config::value::{RawValue, Time};
use crate::config::{self, Config};

/// What can be set here. Each may be set in the file, too, which then holds until it is set here.
const KEYS: [&str; 5] =
    ["retention", "quota.mailbox_envelopes", "quota.mailbox_bytes", "quota.members", "quota.devices_per_member"];

/// Who may invite.
const INVITE_BY: &str = "invite.by";
const OWNERS: &str = "owner";
const KEEPERS: &str = "keepers";

struct Limits {
    file: quota::Config,
    in_force: quota::Config,
}

async fn limits(at: &At) -> Result<Limits, Response> {
    match at.ask(Ask::Limits).await? {
        Answer::Limits { file, in_force } => Ok(Limits { file: *file, in_force: *in_force }),
        _ => Err(at.not_found()),
    }
}

fn shown(key: &str, relay: &quota::Config) -> String {
    let mut config = Config { relay: relay.clone(), ..Config::default() };
    let shown = config::setting(key).and_then(|setting| setting.kind.shown(&mut config));
    shown.unwrap_or_default().trim_matches('"').to_owned()
}

/// The page, with what is set or what was typed.
fn view(at: &At, limits: &Limits, typed: bool, errors: Errors) -> View {
    let settings = &at.keeping.settings;
    let value = |name: &str, set: String| if typed { at.form.trimmed(name) } else { set };
    let mut all: Vec<Setting> = KEYS
        .iter()
        .map(|key| Setting {
            key: (*key).to_owned(),
            doc: config::setting(key).map(|setting| setting.doc.to_owned()).unwrap_or_default(),
            value: value(key, shown(key, &limits.in_force)),
            default: shown(key, &limits.file),
            bounds: bounds(key, &limits.file),
            ..Setting::default()
        })
        .collect();
    let by = if settings.inviting_role == Some(Role::Owner) { OWNERS } else { KEEPERS };
    all.push(Setting {
        key: INVITE_BY.to_owned(),
        value: value(INVITE_BY, by.to_owned()),
        default: KEEPERS.to_owned(),
        choices: vec![OWNERS.to_owned(), KEEPERS.to_owned()],
        ..Setting::default()
    });
    View {
        name: value("name", settings.box_name.clone().unwrap_or_default()),
        zone: value("zone", settings.time_zone.clone().unwrap_or_else(|| "UTC".to_owned())),
        zones: zones(),
        settings: all,
        version: if typed { at.form.trimmed("version") } else { settings.revision.to_string() },
        errors,
    }
}

/// "1h" to the file's; of the others the table tells.
fn bounds(key: &str, file: &quota::Config) -> Option<(String, String)> {
    if key == "retention" {
        return Some(("1h".to_owned(), Time(file.retention).to_string()));
    }
    let allowed = config::setting(key)?.kind.allowed();
    let (_, range) = allowed.split_once(", ")?;
    let (from, to) = range.split_once(" to ")?;
    Some((from.to_owned(), to.to_owned()))
}

/// The page.
pub async fn page(at: At) -> Reply {
    at.signed_in(Role::Viewer)?;
    let limits = limits(&at).await?;
    let view = view(&at, &limits, false, Errors::default());
    Ok(at.page(Here::Settings, |chrome| view.render(chrome)))
}

/// What was typed is saved.
pub async fn save(at: At) -> Reply {
    at.signed_in(Role::Owner)?;
    let limits = limits(&at).await?;
    let form = |errors| view(&at, &limits, true, errors);
    let once = at.once("/settings", |at| at.stale(Here::Settings, |chrome| form(Errors::default()).render(chrome)))?;
    let settings = match read(&at, &limits) {
        Ok(settings) => settings,
        Err(errors) => return Err(at.again(Here::Settings, |chrome| form(errors).render(chrome))),
    };
    match at.change(Change::Settings(settings)).await? {
        Ok(()) => {
            once.done();
            Ok(at.tell(Notice::Saved, "/settings"))
        }
        Err(NotPossible::ChangedMeanwhile) => {
            // What was typed stays; the version of now goes with it, so that sending it again means it.
            let by = last_editor(&at).await;
            let mut again = form(Errors::default());
            again.version = at.keeping.settings.revision.to_string();
            let (status, notice) = (axum::http::StatusCode::CONFLICT, Notice::ChangedMeanwhile { by });
            Err(at.page_as(status, Here::Settings, Some(notice), |chrome| again.render(chrome)))
        }
        Err(why) => {
            let errors = Errors::one("name", Wrong::Said(why.to_string()));
            Err(at.again(Here::Settings, |chrome| form(errors).render(chrome)))
        }
    }
}

async fn last_editor(at: &At) -> Option<String> {
    let Ok(Answer::AuditLog(lines)) = at.ask(Ask::AuditLog).await else { return None };
    lines.into_iter().find(|line| line.what == "setting-changed").map(|line| line.who)
}

fn read(at: &At, limits: &Limits) -> Result<Settings, Errors> {
    let mut errors = Errors::default();
    let (name, zone) = (at.form.trimmed("name"), at.form.trimmed("zone"));
    if let Some(wrong) = judge_name(&name) {
        errors.add("name", wrong);
    }
    if jiff::tz::TimeZone::get(&zone).is_err() {
        errors.add("zone", Wrong::NoZone);
    }
    let mut config = Config { relay: limits.in_force.clone(), ..Config::default() };
    for key in KEYS {
        let typed = at.form.trimmed(key);
        let Some(setting) = config::setting(key) else { continue };
        if typed.is_empty() {
            errors.add(key, Wrong::Empty);
        } else if let Err(why) = setting.kind.set(&mut config, &RawValue::Text(typed)) {
            errors.add(key, Wrong::Said(why));
        }
    }
    if config.relay.retention > limits.file.retention {
        let to = Time(limits.file.retention).to_string();
        errors.add("retention", Wrong::OutOfBounds { from: "1h".to_owned(), to });
    }
    let inviting_role = match at.form.get(INVITE_BY) {
        OWNERS => Some(Role::Owner),
        KEEPERS | "" => None,
        _ => {
            errors.add(INVITE_BY, Wrong::NoChoice);
            None
        }
    };
    let revision = at.form.trimmed("version").parse().unwrap_or(u64::MAX);
    if !errors.is_empty() {
        return Err(errors);
    }
    let (set, file) = (&config.relay, &limits.file);
    Ok(Settings {
        box_name: Some(name),
        time_zone: Some(zone),
        retention: differs(set.retention, file.retention),
        mailbox_envelopes: differs(set.mailbox_envelopes, file.mailbox_envelopes),
        mailbox_bytes: differs(set.mailbox_bytes, file.mailbox_bytes),
        members: differs(set.members, file.members),
        devices_per_member: differs(set.devices_per_member, file.devices_per_member),
        inviting_role,
        revision,
    })
}

/// What is as in the file stays the file's to change.
fn differs<T: PartialEq>(set: T, file: T) -> Option<T> {
    (set != file).then_some(set)
}
