//! What an order changes.

use bytes::Bytes;
use hob_protocol::code::{Code, Refused};
use hob_protocol::ids::MemberId;

use crate::admin::{Answer, Ask};
use crate::clock::Now;
use crate::event::{LedgerEvent, disk};
use crate::keeping::{
    AUTOMATION_TOKENS_MAX, AutomationToken, By, Change, KEEPERS_MAX, Keeper, KeeperId, NotPossible, Role, SetUp,
    Settings,
};
use crate::quota::Config;
use crate::{Effects, Relay};

impl Relay {
    /// Carries out an order and writes who gave it, if anything came of it.
    pub(crate) fn noted(&mut self, now: Now, by: By, ask: Ask, effects: &mut Effects) -> Option<Answer> {
        let title = self.title_of(&ask)?;
        let answer = self.order(now, ask, effects)?;
        if matches!(answer, Answer::Done | Answer::Invited { .. }) {
            self.write_audit(now, by, title, effects);
        }
        Some(answer)
    }

    pub(crate) fn change(&mut self, now: Now, change: Change, effects: &mut Effects) -> Answer {
        let done = match change {
            // Two browsers that both typed the code: the first password holds.
            Change::FirstOwner(_) if !self.keeping.keepers.is_empty() => Err(NotPossible::AlreadySetUp),
            Change::FirstOwner(keeper) | Change::PutKeeper(keeper) => self.put_keeper(keeper, effects),
            Change::RemoveKeeper(id) => return self.remove_keeper(id, effects),
            Change::SetUp(to) => {
                self.set_up_to(to, effects);
                Ok(())
            }
            Change::Settings(settings) => self.set(settings, effects),
            Change::AddToken(token) => self.add_token(now, token, effects),
            Change::RemoveToken(id) => {
                if self.keeping.tokens.remove(&id).is_none() {
                    return Answer::NotFound;
                }
                self.token_gone(&id, effects);
                Ok(())
            }
            Change::Suspend(member) => return self.suspend(member, effects),
            Change::Resume(member) => return self.resume(&member, effects),
            Change::Note { .. } => Ok(()),
        };
        match done {
            Ok(()) => Answer::Done,
            Err(why) => Answer::NotPossible(why),
        }
    }

    fn put_keeper(&mut self, keeper: Keeper, effects: &mut Effects) -> Result<(), NotPossible> {
        let keepers = &self.keeping.keepers;
        let same_name = |other: &&Keeper| other.id != keeper.id && other.name.eq_ignore_ascii_case(&keeper.name);
        if keepers.values().any(|other| same_name(&other)) {
            return Err(NotPossible::NameTaken);
        }
        let is_new = !keepers.contains_key(&keeper.id);
        if is_new && keepers.len() >= KEEPERS_MAX {
            return Err(NotPossible::TooMany);
        }
        if keeper.role != Role::Owner && self.is_last_owner(keeper.id) {
            return Err(NotPossible::LastOwner);
        }
        let event = disk::Keeper {
            id: keeper.id.0.to_vec().into(),
            name: keeper.name.clone(),
            role: keeper.role.number(),
            password: keeper.password.clone(),
            totp_secret: keeper.totp_secret.clone().into(),
            made_at_s: keeper.made_at_s,
        };
        self.append_ledger(LedgerEvent::Keeper(event), effects);
        self.keeping.keepers.insert(keeper.id, keeper);
        // With the owner, in one commit: a box with a password and an open set-up code would have two doors.
        self.set_up_to(SetUp::HasOwner, effects);
        Ok(())
    }

    fn is_last_owner(&self, id: KeeperId) -> bool {
        let owners = self.keeping.keepers.values().filter(|keeper| keeper.role == Role::Owner);
        let mut owners = owners.map(|keeper| keeper.id);
        owners.next() == Some(id) && owners.next().is_none()
    }

    fn remove_keeper(&mut self, id: KeeperId, effects: &mut Effects) -> Answer {
        if !self.keeping.keepers.contains_key(&id) {
            return Answer::NotFound;
        }
        if self.is_last_owner(id) {
            return Answer::NotPossible(NotPossible::LastOwner);
        }
        self.keeping.keepers.remove(&id);
        let removed = disk::KeeperRemoved { id: id.0.to_vec().into() };
        self.append_ledger(LedgerEvent::KeeperRemoved(removed), effects);
        Answer::Done
    }

    /// The set-up never goes back.
    fn set_up_to(&mut self, to: SetUp, effects: &mut Effects) {
        if to > self.keeping.set_up {
            self.keeping.set_up = to;
            self.append_ledger(LedgerEvent::SetUp(disk::SetUp { done: to.number() }), effects);
        }
    }

