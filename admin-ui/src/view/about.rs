//! `/about`: what runs here, and whose work is in it.

use crate::ui::Ui;
use crate::view::{Page, page};

/// About.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The program's version.
    pub version: String,
    /// The box's identity, in hex.
    pub identity: String,
    /// What it runs on: "Linux 6.1, aarch64".
    pub system: String,
    /// Whose work is in it.
    pub parts: Vec<Part>,
}

/// A library that the box is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub licence: String,
}

impl Part {
    /// All that the box's program is built of: a test compares the list with what Cargo says.
    pub fn all() -> Vec<Self> {
        let part = |line: &str| {
            let mut columns = line.split('\t').map(str::to_owned);
            Some(Self { name: columns.next()?, version: columns.next()?, licence: columns.next()? })
        };
        include_str!("libraries.tsv").lines().filter_map(part).collect()
    }
}

impl Page for About {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-about")
    }
}

page!(About, "about.html");
