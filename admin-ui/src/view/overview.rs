//! `/`: is it well, and if not, what is there to do.

use crate::chart::{Chart, Figure, draw};
use crate::markup::Markup;
use crate::ui::Ui;
use crate::view::{Page, page};

/// The overview.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// What is wrong, worst first; empty: all is well.
    pub problems: Vec<Problem>,
    /// What is unusual in the last hour, worst first.
    pub unusual: Vec<Unusual>,
    /// The figures.
    pub figures: Figures,
    /// The last hour.
    pub last_hour: Chart,
    /// The last day.
    pub last_day: Chart,
    /// [`crate::live::Versions::overview`] of this moment.
    pub version: String,
}

/// Something that the keeper should know of, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The disk refuses: nothing is accepted, what waits is delivered.
    DiskRefuses,
    /// Little room is left.
    DiskNearlyFull {
        /// Room left.
        free_bytes: u64,
    },
    /// The box does not know the time.
    ClockLost,
    /// A port that should be open is not.
    PortShut {
        /// Its address and port.
        address: String,
        /// Why, as the system says it.
        why: String,
    },
    /// Records were found damaged.
    DamagedRecords {
        /// How many.
        count: u64,
    },
    /// Windows were lost; their senders send again.
    LostWindows {
        /// How many.
        count: u64,
    },
    /// Restored from a backup: members should be checked.
    CheckAfterRestore {
        /// When the backup was made.
        backup_unix_s: u64,
    },
    /// There are members and no backup.
    NeverBackedUp,
    /// The last backup is old.
    OldBackup {
        /// When it was made.
        made_unix_s: u64,
    },
    /// The own certificate ends soon.
    CertificateEnds {
        /// When.
        at_unix_s: u64,
    },
    /// The board is hot.
    Hot {
        /// Degrees Celsius.
        celsius: u32,
    },
    /// Much of what the card can bear is written.
    CardWorn {
        /// Of its life.
        percent: u32,
    },
    /// The last run ended suddenly.
    EndedSuddenly,
    /// Too little memory is free.
    MemoryShort {
        /// Free.
        free_bytes: u64,
    },
    /// A check of `hob doctor` that has no word of its own here, in the box's English.
    Doctor {
        /// What is wrong.
        text: String,
        /// What to do.
        remedy: String,
    },
}

/// A problem as it is told.
pub(crate) struct Told {
    pub(crate) severe: bool,
    pub(crate) text: String,
    pub(crate) remedy: String,
    pub(crate) button: Option<(&'static str, String)>,
}

impl Problem {
    const fn key(&self) -> &'static str {
        match self {
            Self::DiskRefuses => "disk-refuses",
            Self::DiskNearlyFull { .. } => "disk-nearly-full",
            Self::ClockLost => "clock-lost",
            Self::PortShut { .. } => "port-shut",
            Self::DamagedRecords { .. } => "damaged-records",
            Self::LostWindows { .. } => "lost-windows",
            Self::CheckAfterRestore { .. } => "check-after-restore",
            Self::NeverBackedUp => "never-backed-up",
            Self::OldBackup { .. } => "old-backup",
            Self::CertificateEnds { .. } => "certificate-ends",
            Self::Hot { .. } => "hot",
            Self::CardWorn { .. } => "card-worn",
            Self::EndedSuddenly => "ended-suddenly",
            Self::MemoryShort { .. } => "memory-short",
            Self::Doctor { .. } => "doctor",
        }
    }

