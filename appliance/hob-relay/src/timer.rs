//! All wake-ups of the rules, and why each is wanted.

use crate::clock::BoxTime;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why the rules want to be woken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum WakeReason { $($(#[$doc])* $name,)* }

        impl WakeReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// For the trace and `hob status`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

reasons! {
    /// When the next pending envelope passes its deadline.
    EnvelopeDue,
    /// When ids of done envelopes, expired invitations, tokens and bundles are swept.
    Sweep,
    /// When connections are looked at that show nothing, or are silent.
    IdleConnections,
}

/// One place for each reason.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: [Option<BoxTime>; WakeReason::ALL.len()],
}

#[expect(clippy::indexing_slicing, reason = "there is a place for each reason: the length is their number")]
impl Timers {
    pub(crate) const fn set(&mut self, reason: WakeReason, at: Option<BoxTime>) {
        self.at[reason as usize] = at;
    }

    pub(crate) const fn set_if_unset(&mut self, reason: WakeReason, at: BoxTime) {
        if self.at[reason as usize].is_none() {
            self.set(reason, Some(at));
        }
    }

    pub(crate) fn is_due(&self, reason: WakeReason, now: BoxTime) -> bool {
        self.at[reason as usize].is_some_and(|at| at <= now)
    }

    pub(crate) fn next(&self) -> Option<(BoxTime, WakeReason)> {
        WakeReason::ALL.iter().filter_map(|&reason| self.at[reason as usize].map(|at| (at, reason))).min()
    }
}
