use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Asks for the set-up code. Field: `code`.
#[derive(Debug, Clone, Default)]
pub struct Code {
    /// As it was typed.
    pub code: String,
    /// What is wrong.
    pub errors: Errors,
}

impl Page for Code {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("setup-code-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "code" => "setup-code",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Code, "setup/code.html");
