//! `/settings/backup`: taking one, and coming back from one.

use crate::form::Errors;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Backup and restore. Forms: POST `/settings/backup` with `passphrase`, `again` downloads one; POST
/// `/settings/backup/preview` (multipart) with `file`, `restore_passphrase` looks into one; POST
/// `/settings/backup/restore` with `upload`, `typed` carries it out.
#[derive(Debug, Clone, Default)]
pub struct Backup {
    /// When the last one was made; `None`: never.
    pub last_unix_s: Option<u64>,
    /// A file can be sent from here; else one is restored at the machine.
    pub takes_file: bool,
    /// What is in the file that was sent.
    pub preview: Option<Preview>,
    /// The name of the box, as it was typed to confirm.
    pub typed: String,
    /// What is wrong.
    pub errors: Errors,
}

/// What is in a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Names the upload that the box holds in memory.
    pub upload: String,
    /// When it was made.
    pub made_unix_s: u64,
    /// The box that it is of.
    pub box_name: String,
    /// It is of this very box.
    pub same_box: bool,
    /// Members in it.
    pub members: u64,
    /// Devices in it.
    pub devices: u64,
    /// Members who joined since, and would be gone: their labels.
    pub lost_members: Vec<String>,
    /// Members who were removed since, and would be back: their labels.
    pub returning_members: Vec<String>,
}

impl Page for Backup {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("backup-title")
    }

    fn errors(&self) -> Option<&Errors> {
        Some(&self.errors)
    }

    fn label(&self, ui: &Ui<'_>, field: &str) -> Option<String> {
        let key = match field {
            "passphrase" => "backup-passphrase",
            "again" => "backup-again",
            "file" => "restore-file",
            "restore_passphrase" => "restore-passphrase",
            "typed" => "confirm-typed",
            _ => return None,
        };
        Some(ui.t(key))
    }
}

page!(Backup, "backup.html");
