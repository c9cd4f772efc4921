//! The shape of questions and answers on the control socket, and of `--json`.

use serde::{Deserialize, Serialize};

/// Make an invitation.
#[derive(Debug, Serialize, Deserialize)]
pub struct InviteOrder {
    /// How long it is good, in seconds.
    pub expires_in_s: u64,
}

/// An invitation was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Invited {
    /// `hob://join/…`
    pub link: String,
    /// RFC 3339.
    pub expires: String,
}

/// Take somebody out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RevokeOrder {
    /// A member with all devices, by id in hex.
    Member(String),
    /// One device, by its mailbox in hex.
    Mailbox(String),
}

/// What opens the set-up of the dashboard.
#[derive(Debug, Serialize, Deserialize)]
pub struct SetupCode {
    /// Twelve digits; `None`: the set-up is done.
    pub setup_code: Option<String>,
    /// Where the dashboard is; `None`: there is none.
    pub dashboard: Option<String>,
}

/// Give a keeper a new password.
#[derive(Serialize, Deserialize)]
pub struct ResetOrder {
    /// Who; empty: the owner.
    pub name: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for ResetOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name: _, password: _ } = self;
        f.write_str("ResetOrder(…)")
    }
}

/// An order was carried out.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// Always true.
    pub done: bool,
}

/// Something was refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, and what to do.
    pub error: String,
}

/// A member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The box's own name of the member, in hex.
    pub member: String,
    /// What the member wants to be called, as it was given.
    pub label: String,
    /// RFC 3339.
    pub joined: String,
    /// The member's devices.
    pub devices: Vec<Device>,
}

/// A device.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Device {
    /// Its mailbox, in hex.
    pub mailbox: String,
    /// "native" or "web".
    pub kind: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// Envelopes that wait for it.
    pub pending: u32,
}

/// What compacting did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compacted {
    /// The ledger's generation that now holds.
    pub generation: u64,
    /// Records in the ledger before.
    pub records_before: u64,
    /// Records after: the live ones.
    pub records_after: u64,
    /// The window that was closed with it, if one was open.
    pub closed_window: Option<u32>,
    /// Windows that still have a body key: something in them waits.
    pub windows_with_body_key: u64,
}

/// What lasts of the ledger: for a backup, which the asking command seals.
#[derive(Debug, Serialize, Deserialize)]
pub struct LedgerView {
    /// Its events, base64 (RFC 4648, section 4).
    pub events: Vec<String>,
    /// Box time in milliseconds.
    pub box_time_ms: u64,
    /// Ledger time in milliseconds.
    pub ledger_time_ms: u64,
    /// Unix milliseconds.
    pub unix_ms: u64,
}

/// How the box stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// Envelopes that wait.
    pub pending: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Envelopes taken for keeping since the start.
    pub accepted: u64,
    /// Envelopes acknowledged by their owners.
    pub delivered: u64,
    /// Envelopes that passed their deadline.
    pub expired: u64,
    /// Online-only envelopes handled: never kept, never in the log.
    pub online_only: u64,
    /// Repeats of envelopes taken before.
    pub duplicates: u64,
    /// Envelopes pushed, repeats included.
    pub pushed: u64,
    /// Refusals of all kinds.
    pub refused: u64,
    /// Members.
    pub members: u64,
    /// Their devices.
    pub devices: u64,
    /// Devices connected now.
    pub connected: u64,
    /// Other connections.
    pub senders: u64,
    /// Windows on disk.
    pub windows: u64,
    /// Of them, those whose bodies can still be read.
    pub windows_with_body_key: u64,
    /// Windows that were lost in this epoch.
    pub lost_windows: u64,
    /// Records that were found damaged and are kept aside.
    pub damaged_records: u64,
    /// The ledger's generation.
    pub generation: u64,
    /// Bytes of the log on disk.
    pub bytes_on_disk: u64,
    /// The disk refused the last commit.
    pub storing_fails: bool,
    /// Resident memory of the box's process.
    pub memory_bytes: u64,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// How the run before this one ended, in words.
    #[serde(default)]
    pub last_stop: String,
    /// What is unusual, worst first; empty: nothing is.
    #[serde(default)]
    pub unusual: Vec<Unusual>,
    /// When the last backup was made, RFC 3339. Told by the data folder, not by the box.
    #[serde(default)]
    pub last_backup: Option<String>,
    /// The date of the backup that the box was restored from, RFC 3339, until its keeper has checked the members.
    #[serde(default)]
    pub restored_from: Option<String>,
}

/// Something unusual in the last hour. Says from how many places it came, and never from which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusual {
    /// "token", "join", "proof", "handshake" or "fetch".
    pub kind: String,
    /// How often in the last hour.
    pub last_hour: u64,
    /// How often in the day before that.
    pub day_before: u64,
    /// A sentence for the keeper.
    pub text: String,
}

/// The box restarts in place.
#[derive(Debug, Serialize, Deserialize)]
pub struct Restarting {
    /// The number of the run that ends.
    pub run: u64,
    /// The version that runs.
    pub from_version: String,
    /// The version that takes over.
    pub to_version: String,
    /// Connections that are told.
    pub connections: u64,
}

/// What the box knows of its own condition: for `hob doctor`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CareView {
    /// Its process.
    pub pid: u32,
    /// A random number, another one for each start.
    pub run: u64,
    /// The version of its program.
    pub version: String,
    /// Its identity, in hex.
    pub identity: String,
    /// Where members reach it: address and port.
    pub listening_on: String,
    /// Where figures are served besides the control socket.
    pub metrics: Option<String>,
    /// The wall clock by the box's own reckoning, Unix milliseconds.
    pub unix_ms_by_records: u64,
    /// Whether two sources agreed on the time.
    pub time_confirmed: bool,
    /// Seconds until mail from before the start is destroyed, because nobody knows how long the box was off.
    pub old_mail_until_s: Option<u64>,
    /// Journals whose tail was torn by a sudden stop.
    pub cut_tails: u64,
    /// Damaged records of the ledger that its copy gave back at the start.
    pub ledger_restored: u64,
    /// Records of the ledger that nothing could give back.
    pub ledger_lost: u64,
    /// Commits that the disk refused since the start.
    pub refused_commits: u64,
    /// Who started it.
    pub service: ServiceView,
    /// How it stands.
    pub status: StatusView,
}

/// What the box's service manager, if it has one, asked of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServiceView {
    /// It wants to be told when the box is ready.
    pub notifies: bool,
    /// It ends a box that says nothing for as long, in milliseconds.
    pub watchdog_ms: Option<u64>,
    /// It opened the ports.
    pub activated: bool,
}