    /// Where the remedy is.
    const fn path(&self) -> Option<&'static str> {
        Some(match self {
            Self::DiskRefuses | Self::DiskNearlyFull { .. } | Self::EndedSuddenly => "/memory",
            Self::DamagedRecords { .. } | Self::LostWindows { .. } => "/memory",
            Self::PortShut { .. } | Self::CertificateEnds { .. } => "/network",
            Self::CheckAfterRestore { .. } => "/members",
            Self::NeverBackedUp | Self::OldBackup { .. } | Self::CardWorn { .. } => "/settings/backup",
            Self::ClockLost | Self::Hot { .. } | Self::MemoryShort { .. } | Self::Doctor { .. } => return None,
        })
    }

    /// Whether mail is refused or may be lost, rather than that care is due.
    const fn is_severe(&self) -> bool {
        matches!(
            self,
            Self::DiskRefuses
                | Self::ClockLost
                | Self::PortShut { .. }
                | Self::DamagedRecords { .. }
                | Self::LostWindows { .. }
        )
    }

    fn text(&self, ui: &Ui<'_>) -> String {
        let key = format!("problem-{}", self.key());
        match self {
            Self::DiskNearlyFull { free_bytes } | Self::MemoryShort { free_bytes } => {
                ui.t1(&key, "free", ui.bytes(free_bytes))
            }
            Self::PortShut { address, why } => ui.t2(&key, "address", address, "why", why),
            Self::DamagedRecords { count } | Self::LostWindows { count } => ui.t1(&key, "count", *count),
            Self::CheckAfterRestore { backup_unix_s: at_unix_s }
            | Self::OldBackup { made_unix_s: at_unix_s }
            | Self::CertificateEnds { at_unix_s } => ui.t1(&key, "time", ui.time_text(at_unix_s)),
            Self::Hot { celsius } => ui.t1(&key, "celsius", *celsius),
            Self::CardWorn { percent } => ui.t1(&key, "percent", *percent),
            Self::Doctor { text, .. } => ui.t1(&key, "text", text),
            _ => ui.t(&key),
        }
    }

    pub(crate) fn told(&self, ui: &Ui<'_>) -> Told {
        let remedy = match self {
            Self::Doctor { remedy, .. } => ui.t1("problem-doctor-remedy", "text", remedy),
            _ => ui.t(&format!("problem-{}-remedy", self.key())),
        };
        let button = self.path().map(|path| (path, ui.t(&format!("problem-{}-button", self.key()))));
        Told { severe: self.is_severe(), text: self.text(ui), remedy, button }
    }
}

/// Something unusual, counted over the last hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    /// What.
    pub kind: UnusualKind,
    /// How often in the last hour.
    pub last_hour: u64,
    /// From how many places; `None`: too many to count.
    pub places: Option<u64>,
    /// Hours before that with how often in them; `None`: the box has not run for long enough to compare.
    pub before: Option<(u64, u64)>,
}

/// Kinds of [`Unusual`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnusualKind {
    /// Wrong delivery tokens.
    Token,
    /// Wrong invitations.
    Join,
    /// Devices that failed to prove themselves.
    Proof,
    /// Connections that broke off before they were encrypted.
    Handshake,
    /// Fetches of bundles.
    Fetch,
    /// Wrong passwords at the dashboard.
    SignIn,
}

impl Unusual {
    pub(crate) fn text(&self, ui: &Ui<'_>) -> String {
        let kind = match self.kind {
            UnusualKind::Token => "token",
            UnusualKind::Join => "join",
            UnusualKind::Proof => "proof",
            UnusualKind::Handshake => "handshake",
            UnusualKind::Fetch => "fetch",
            UnusualKind::SignIn => "sign-in",
        };
        let places = match self.places {
            Some(count) => ui.t1("unusual-places", "count", count),
            None => ui.t("unusual-many-places"),
        };
        let what = ui.t2(&format!("unusual-{kind}"), "count", self.last_hour, "places", places);
        let before = match self.before {
            Some((hours, count)) => ui.t2("unusual-before", "hours", hours, "count", count),
            None => ui.t("unusual-no-before"),
        };
        format!("{what} {before} {}", ui.t(&format!("unusual-{kind}-remedy")))
    }
}

/// The figures; what this machine cannot tell is `None`, and its row is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Members with a device connected now.
    pub members_online: u64,
    /// Members.
    pub members: u64,
    /// Devices connected now.
    pub devices_online: u64,
    /// Devices.
    pub devices: u64,
    /// Envelopes that wait.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Envelopes taken for keeping since midnight in the keeper's zone.
    pub accepted_today: u64,
    /// Envelopes delivered and so forgotten, likewise.
    pub delivered_today: u64,
    /// Envelopes expired and so forgotten, likewise.
    pub expired_today: u64,
    /// Bytes of envelopes relayed today, kept or not.
    pub relayed_today_bytes: Option<u64>,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Used of the disk that the log is on.
    pub disk_used_bytes: Option<u64>,
    /// Its size.
    pub disk_bytes: Option<u64>,
    /// Of the card's life, as it says itself.
    pub card_worn_percent: Option<u32>,
    /// Written to the disk since the box's start.
    pub written_bytes: Option<u64>,
    /// Of the board.
    pub celsius: Option<u32>,
    /// Resident memory of the box.
    pub memory_bytes: u64,
    /// Memory of the machine.
    pub machine_memory_bytes: Option<u64>,
    /// Since the start.
    pub uptime_s: u64,
    /// Until the next compaction; `None`: none is due.
    pub next_compaction_s: Option<u64>,
}