    fn set(&mut self, mut settings: Settings, effects: &mut Effects) -> Result<(), NotPossible> {
        if settings.revision != self.keeping.settings.revision {
            return Err(NotPossible::ChangedMeanwhile);
        }
        settings.revision += 1;
        let event = disk::Settings {
            box_name: settings.box_name.clone().unwrap_or_default(),
            time_zone: settings.time_zone.clone().unwrap_or_default(),
            retention_s: settings.retention.map_or(0, |retention| retention.as_secs()),
            mailbox_envelopes: settings.mailbox_envelopes.unwrap_or(0),
            mailbox_bytes: settings.mailbox_bytes.unwrap_or(0),
            members: settings.members.unwrap_or(0),
            devices_per_member: settings.devices_per_member.unwrap_or(0),
            inviting_role: settings.inviting_role.map_or(0, Role::number),
            revision: settings.revision,
        };
        self.append_ledger(LedgerEvent::Settings(event), effects);
        self.keeping.settings = settings;
        self.apply_settings();
        Ok(())
    }

    /// The quotas in force: the file's, and over them what keepers set. The retention is at most the file's: the log opens
    /// by that one, before it can read what keepers set.
    pub(super) fn apply_settings(&mut self) {
        let (file, set) = (&self.file_config, &self.keeping.settings);
        let mailbox_envelopes = set.mailbox_envelopes.unwrap_or(file.mailbox_envelopes);
        self.config = Config {
            retention: set.retention.unwrap_or(file.retention).min(file.retention),
            mailbox_envelopes,
            mailbox_bytes: set.mailbox_bytes.unwrap_or(file.mailbox_bytes).min(file.box_bytes),
            mailbox_small_places: file.mailbox_small_places.min(mailbox_envelopes),
            members: set.members.unwrap_or(file.members),
            devices_per_member: set.devices_per_member.unwrap_or(file.devices_per_member),
            ..file.clone()
        };
    }

    pub(super) fn what_differs(&self, to: &Settings) -> String {
        let from = &self.keeping.settings;
        let names = [
            ("box_name", from.box_name != to.box_name),
            ("time_zone", from.time_zone != to.time_zone),
            ("retention", from.retention != to.retention),
            ("mailbox_envelopes", from.mailbox_envelopes != to.mailbox_envelopes),
            ("mailbox_bytes", from.mailbox_bytes != to.mailbox_bytes),
            ("members", from.members != to.members),
            ("devices_per_member", from.devices_per_member != to.devices_per_member),
            ("inviting_role", from.inviting_role != to.inviting_role),
        ];
        let changed: Vec<&str> = names.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect();
        changed.join(", ")
    }

    fn add_token(&mut self, now: Now, token: AutomationToken, effects: &mut Effects) -> Result<(), NotPossible> {
        let over: Vec<[u8; 16]> =
            self.keeping.tokens.iter().filter(|(_, (_, until))| *until <= now.ledger_time).map(|(id, _)| *id).collect();
        for id in over {
            self.keeping.tokens.remove(&id);
            self.token_gone(&id, effects);
        }
        if self.keeping.tokens.len() >= AUTOMATION_TOKENS_MAX {
            return Err(NotPossible::TooMany);
        }
        if self.keeping.tokens.values().any(|(other, _)| other.name == token.name) {
            return Err(NotPossible::NameTaken);
        }
        let until = now.ledger_time.plus(token.good_for);
        let event = disk::AutomationToken {
            id: token.id.to_vec().into(),
            hash: token.hash.to_vec().into(),
            name: token.name.clone(),
            scope: token.scope.number(),
            expires_at_ms: until.0,
            made_at_s: token.made_at_s,
            made_by: token.made_by.clone(),
        };
        self.append_ledger(LedgerEvent::AutomationToken(event), effects);
        self.keeping.tokens.insert(token.id, (token, until));
        Ok(())
    }

    fn token_gone(&mut self, id: &[u8; 16], effects: &mut Effects) {
        let removed = disk::AutomationTokenRemoved { id: Bytes::copy_from_slice(id) };
        self.append_ledger(LedgerEvent::AutomationTokenRemoved(removed), effects);
    }

    fn suspend(&mut self, member: MemberId, effects: &mut Effects) -> Answer {
        if !self.members.contains_key(&member) {
            return Answer::NotFound;
        }
        if self.keeping.suspended.insert(member) {
            let event = disk::Suspended { member: member.0.to_vec().into() };
            self.append_ledger(LedgerEvent::Suspended(event), effects);
        }
        let mut there = Vec::new();
        for (_, mailbox) in self.mailboxes.iter().filter(|(_, mailbox)| mailbox.member == member) {
            there.extend(mailbox.owner.map(|owner| owner.conn));
            there.extend(&mailbox.watchers);
        }
        let refused = self.is_served(&member).err().unwrap_or(Refused::finally(Code::Suspended));
        for conn in there {
            self.close(conn, refused, effects);
        }
        Answer::Done
    }

    fn resume(&mut self, member: &MemberId, effects: &mut Effects) -> Answer {
        if !self.members.contains_key(member) {
            return Answer::NotFound;
        }
        self.not_suspended_any_more(member, effects);
        Answer::Done
    }

    pub(crate) fn not_suspended_any_more(&mut self, member: &MemberId, effects: &mut Effects) {
        if self.keeping.suspended.remove(member) {
            let event = disk::Resumed { member: member.0.to_vec().into() };
            self.append_ledger(LedgerEvent::Resumed(event), effects);
        }
    }
}
