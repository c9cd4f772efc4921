//! Who keeps the box: keepers and how far the set-up has come, what they set, whom they suspended, the tokens of their
//! programs, and the audit log of all that.
//!
//! The rules hold what lasts and check what must hold between its parts: there is always an owner, a name is there once,
//! the later of two editors is told. Passwords are hashed, and sessions kept, by the shell.
//!
//! # Layout
//! - this file: the words, and what is asked.
//! - `change`: what an order changes; `audit`: the line that it leaves; `restore`: the state from its events.

mod audit;
mod change;
mod restore;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::ids::{InvitationId, InvitationSecret, MemberId};

use crate::Relay;
use crate::clock::{LedgerTime, Now};
pub use crate::event::AUDIT_LINES_MAX;

/// Keepers of one box, at most.
pub const KEEPERS_MAX: usize = 32;

/// Automation tokens of one box, at most.
pub const AUTOMATION_TOKENS_MAX: usize = 64;

/// The longest name of a keeper, a token or a box, in characters.
pub const NAME_CHARACTERS_MAX: usize = 64;

/// How long members of a suspended member's devices wait before they ask again.
const SUSPENDED_ASK_AGAIN: Duration = Duration::from_secs(3600);

/// What a keeper may do. Later ones may less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, other keepers and the box's end included.
    Owner,
    /// What members need.
    Keeper,
    /// Look.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Keeper, Self::Viewer];

    /// Its number in the ledger.
    pub const fn number(self) -> u32 {
        match self {
            Self::Owner => 1,
            Self::Keeper => 2,
            Self::Viewer => 3,
        }
    }

    /// The role of a number.
    pub const fn of_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Owner),
            2 => Some(Self::Keeper),
            3 => Some(Self::Viewer),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Keeper => "keeper",
            Self::Viewer => "viewer",
        }
    }

    /// The role of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether whoever has this role may do what needs another.
    pub fn may(self, needed: Self) -> bool {
        self <= needed
    }
}

/// A keeper's number, random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeeperId(pub [u8; 16]);

/// A keeper.
#[derive(Clone, PartialEq, Eq)]
pub struct Keeper {
    /// The number.
    pub id: KeeperId,
    /// What the keeper signs in as.
    pub name: String,
    /// What the keeper may do.
    pub role: Role,
    /// An Argon2id hash, as a PHC string.
    pub password: String,
    /// The secret of one-time codes; empty: none are asked for.
    pub totp_secret: Vec<u8>,
    /// Unix time in seconds.
    pub made_at_s: u64,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name: _, role, password: _, totp_secret: _, made_at_s: _ } = self;
        f.debug_struct("Keeper").field("id", id).field("role", role).finish_non_exhaustive()
    }
}

/// How far the set-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum SetUp {
    /// Nobody keeps the box yet: the code on the console opens the first screen.
    #[default]
    New,
    /// The owner has a password; the box has no name yet.
    HasOwner,
    /// The box has a name; nobody was invited yet.
    HasName,
    /// Done.
    Done,
}

impl SetUp {
    const fn number(self) -> u32 {
        match self {
            Self::New => 0,
            Self::HasOwner => 1,
            Self::HasName => 2,
            Self::Done => 3,
        }
    }

    const fn of_number(number: u32) -> Self {
        match number {
            0 => Self::New,
            1 => Self::HasOwner,
            2 => Self::HasName,
            _ => Self::Done,
        }
    }
}

/// What keepers set. `None`: the settings' file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// What the box is called.
    pub box_name: Option<String>,
    /// An IANA name.
    pub time_zone: Option<String>,
    /// At most what the settings' file allows.
    pub retention: Option<Duration>,
    /// Envelopes of one mailbox.
    pub mailbox_envelopes: Option<u32>,
    /// Bytes of one mailbox.
    pub mailbox_bytes: Option<u64>,
    /// Members of the box.
    pub members: Option<u32>,
    /// Devices of a member.
    pub devices_per_member: Option<u32>,
    /// The least role that may invite.
    pub inviting_role: Option<Role>,
    /// Counts changes.
    pub revision: u64,
}

/// What an automation token opens. Later ones open more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Figures only.
    Metrics,
    /// Everything that can be looked at.
    Read,
    /// What a keeper may do.
    Manage,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Read, Self::Manage];

    const fn number(self) -> u32 {
        match self {
            Self::Metrics => 1,
            Self::Read => 2,
            Self::Manage => 3,
        }
    }

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.number() == number)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Manage => "keeper",
        }
    }

    /// The scope of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// An automation token, as the box knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct AutomationToken {
    /// Its number, random.
    pub id: [u8; 16],
    /// Of the token itself, which the box does not keep.
    pub hash: [u8; 32],
    /// What the keeper calls it.
    pub name: String,
    /// What it opens.
    pub scope: Scope,
    /// How long it is good from when it was made or asked about.
    pub good_for: Duration,
    /// Unix time in seconds.
    pub made_at_s: u64,
    /// The keeper's name.
    pub made_by: String,
}

impl fmt::Debug for AutomationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: _, hash: _, name: _, scope, good_for, made_at_s: _, made_by: _ } = self;
        f.debug_struct("AutomationToken").field("scope", scope).field("good_for", good_for).finish_non_exhaustive()
    }
}

