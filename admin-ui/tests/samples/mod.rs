//! Every page in its main states, from plain data: for the snapshots, the checks over all pages, and the gallery.

// Each user takes what it needs.
#![allow(dead_code)]

mod box_pages;
mod people;

use hob_admin_ui::chart::{Chart, Step};
use hob_admin_ui::chrome::Language;
use hob_admin_ui::{Chrome, Here, Notice, Role, SignedIn};
use jiff::tz::TimeZone;

/// 21 November 2026, 14:05:09 in the zone of the samples.
pub const NOW: u64 = 1_795_266_309;
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;

/// A page with its name.
pub struct Sample {
    pub name: &'static str,
    pub html: String,
}

/// How the samples are made: in which language, and with what for the texts that come from outside.
pub struct Make {
    pub language: Language,
    /// Stands in every text that somebody else chose; `None`: pleasant ones.
    pub hostile: Option<&'static str>,
}

impl Make {
    pub fn english() -> Self {
        Self { language: Language::English, hostile: None }
    }

    /// A text that somebody chose.
    pub fn text(&self, pleasant: &str) -> String {
        self.hostile.unwrap_or(pleasant).to_owned()
    }

    /// The frame around a page for nobody.
    pub fn outside(&self) -> Chrome {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap_or(TimeZone::UTC);
        Chrome {
            box_name: self.text("Maple Street 4"),
            language: self.language,
            zone,
            now_unix_s: NOW,
            csrf: self.text("csrf-token-of-the-sample"),
            ..Chrome::default()
        }
    }

    /// The frame around a page for somebody.
    pub fn signed_in(&self, role: Role, here: Here) -> Chrome {
        let signed_in = Some(SignedIn { name: self.text("Ada"), role });
        Chrome { signed_in, here, ..self.outside() }
    }

    pub fn owner(&self, here: Here) -> Chrome {
        self.signed_in(Role::Owner, here)
    }
}

/// All pages.
pub fn all(make: &Make) -> Vec<Sample> {
    let mut samples = people::samples(make);
    samples.extend(box_pages::samples(make));
    samples
}

/// A chart with a plausible day in it; always the same one.
pub fn chart(steps: u64, step_s: u64) -> Chart {
    let step = |index: u64| {
        let wave = (index * 37 % 23) * (index * 13 % 11) / 3;
        let quiet = index % steps < steps / 4;
        let accepted = if quiet { 0 } else { wave };
        Step { accepted, delivered: accepted * 9 / 10, expired: u64::from(index.is_multiple_of(9)), refused: index % 3 }
    };
    let end = NOW / step_s * step_s + step_s;
    Chart { from_unix_s: end - steps * step_s, step_s, steps: (0..steps).map(step).collect() }
}

/// An id, in hex.
pub fn id(number: u8) -> String {
    (0..16_u8).map(|index| format!("{:02x}", number.wrapping_mul(37).wrapping_add(index.wrapping_mul(29)))).collect()
}

pub fn notices(make: &Make) -> Vec<Notice> {
    let label = || make.text("Bob’s phone");
    let name = || make.text("Grace");
    vec![
        Notice::StaleForm,
        Notice::ChangedMeanwhile { by: None },
        Notice::ChangedMeanwhile { by: Some(name()) },
        Notice::AlreadyDone,
        Notice::SignedOut,
        Notice::SessionEnded,
        Notice::SetUp,
        Notice::MemberRemoved { label: label() },
        Notice::MemberSuspended { label: label() },
        Notice::MemberResumed { label: label() },
        Notice::DeviceRevoked,
        Notice::Invited { count: 1 },
        Notice::Invited { count: 12 },
        Notice::Withdrawn,
        Notice::Compacted { records_before: 12_345, records_after: 678 },
        Notice::Verifying,
        Notice::Saved,
        Notice::SavedForNextStart,
        Notice::PasswordChanged,
        Notice::TotpOn,
        Notice::TotpOff,
        Notice::SessionRevoked,
        Notice::OtherSessionsRevoked,
        Notice::KeeperAdded { name: name() },
        Notice::KeeperChanged { name: name() },
        Notice::KeeperRemoved { name: name() },
        Notice::TokenRevoked,
        Notice::ReportDismissed,
        Notice::ReportActedOn,
        Notice::CertificateTaken,
        Notice::Other { failed: true, text: make.text("the disk is asleep") },
    ]
}
