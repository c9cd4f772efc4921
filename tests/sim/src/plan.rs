//! The plan of a world: who lives in it, and what happens when. Made up front from the seed, so that a failing world can be
//! run again with parts of it left out.
//!
//! # Layout
//! - this file: what a plan says; `making`: kinds of worlds, and plans from seeds.

use crate::store::{DiskTrouble, Flips};

mod making;

/// A minute, in milliseconds.
pub const MINUTE: u64 = 60_000;
/// An hour, in milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// A day, in milliseconds.
pub const DAY: u64 = 24 * HOUR;

/// Everything that a world is made from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it was made from.
    pub seed: u64,
    /// Whether envelopes are really sealed; else by the stand-in, where this program has it.
    pub real_sealing: bool,
    /// How long it lasts, in milliseconds; then faults end.
    pub lasts_ms: u64,
    /// Boxes.
    pub boxes: usize,
    /// Small quotas: mailboxes run full.
    pub small_quotas: bool,
    /// Devices save whenever they say so, not only where somebody could notice.
    pub eager_saves: bool,
    /// Who lives here.
    pub members: Vec<Member>,
    /// Who exchanges contact codes with whom at the beginning: the second shows, the first adds.
    pub pairs: Vec<(usize, usize)>,
    /// How long a frame takes, in milliseconds: from, to.
    pub latency_ms: (u64, u64),
    /// How long a commit takes, in milliseconds: from, to.
    pub sync_ms: (u64, u64),
    /// What happens, in order of time.
    pub steps: Vec<Step>,
}

/// A member.
#[derive(Debug, Clone)]
pub struct Member {
    /// The number of the home box.
    pub home: usize,
    /// The numbers of the devices, the first one first.
    pub devices: Vec<usize>,
    /// Whether a push service wakes the devices.
    pub push: bool,
    /// How far the devices' clocks are off, in milliseconds.
    pub skew_ms: i64,
    /// `false`: left out, to see whether the world fails without.
    pub is_here: bool,
}

/// Something happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// When, in milliseconds from the beginning of the plan.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// How a box's wall clock stands when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// Right.
    Right,
    /// Where it was when the box stopped.
    Stands,
    /// In 1970.
    Lost,
    /// This many hours ahead.
    Ahead(u64),
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum What {
    /// A device's program starts.
    Comes {
        /// Which.
        device: usize,
    },
    /// It ends, after doing what can be done in ten seconds.
    Leaves {
        /// Which.
        device: usize,
    },
    /// It is killed after so many more outputs, or a minute later.
    Killed {
        /// Which.
        device: usize,
        /// Outputs that it still carries out.
        after: u32,
    },
    /// A person writes, on whichever device of theirs is running, this one first.
    Writes {
        /// Who.
        member: usize,
        /// To whom.
        to: usize,
        /// How many messages at once.
        count: u32,
        /// How long each is, in bytes.
        bytes: usize,
        /// How.
        how: How,
    },
    /// A person blocks another; tokens are revoked.
    Blocks {
        /// Who.
        member: usize,
        /// Whom.
        whom: usize,
    },
    /// And takes them back.
    Unblocks {
        /// Who.
        member: usize,
        /// Whom.
        whom: usize,
    },
    /// A box stops and starts again.
    Restarts {
        /// Which.
        the_box: usize,
        /// Whether it says goodbye; else the power is cut.
        clean: bool,
        /// How long it is off, in milliseconds.
        off_ms: u64,
        /// Its wall clock when it starts.
        wall: Wall,
        /// After how many more operations of the disk the power goes; `None`: between two of them, now.
        in_operation: Option<u64>,
    },
    /// A running box's wall clock jumps.
    WallJumps {
        /// Which box's.
        the_box: usize,
        /// By so much, in milliseconds.
        by_ms: i64,
    },
    /// The keeper compacts.
    Compacts {
        /// Which box.
        the_box: usize,
    },
    /// Something is wrong with a disk.
    DiskFails {
        /// Of which box.
        the_box: usize,
        /// What.
        trouble: DiskTrouble,
    },
    /// Nothing is wrong with it any more.
    DiskHeals {
        /// Of which box.
        the_box: usize,
    },
    /// Bits flip in what lies on it.
    BitsFlip {
        /// Of which box.
        the_box: usize,
        /// How many.
        bits: u32,
        /// In what.
        of: Flips,
    },
    /// All connections of a device end, perhaps in the middle of a frame.
    Dropped {
        /// Which.
        device: usize,
    },
    /// A device's network goes away without a word: connections hang.
    Unreachable {
        /// Which.
        device: usize,
        /// For so long, in milliseconds.
        for_ms: u64,
    },
    /// Somebody repeats submits that were seen on the network, on a connection of their own.
    Repeats {
        /// How many.
        count: u32,
    },
    /// A member's odd program proves its mailbox and acknowledges what is others'.
    Meddles {
        /// At which box.
        the_box: usize,
    },
    /// Somebody with a token fetches its bundle again and again.
    Fetches {
        /// How often.
        count: u32,
    },
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Until it is confirmed.
    Plainly,
    /// With so many seconds to live.
    ForSeconds(u64),
    /// To be seen once.
    ViewOnce,
    /// From device to device or not at all.
    Strictly,
}
