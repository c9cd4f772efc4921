use crate::form::Errors;
use crate::plain;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Asks for the box's name and the keeper's time zone. Fields: `name`, `zone`.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    /// The box's name, as it was typed.
    pub name: String,
    /// The chosen zone: `Europe/Vienna`.
    pub zone: String,
    /// All zones that the box knows, sorted.
    pub zones: Vec<String>,
    /// What is wrong.
    pub errors: Errors,
}

/// The zones as choices.
pub(crate) fn zone_choices(zones: &[String]) -> Vec<(String, String)> {
    zones.iter().map(|zone| (zone.clone(), plain::escape_line(&zone.replace('_', " ")))).collect()
}

impl Naming {
    fn choices(&self) -> Vec<(String, String)> {
        zone_choices(&self.zones)
    }
}

impl Page for Naming {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("setup-box-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "name" => "box-name",
            "zone" => "zone",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Naming, "setup/naming.html");
