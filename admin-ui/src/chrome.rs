//! What stands around each page.

use jiff::tz::TimeZone;

/// What every page is given besides its own data.
#[derive(Debug, Clone)]
pub struct Chrome {
    /// The box's name, as its keeper chose it.
    pub box_name: String,
    /// In which language.
    pub language: Language,
    /// The keeper's time zone: all times are shown in it.
    pub zone: TimeZone,
    /// Now, in Unix seconds; 0: the box has no clock.
    pub now_unix_s: u64,
    /// Who asks; `None`: nobody is signed in, and there is no navigation.
    pub signed_in: Option<SignedIn>,
    /// The token that every form carries in its hidden field `csrf`.
    pub csrf: String,
    /// Which entry of the navigation is lit.
    pub here: Here,
    /// What just happened: told once.
    pub notice: Option<Notice>,
    /// Problems of the box, for the mark beside "Overview".
    pub problems: u32,
    /// Reports that wait, for the mark beside "Reports"; `None`: the box takes none, and no page tells of them.
    pub open_reports: Option<u32>,
}

impl Default for Chrome {
    /// A box without a name, in English and UTC, with nobody signed in.
    fn default() -> Self {
        Self {
            box_name: String::new(),
            language: Language::English,
            zone: TimeZone::UTC,
            now_unix_s: 0,
            signed_in: None,
            csrf: String::new(),
            here: Here::Outside,
            notice: None,
            problems: 0,
            open_reports: None,
        }
    }
}

/// The languages that there are catalogues for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// English made strange: for tests of what is not in a catalogue, and of long words.
    Pseudo,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The keeper's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// What a keeper may do; a later one may all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees figures, changes nothing, opens no report.
    Viewer,
    /// Invites, suspends and removes members, handles reports, compacts and verifies.
    Keeper,
    /// Everything: settings, other keepers, tokens, backups, restart and reset.
    Owner,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Keeper, Self::Owner];

    /// As it stands in forms: "viewer", "keeper", "owner".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Keeper => "keeper",
            Self::Owner => "owner",
        }
    }

    /// The role of a name in a form.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a page; their modules tell of them")]
pub enum Here {
    /// None is lit: set-up, sign-in, failures.
    Outside,
    Overview,
    Members,
    Invitations,
    Memory,
    Traffic,
    Reports,
    Network,
    Settings,
    Audit,
    Logs,
    About,
}

impl Here {
    /// In the order of the navigation.
    pub(crate) const ALL: [Self; 11] = [
        Self::Overview,
        Self::Members,
        Self::Invitations,
        Self::Reports,
        Self::Traffic,
        Self::Memory,
        Self::Network,
        Self::Settings,
        Self::Audit,
        Self::Logs,
        Self::About,
    ];

    /// Its path without the slash; the icon and the key of its text are named after it, too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outside => "",
            Self::Overview => "overview",
            Self::Members => "members",
            Self::Invitations => "invitations",
            Self::Memory => "memory",
            Self::Traffic => "traffic",
            Self::Reports => "reports",
            Self::Network => "network",
            Self::Settings => "settings",
            Self::Audit => "audit",
            Self::Logs => "logs",
            Self::About => "about",
        }
    }

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Outside | Self::Overview => "/",
            Self::Members => "/members",
            Self::Invitations => "/invitations",
            Self::Memory => "/memory",
            Self::Traffic => "/traffic",
            Self::Reports => "/reports",
            Self::Network => "/network",
            Self::Settings => "/settings",
            Self::Audit => "/audit",
            Self::Logs => "/logs",
            Self::About => "/about",
        }
    }
}

/// What just happened, told on top of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The form was older than the session: what was typed is kept, nothing was done.
    StaleForm,
    /// Somebody else changed the same since this form was opened: what was typed is kept, nothing was done.
    ChangedMeanwhile {
        /// Who, if it is known.
        by: Option<String>,
    },
    /// The form came a second time; it was done once.
    AlreadyDone,
    /// Signed out.
    SignedOut,
    /// The session ended; sign in, and the page comes back.
    SessionEnded,
    /// Set-up is complete.
    SetUp,
    /// A member was removed.
    MemberRemoved {
        /// The label.
        label: String,
    },
    /// A member was suspended.
    MemberSuspended {
        /// The label.
        label: String,
    },
    /// A member may use the box again.
    MemberResumed {
        /// The label.
        label: String,
    },
    /// A device was revoked.
    DeviceRevoked,
    /// Invitations were made.
    Invited {
        /// How many.
        count: u32,
    },
    /// An invitation was withdrawn.
    Withdrawn,
    /// The ledger was compacted.
    Compacted {
        /// Records before.
        records_before: u64,
        /// Records after.
        records_after: u64,
    },
    /// Verifying runs.
    Verifying,
    /// Settings were saved.
    Saved,
    /// They hold from the next start on.
    SavedForNextStart,
    /// The password was changed.
    PasswordChanged,
    /// Codes of an app are asked for from now on.
    TotpOn,
    /// They are not asked for any more.
    TotpOff,
    /// A session was ended.
    SessionRevoked,
    /// All other sessions were ended.
    OtherSessionsRevoked,
    /// A keeper was added.
    KeeperAdded {
        /// Who.
        name: String,
    },
    /// A keeper's role was changed.
    KeeperChanged {
        /// Who.
        name: String,
    },
    /// A keeper was removed.
    KeeperRemoved {
        /// Who.
        name: String,
    },
    /// A token for JSON was revoked.
    TokenRevoked,
    /// A report was closed without consequence.
    ReportDismissed,
    /// What was reported was acted on.
    ReportActedOn,
    /// The certificate was taken.
    CertificateTaken,
    /// Something that has no word of its own yet, in the box's English.
    Other {
        /// Whether it is a failure.
        failed: bool,
        /// What.
        text: String,
    },
}
