//! What goes wrong on a disk, and when.

use std::time::Duration;

use fuser::Errno;

/// What the disk is asked to do; what only looks something up is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Something new: a file, a folder, bytes, space. What a full disk refuses.
    Store,
    /// A name that goes or changes, or a file that gets shorter: needs no space.
    Change,
    /// A sync of a file or a folder.
    Sync,
    /// Bytes of a file.
    Read,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The power goes, before this is done.
    Cut,
    /// No room: `ENOSPC`.
    NoSpace,
    /// The medium fails: `EIO`. Of a failed sync nothing is written, and reads show it until it is evicted.
    Broken,
    /// The same, evicted at once.
    BrokenAndEvicted,
    /// The file system is read-only: `EROFS`.
    ReadOnly,
}

impl Effect {
    pub(crate) fn errno(self) -> Errno {
        match self {
            Self::NoSpace => Errno::ENOSPC,
            Self::ReadOnly => Errno::EROFS,
            Self::Cut | Self::Broken | Self::BrokenAndEvicted => Errno::EIO,
        }
    }
}

/// When something goes wrong.
#[derive(Debug, Clone)]
pub struct Rule {
    /// At what.
    pub asks: Vec<Ask>,
    /// Only on files and folders of these names; empty: on all.
    pub names: Vec<&'static str>,
    /// So many are let pass first.
    pub after: u64,
    /// And so many fail, before everything is well again.
    pub times: u64,
    /// How.
    pub effect: Effect,
}

impl Rule {
    /// The power goes at the n-th change from now, the first being 0, of these files or of all.
    pub fn cut(after: u64, names: &[&'static str]) -> Self {
        let asks = vec![Ask::Store, Ask::Change, Ask::Sync];
        Self { asks, names: names.to_vec(), after, times: 1, effect: Effect::Cut }
    }

    /// So many of these fail after so many.
    pub fn fail(asks: &[Ask], after: u64, times: u64, effect: Effect) -> Self {
        Self { asks: asks.to_vec(), names: Vec::new(), after, times, effect }
    }

    /// Only on files and folders of these names.
    #[must_use]
    pub fn on(mut self, names: &[&'static str]) -> Self {
        self.names = names.to_vec();
        self
    }

    fn strikes(&mut self, ask: Ask, name: &str) -> bool {
        if self.times == 0 || !self.asks.contains(&ask) || !(self.names.is_empty() || self.names.contains(&name)) {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// All that goes wrong on one disk.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// What comes.
    pub rules: Vec<Rule>,
    /// The power is gone: everything fails.
    pub is_frozen: bool,
    /// How long a sync takes.
    pub sync_takes: Duration,
    /// How often a rule struck.
    pub struck: u64,
    /// Changes and syncs so far: what a cut is counted in.
    pub changes: u64,
    /// Of them, those that a full disk would refuse.
    pub stores: u64,
    /// Of them, syncs.
    pub syncs: u64,
    /// Reads so far.
    pub reads: u64,
}

impl Faults {
    /// What happens to the next thing that is asked; `None`: it is done.
    pub fn strike(&mut self, ask: Ask, name: &str) -> Option<Effect> {
        if self.is_frozen {
            return Some(Effect::Broken);
        }
        match ask {
            Ask::Read => self.reads += 1,
            Ask::Store => self.stores += 1,
            Ask::Sync => self.syncs += 1,
            Ask::Change => {}
        }
        self.changes += u64::from(ask != Ask::Read);
        // Every rule counts, also when another one strikes.
        let struck: Vec<Effect> =
            self.rules.iter_mut().filter_map(|rule| rule.strikes(ask, name).then_some(rule.effect)).collect();
        let effect = struck.iter().find(|effect| **effect == Effect::Cut).or(struck.first()).copied()?;
        self.struck += 1;
        self.is_frozen |= effect == Effect::Cut;
        Some(effect)
    }
}
