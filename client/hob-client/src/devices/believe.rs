//! Who wrote a message: a device that is known, or one that its member's list names.

use hob_protocol::ids::{DeviceKey, MemberKey};

use super::known::{KnownDevice, KnownList, Verdict};
use super::list::DeviceList;
use crate::Client;
use crate::client::Step;
use crate::contacts::conversation;
use crate::inbox::Dropped;
use crate::output::{Notice, Output};
use crate::seal::inner::{Body, Inner};

/// A list that came, beside the known one.
struct Weighed {
    list: KnownList,
    /// Where it is not the known one itself.
    fresh: Option<DeviceList>,
    verdict: Verdict,
}

impl Client {
    /// Whether the writer is who the message says: known, or introduced by a list that holds and names it. On success it
    /// is a known peer.
    pub(crate) fn believe(&mut self, inner: &Inner, identity: &[u8; 32], s: &mut Step<'_>) -> Result<(), Dropped> {
        if let Body::Hello(hello) = &inner.body {
            return self.believe_hello(inner, hello, identity, s);
        }
        let weighed = inner.list().map(|bytes| self.weigh_quickly(bytes, s.now_ms)).transpose()?;
        let known = self.state.peer(&inner.sender).map(|peer| peer.member);
        let claimed = weighed.as_ref().map(|weighed| weighed.list.member);
        let Some(member) = claimed.or(known) else { return Err(Dropped::Unreadable) };
        // A device that is not known yet may be one of theirs.
        if self.state.is_shut_out(&member) {
            return Err(Dropped::Silently);
        }
        let mine = self.state.keys.member_key();
        if inner.conversation != conversation(&mine, &member) {
            return Err(if known.is_some() { Dropped::OtherMembers } else { Dropped::Unreadable });
        }
        match weighed {
            Some(weighed) => self.believe_list(inner, identity, known, weighed, s)?,
            // Known by a code only, and no list: whose Olm identity this is, nobody certified.
            None => {
                let peer = self.state.peer(&inner.sender).ok_or(Dropped::Unreadable)?;
                if peer.olm_identity != Some(*identity) {
                    return Err(Dropped::Unreadable);
                }
            }
        }
        self.take_extras(&inner.sender, inner.introduction.as_ref(), inner.has_your_token, s);
        Ok(())
    }

    fn weigh_quickly(&self, bytes: &[u8], now_ms: u64) -> Result<Weighed, Dropped> {
        // Most often it is the very one that is known: its signatures were checked when it came.
        if let Some(list) = self.state.lists.iter().find(|list| list.bytes == bytes) {
            return Ok(Weighed { list: list.clone(), fresh: None, verdict: Verdict::Same });
        }
        let (fresh, verdict) = self.weigh(bytes, now_ms).map_err(|_| Dropped::Unreadable)?;
        Ok(Weighed { list: KnownList::new(&fresh, bytes), fresh: Some(fresh), verdict })
    }

    fn believe_list(
        &mut self,
        inner: &Inner,
        identity: &[u8; 32],
        known: Option<MemberKey>,
        weighed: Weighed,
        s: &mut Step<'_>,
    ) -> Result<(), Dropped> {
        let Weighed { list, fresh, verdict } = weighed;
        let named = list.device(&inner.sender).cloned();
        if named.as_ref().is_some_and(|named| named.olm_identity != *identity) {
            return Err(Dropped::Unreadable);
        }
        let is_renamed = known.is_some_and(|member| member != list.member);
        if is_renamed && (named.is_none() || !self.member_key_changed(&inner.sender, list.member, s)) {
            return Err(Dropped::KeysChanged);
        }
        match verdict {
            Verdict::Forked => return Err(self.lists_disagree(&list.member, s)),
            Verdict::Older => {
                self.run.older_lists += 1;
                return self.is_known_well(&inner.sender, identity);
            }
            Verdict::Expired => return self.is_known_well(&inner.sender, identity),
            Verdict::Newer | Verdict::Same => {}
        }
        match (known, fresh) {
            (None, _) if !self.knows(&list.member) => return self.believe_stranger(inner, list, named, s),
            (_, Some(fresh)) => {
                if self.contradicts(&fresh) {
                    return Err(Dropped::KeysChanged);
                }
                self.take_list(&fresh, &list.bytes, s);
            }
            (_, None) => {}
        }
        // The newest list is the writer's own proof that it is not listed: what it says is not taken.
        if named.is_none() || self.state.peer(&inner.sender).is_none_or(|peer| peer.leaving) {
            return Err(Dropped::Silently);
        }
        Ok(())
    }

    /// A contact, or this very member.
    fn knows(&self, member: &MemberKey) -> bool {
        *member == self.state.keys.member_key() || self.state.person(member).is_some()
    }

    /// A list that is not taken proves nothing: only what was known before counts.
    fn is_known_well(&self, sender: &DeviceKey, identity: &[u8; 32]) -> Result<(), Dropped> {
        let peer = self.state.peer(sender).ok_or(Dropped::Silently)?;
        if peer.olm_identity == Some(*identity) { Ok(()) } else { Err(Dropped::Unreadable) }
    }

    fn believe_stranger(
        &mut self,
        inner: &Inner,
        list: KnownList,
        named: Option<KnownDevice>,
        s: &mut Step<'_>,
    ) -> Result<(), Dropped> {
        let (Some(named), Some(introduction)) = (named, &inner.introduction) else { return Err(Dropped::Unreadable) };
        self.state.keep_list(list.clone());
        if !self.admit_stranger(&list.member, &named, introduction, s) {
            self.state.forget_lists();
            return Err(Dropped::Silently);
        }
        Ok(())
    }

    /// Two lists of one version: told loudly, once a run and device.
    fn lists_disagree(&mut self, member: &MemberKey, s: &Step<'_>) -> Dropped {
        let own = self.state.keys.member_key();
        let device = DeviceKey(member.0);
        if self.run.told.insert(device) {
            let notice = match self.state.person(member) {
                Some(person) => Some(Notice::KeysChanged { contact: person.name.clone() }),
                None => (*member == own).then_some(Notice::OwnDevicesDisagree),
            };
            if let Some(notice) = notice {
                self.later(Output::Notice(notice), s);
            }
        }
        Dropped::Silently
    }
}
