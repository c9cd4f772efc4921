//! `/settings`: what an owner may change without a terminal.

use crate::form::Errors;
use crate::plain;
use crate::ui::Ui;
use crate::view::setup::naming::zone_choices;
use crate::view::{Page, page};

/// The settings. The form goes to `/settings`; its fields are `name`, `zone`, the keys of the settings, and `version`.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The box's name, as it was typed.
    pub name: String,
    /// The chosen zone.
    pub zone: String,
    /// All zones that the box knows.
    pub zones: Vec<String>,
    /// The box's settings, group by group, in order.
    pub settings: Vec<Setting>,
    /// Comes back with the form, so that the later of two keepers is told.
    pub version: String,
    /// What is wrong, by key.
    pub errors: Errors,
}

/// A setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// `quota.mailbox_bytes`: the field's name.
    pub key: String,
    /// What it does, in the box's English, where the catalogue has no word for the key.
    pub doc: String,
    /// With its unit, or as it was typed: `32MiB`, `6h`, `2000`.
    pub value: String,
    /// The default, with its unit.
    pub default: String,
    /// Its bounds, each with its unit.
    pub bounds: Option<(String, String)>,
    /// Choices; empty: it is typed.
    pub choices: Vec<String>,
    /// A file, a variable or a flag sets it, so it cannot be changed here: which one.
    pub fixed_by: Option<String>,
    /// It holds from the next start on.
    pub needs_restart: bool,
}

/// A setting's field as it is drawn.
struct Drawn<'a> {
    setting: &'a Setting,
    label: String,
    hint: String,
    choices: Vec<(String, String)>,
}

impl Settings {
    fn zone_choices(&self) -> Vec<(String, String)> {
        zone_choices(&self.zones)
    }

    /// The groups, each with its settings.
    fn groups<'a>(&'a self, ui: &Ui<'_>) -> Vec<(String, Vec<Drawn<'a>>)> {
        let mut groups: Vec<(&str, Vec<Drawn<'a>>)> = Vec::new();
        for setting in &self.settings {
            let group = setting.key.split_once('.').map_or("box", |(group, _)| group);
            let drawn = draw(setting, ui);
            match groups.last_mut() {
                Some((last, some)) if *last == group => some.push(drawn),
                _ => groups.push((group, vec![drawn])),
            }
        }
        let heading =
            |group: &str| ui.known_text("settings-group", group).unwrap_or_else(|| ui.t1("as-it-is", "text", group));
        groups.into_iter().map(|(group, some)| (heading(group), some)).collect()
    }
}

fn draw<'a>(setting: &'a Setting, ui: &Ui<'_>) -> Drawn<'a> {
    let label = ui.known_text("setting", &setting.key).unwrap_or_else(|| ui.t1("as-it-is", "text", &setting.doc));
    let mut hint = ui.t1("settings-default", "value", &setting.default);
    if let Some((from, to)) = &setting.bounds {
        hint = format!("{} {hint}", ui.t2("settings-bounds", "from", from, "to", to));
    }
    if let Some(by) = &setting.fixed_by {
        hint = format!("{hint} {}", ui.t1("settings-fixed", "by", by));
    } else if setting.needs_restart {
        hint = format!("{hint} {}", ui.t("settings-needs-restart"));
    }
    let choice = |choice: &String| {
        (choice.clone(), ui.known_text("choice", choice).unwrap_or_else(|| plain::escape_line(choice)))
    };
    Drawn { setting, label, hint, choices: setting.choices.iter().map(choice).collect() }
}

impl Page for Settings {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-settings")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        match field {
            "name" => Some(ui.t("box-name")),
            "zone" => Some(ui.t("zone")),
            key => self.settings.iter().find(|setting| setting.key == key).map(|setting| draw(setting, ui).label),
        }
    }
}

page!(Settings, "settings.html");
