use crate::ui::Ui;
use crate::view::members::LastSeen;
use crate::view::{Page, page};

/// One member with the devices.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// In hex.
    pub id: String,
    /// What the member wants to be called.
    pub label: String,
    /// Unix seconds.
    pub joined_unix_s: u64,
    /// May not use the box at the moment.
    pub suspended: bool,
    /// The devices.
    pub devices: Vec<Device>,
    /// [`crate::live::Versions::members`] of this moment.
    pub version: String,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its mailbox, in hex.
    pub id: String,
    /// What it is.
    pub kind: DeviceKind,
    /// When it was last here.
    pub last_seen: LastSeen,
    /// Envelopes that wait for it.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: Option<u64>,
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// An app.
    Native,
    /// A browser, or a program that speaks JSON.
    Web,
}

impl DeviceKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Web => "web",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Native => "phone",
            Self::Web => "web",
        }
    }
}

impl Page for Member {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t1("member-title", "name", &self.label)
    }
}

page!(Member, "member.html");
