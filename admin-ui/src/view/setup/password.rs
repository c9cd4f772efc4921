use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Asks for the owner's name and password. Fields: `name`, `password`, `again`.
#[derive(Debug, Clone, Default)]
pub struct Password {
    /// The owner's name, as it was typed.
    pub name: String,
    /// How strong the refused password was; it is never shown itself.
    pub strength: Option<Strength>,
    /// What is wrong.
    pub errors: Errors,
}

/// How long guessing would take, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Minutes.
    Weak,
    /// Days.
    Fair,
    /// Longer than anybody waits.
    Strong,
}

impl Strength {
    /// A guess by length and by how many different characters there are. The script reckons the same.
    pub fn of(password: &str) -> Self {
        let length = password.chars().count() as u64;
        let different = password.chars().collect::<std::collections::BTreeSet<_>>().len() as u64;
        match length.min(different.saturating_mul(2)) {
            0..=9 => Self::Weak,
            10..=15 => Self::Fair,
            _ => Self::Strong,
        }
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Weak => "strength-weak",
            Self::Fair => "strength-fair",
            Self::Strong => "strength-strong",
        }
    }
}

impl Page for Password {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("setup-password-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "name" => "keeper-name",
            "password" => "password-new",
            "again" => "password-again",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Password, "setup/password.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_passwords_of_many_characters_are_strong_and_repetitions_are_not() {
        assert_eq!(Strength::of("secret1"), Strength::Weak);
        assert_eq!(Strength::of("aaaaaaaaaaaaaaaaaaaaaaaa"), Strength::Weak);
        assert_eq!(Strength::of("tr0ub4dor&3"), Strength::Fair);
        assert_eq!(Strength::of("correct horse battery staple"), Strength::Strong);
    }
}
