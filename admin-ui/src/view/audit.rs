//! `/audit`: who did what, when, and from where.

use crate::plain;
use crate::ui::Ui;
use crate::view::{Page, page};

/// The audit log. Its filter: `?who=`, `?what=`, `?from=`, `?to=` (days), `?page=`.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// The filter, as it was typed.
    pub filter: Filter,
    /// The names that occur.
    pub keepers: Vec<String>,
    /// The words for what was done that occur.
    pub acts: Vec<String>,
    /// Newest first.
    pub rows: Vec<Row>,
    /// How many the filter finds.
    pub found: u64,
    /// Which page, from 1.
    pub page: u64,
    /// How many there are.
    pub pages: u64,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A keeper; empty: all.
    pub who: String,
    /// A word for what was done; empty: all.
    pub what: String,
    /// From this day on, `2026-11-21`; empty: from the beginning.
    pub from: String,
    /// Up to this day.
    pub to: String,
}

impl Filter {
    /// `who=Ada&what=…`: for links.
    fn query(&self) -> String {
        let pairs = [("who", &self.who), ("what", &self.what), ("from", &self.from), ("to", &self.to)];
        let pair = |(name, value): (&str, &String)| format!("{name}={}", crate::ui::in_query(value));
        pairs.into_iter().filter(|(_, value)| !value.is_empty()).map(pair).collect::<Vec<_>>().join("&")
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When.
    pub at_unix_s: u64,
    /// Which keeper, or which token; empty: the console.
    pub who: String,
    /// The box's word for what was done: `member-removed`.
    pub what: String,
    /// To what: a label, a key with its value.
    pub about: String,
    /// The address it came from; empty: the console.
    pub from: String,
}

impl Audit {
    fn everybody(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        let all = (String::new(), ui.t("audit-everybody"));
        std::iter::once(all).chain(self.keepers.iter().map(|name| (name.clone(), plain::escape_line(name)))).collect()
    }

    fn everything(&self, ui: &Ui<'_>) -> Vec<(String, String)> {
        let all = (String::new(), ui.t("audit-everything"));
        let named =
            |act: &String| (act.clone(), ui.known_text("audit", act).unwrap_or_else(|| plain::escape_line(act)));
        std::iter::once(all).chain(self.acts.iter().map(named)).collect()
    }

    fn is_filtered(&self) -> bool {
        self.filter != Filter::default()
    }
}

impl Page for Audit {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-audit")
    }
}

page!(Audit, "audit.html");
