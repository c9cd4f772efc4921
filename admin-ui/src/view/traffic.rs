//! `/traffic`: what passes through, and what bounds it.

use crate::chart::{Chart, Figure, draw};
use crate::markup::Markup;
use crate::ui::Ui;
use crate::view::{Page, page};

/// Traffic.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// By hours, of the last day.
    pub hours: Chart,
    /// Envelopes that were only for who was online: never kept, never in the log.
    pub online_only: u64,
    /// Repeats of envelopes that were there already.
    pub duplicates: u64,
    /// Since when these two and the refusals are counted: the start.
    pub since_unix_s: u64,
    /// Refusals by the protocol's names of their codes, most frequent first.
    pub refusals: Vec<Refusals>,
    /// Devices connected.
    pub owners: u64,
    /// Connections that only bring something.
    pub senders: u64,
    /// What bounds the traffic.
    pub quotas: Vec<Quota>,
}

/// How often something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// The code's name.
    pub code: String,
    /// How often.
    pub count: u64,
}

/// A setting that bounds the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// `quota.mailbox_bytes`
    pub key: String,
    /// With its unit.
    pub value: String,
    /// In the box's English, where the catalogue has no word for the key.
    pub doc: String,
}

impl Traffic {
    fn day(&self, ui: &Ui<'_>) -> Markup {
        let figures = [Figure::Accepted, Figure::Delivered, Figure::Expired, Figure::Refused];
        draw(ui, "hours", "traffic-hours", &self.hours, &figures)
    }
}

impl Page for Traffic {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-traffic")
    }
}

page!(Traffic, "traffic.html");