/// The texts of the figures, by the key that stands in `data-live`.
pub(crate) fn figure_texts(figures: &Figures, ui: &Ui<'_>) -> Vec<(&'static str, String)> {
    let f = figures;
    let of = |some: u64, all: u64| ui.t2("figure-of", "some", some, "all", all);
    let mut texts = vec![
        ("members", of(f.members_online, f.members)),
        ("devices", of(f.devices_online, f.devices)),
        ("waiting", ui.count(f.waiting)),
        ("waiting-bytes", ui.bytes(&f.waiting_bytes)),
        ("accepted", ui.count(f.accepted_today)),
        ("forgotten", ui.count(f.delivered_today + f.expired_today)),
        ("delivered", ui.count(f.delivered_today)),
        ("expired", ui.count(f.expired_today)),
        ("log", ui.bytes(&f.log_bytes)),
        ("memory", ui.bytes(&f.memory_bytes)),
        ("uptime", ui.duration(f.uptime_s)),
    ];
    let mut add = |key, text: Option<String>| texts.extend(text.map(|text| (key, text)));
    add("relayed", f.relayed_today_bytes.map(|bytes| ui.bytes(&bytes)));
    let disk = f.disk_used_bytes.zip(f.disk_bytes);
    add("disk", disk.map(|(used, all)| ui.t2("figure-of", "some", ui.bytes(&used), "all", ui.bytes(&all))));
    add("worn", f.card_worn_percent.map(|percent| ui.t1("figure-percent", "n", percent)));
    add("written", f.written_bytes.map(|bytes| ui.bytes(&bytes)));
    add("celsius", f.celsius.map(|celsius| ui.t1("figure-degrees", "n", celsius)));
    add("machine-memory", f.machine_memory_bytes.map(|bytes| ui.bytes(&bytes)));
    let compaction = f.next_compaction_s.map(|s| ui.t1("figure-in", "duration", ui.duration(s)));
    texts.push(("compaction", compaction.unwrap_or_else(|| ui.t("figure-not-due"))));
    texts
}

impl Overview {
    /// A figure's row, where this machine can tell it.
    fn figure(&self, ui: &Ui<'_>, key: &str) -> Option<String> {
        figure_texts(&self.figures, ui).into_iter().find(|(name, _)| *name == key).map(|(_, text)| text)
    }

    fn text(&self, ui: &Ui<'_>, key: &str) -> String {
        self.figure(ui, key).unwrap_or_default()
    }

    /// Key and text of the figures of a group, without those that this machine cannot tell.
    fn group(&self, ui: &Ui<'_>, keys: &[&'static str]) -> Vec<(&'static str, String)> {
        keys.iter().filter_map(|key| Some((*key, self.figure(ui, key)?))).collect()
    }

    fn traffic(&self, ui: &Ui<'_>) -> Vec<(&'static str, String)> {
        self.group(ui, &["waiting", "waiting-bytes", "accepted", "delivered", "expired", "relayed"])
    }

    fn machine(&self, ui: &Ui<'_>) -> Vec<(&'static str, String)> {
        let keys = ["disk", "log", "worn", "written", "celsius", "memory", "machine-memory", "uptime", "compaction"];
        self.group(ui, &keys)
    }

    fn told(&self, ui: &Ui<'_>) -> Vec<Told> {
        self.problems.iter().map(|problem| problem.told(ui)).collect()
    }

    fn strange(&self, ui: &Ui<'_>) -> Vec<String> {
        self.unusual.iter().map(|unusual| unusual.text(ui)).collect()
    }

    fn hour(&self, ui: &Ui<'_>) -> Markup {
        draw(ui, "hour", "chart-hour", &self.last_hour, &[Figure::Accepted, Figure::Delivered])
    }

    fn day(&self, ui: &Ui<'_>) -> Markup {
        draw(ui, "day", "chart-day", &self.last_day, &[Figure::Accepted, Figure::Delivered, Figure::Expired])
    }
}

impl Page for Overview {
    fn title(&self, ui: &Ui<'_>) -> String {
        ui.t("nav-overview")
    }
}

page!(Overview, "overview.html");