/// Who orders something, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// A keeper's name, a token's, or "console".
    pub who: String,
    /// The address it came from; empty: the console.
    pub from: String,
}

impl By {
    /// Somebody at the machine itself.
    pub fn console() -> Self {
        Self { who: "console".to_owned(), from: String::new() }
    }
}

/// An order about keeping. Each leaves a line in the audit log.
#[derive(Debug, Clone)]
pub enum Change {
    /// Makes the first keeper, who is the owner: once in a box's life.
    FirstOwner(Keeper),
    /// Adds a keeper, or replaces one with the same number.
    PutKeeper(Keeper),
    /// Takes a keeper out.
    RemoveKeeper(KeeperId),
    /// A screen of the set-up is done.
    SetUp(SetUp),
    /// Sets everything anew; `revision` is what the editor saw.
    Settings(Settings),
    /// Makes a token.
    AddToken(AutomationToken),
    /// Takes one back.
    RemoveToken([u8; 16]),
    /// Members' devices are not served any more, until they are.
    Suspend(MemberId),
    /// They are served again.
    Resume(MemberId),
    /// Nothing in the ledger changes, but it is to be remembered that it was done.
    Note {
        /// What.
        what: &'static str,
        /// To what.
        about: String,
    },
}

/// Why an order is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPossible {
    /// Nobody would be left who may do everything.
    #[error("a box has at least one owner: make another keeper owner first")]
    LastOwner,
    /// Somebody else signs in as that.
    #[error("another keeper has this name: choose another")]
    NameTaken,
    /// There are as many as may be.
    #[error("there are as many as may be: remove one first")]
    TooMany,
    /// Somebody else changed it meanwhile.
    #[error("somebody else changed this meanwhile: look at what is set now, and save again")]
    ChangedMeanwhile,
    /// The set-up is over, or somebody was faster.
    #[error("the box is set up already: sign in")]
    AlreadySetUp,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// From 1.
    pub number: u64,
    /// Unix time in seconds, as the box's clock stood.
    pub at_s: u64,
    /// Who.
    pub who: String,
    /// What, as one of a few words: "member-removed".
    pub what: String,
    /// To whom or what.
    pub about: String,
    /// From where; empty: from the machine itself.
    pub from: String,
}

/// What is known of the keeping, for the shell.
#[derive(Debug, Clone, Default)]
pub struct KeepingView {
    /// By name.
    pub keepers: Vec<Keeper>,
    /// How far the set-up has come.
    pub set_up: SetUp,
    /// What was set.
    pub settings: Settings,
    /// Tokens that are still good, by name.
    pub tokens: Vec<AutomationToken>,
}

/// An invitation that nobody used, for the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationView {
    /// Its number.
    pub id: InvitationId,
    /// Its secret.
    pub secret: InvitationSecret,
    /// Unix time in seconds, by the box's clock; 0 if the box has none.
    pub expires_at_s: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    keepers: BTreeMap<KeeperId, Keeper>,
    set_up: SetUp,
    settings: Settings,
    tokens: BTreeMap<[u8; 16], (AutomationToken, LedgerTime)>,
    suspended: BTreeSet<MemberId>,
    /// Oldest first.
    audit: VecDeque<AuditLine>,
}

impl Relay {
    /// Whether a member's devices are served.
    pub(crate) fn is_served(&self, member: &MemberId) -> Result<(), Refused> {
        if self.keeping.suspended.contains(member) {
            return Err(Refused::for_now(Code::Suspended, SUSPENDED_ASK_AGAIN));
        }
        Ok(())
    }

    pub(crate) fn is_suspended(&self, member: &MemberId) -> bool {
        self.keeping.suspended.contains(member)
    }

    /// What is known of the keeping.
    pub fn keeping(&self, now: Now) -> KeepingView {
        let mut keepers: Vec<Keeper> = self.keeping.keepers.values().cloned().collect();
        keepers.sort_by(|a, b| a.name.cmp(&b.name));
        let good = self.keeping.tokens.values().filter(|(_, until)| *until > now.ledger_time);
        let mut tokens: Vec<AutomationToken> = good
            .map(|(token, until)| AutomationToken { good_for: until.since(now.ledger_time), ..token.clone() })
            .collect();
        tokens.sort_by(|a, b| a.name.cmp(&b.name));
        KeepingView { keepers, set_up: self.keeping.set_up, settings: self.keeping.settings.clone(), tokens }
    }

    /// The audit log, newest first.
    pub fn audit(&self) -> Vec<AuditLine> {
        self.keeping.audit.iter().rev().cloned().collect()
    }

    /// Invitations that are open, those that end first in front. Device tickets are their members' business.
    pub fn invitations(&self, now: Now) -> Vec<InvitationView> {
        let open = self
            .invitations
            .iter()
            .filter(|(_, open)| open.redeemed.is_none() && open.member.is_none() && open.expires_at > now.ledger_time);
        let mut open: Vec<_> = open
            .map(|(id, open)| InvitationView {
                id: *id,
                secret: open.secret.clone(),
                expires_at_s: self.date_in(now, open.expires_at.since(now.ledger_time)),
            })
            .collect();
        open.sort_by_key(|view| (view.expires_at_s, view.id));
        open
    }
}
