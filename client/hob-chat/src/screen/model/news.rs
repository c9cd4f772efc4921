//! What the engine tells.

use super::super::talk::{Ask, ContactRow, News, Snapshot, WINDOW};
use super::dialog::Dialog;
use super::geometry::Pane;
use super::rows::NoticeRow;
use super::{Chosen, Effect, Mode, Model, NOTICES_MAX, Uncovered};

impl Model {
    pub(super) fn news(&mut self, news: News, effects: &mut Vec<Effect>) {
        match news {
            News::Snapshot(snapshot) => self.snapshot_came(*snapshot, effects),
            News::Drafts(drafts) => self.drafts_came(drafts),
            News::Sent { contact } => {
                let talk = self.talks.entry(contact).or_default();
                if !talk.pending.is_empty() {
                    talk.pending.remove(0);
                }
            }
            News::NotSent { contact, why } => self.not_sent(&contact, why),
            News::Uncovered { id, text } => self.uncovered(&id, text),
            News::SafetyNumber { contact, digits, qr } => {
                self.dialog = Some(Dialog::Number { contact, digits, qr, top: 0 });
            }
            News::DraftSaved { contact } => self.draft_saved(&contact, effects),
            News::DraftNotSaved { contact, why } => self.draft_not_saved(&contact, &why, effects),
            News::Done { text } => self.say(text, false),
            News::Failed { why } => self.say(why, true),
            News::Notice { contact, text, loud } => self.notice(contact.as_deref(), text, loud),
            News::Stopped { why } => self.say(format!("{why}; then leave and start again"), true),
        }
    }

    fn snapshot_came(&mut self, snapshot: Snapshot, effects: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.snapshot, snapshot);
        self.tell_who_wrote(&before, effects);
        self.keep_uncovered();
        self.rows_are_old = true;
        if self.open.as_ref().is_some_and(|open| self.contact(open).is_none()) {
            // The contact was removed, here or by another command.
            self.open = None;
            self.mode = Mode::Typing;
            self.pane = Pane::List;
            self.look_at(effects);
        }
        self.keep_a_choice();
        self.note_new();
        if let Some(wanted) = self.wanted.take() {
            match self.snapshot.contacts.iter().find(|contact| contact.name == wanted).map(|found| found.key.clone()) {
                Some(key) => self.open_talk(&key, effects),
                None => self.say(format!("no contact is called {wanted}"), false),
            }
        }
    }

    fn tell_who_wrote(&self, before: &Snapshot, effects: &mut Vec<Effect>) {
        let known = |contact: &&ContactRow| {
            before.contacts.iter().find(|old| old.key == contact.key).is_some_and(|old| old.unread < contact.unread)
        };
        let names: Vec<_> = self.snapshot.contacts.iter().filter(known).map(|contact| contact.name.clone()).collect();
        if !self.has_focus && !names.is_empty() {
            effects.push(Effect::Tell(names));
        }
    }

    /// The list's cursor is on something that exists: else on who wrote, else on the first.
    fn keep_a_choice(&mut self) {
        let exists = match &self.chosen {
            Chosen::Nothing => false,
            Chosen::Contact(key) => self.contact(key).is_some(),
            Chosen::Request(_) => self.chosen_request().is_some(),
        };
        if exists {
            return;
        }
        let contacts = &self.snapshot.contacts;
        let contact = contacts.iter().find(|contact| contact.unread > 0).or(contacts.first());
        self.chosen = match (contact, self.snapshot.requests.first()) {
            (Some(contact), _) => Chosen::Contact(contact.key.clone()),
            (None, Some(request)) => Chosen::Request(request.id.clone()),
            (None, None) => Chosen::Nothing,
        };
    }

    /// The line above what is new stays where it was when the conversation was opened.
    fn note_new(&mut self) {
        let first = self.messages().iter().find(|message| message.unread && !message.sent);
        let first = first.map(|message| message.id.clone()).filter(|_| self.to_new);
        if let (Some(first), Some(talk)) = (first, self.talk_mut()) {
            talk.new_from = Some(first);
        }
    }

    pub(super) fn open_talk(&mut self, key: &str, effects: &mut Vec<Effect>) {
        self.pane = Pane::Talk;
        self.chosen = Chosen::Contact(key.to_owned());
        if self.open.as_deref() == Some(key) {
            return;
        }
        self.cover();
        self.save_drafts_now(effects);
        self.open = Some(key.to_owned());
        self.mode = Mode::Typing;
        self.from_bottom = 0;
        self.window = WINDOW;
        self.to_new = true;
        self.rows_are_old = true;
        if let Some(talk) = self.talk_mut() {
            talk.new_from = None;
        }
        self.look_at(effects);
    }

    fn uncovered(&mut self, id: &str, text: String) {
        let found = self.messages().iter().enumerate().find(|(_, message)| message.id == id);
        let Some((at, row)) = found.map(|(at, row)| (at, row.clone())) else { return };
        if let Some(talk) = self.talk_mut() {
            talk.uncovered = Some(Uncovered { text, at, row });
            self.rows_are_old = true;
        }
    }

    /// The engine has it no more, and somebody still reads it.
    fn keep_uncovered(&mut self) {
        let Some(Uncovered { at, row, .. }) = self.talk().and_then(|talk| talk.uncovered.as_ref()) else { return };
        let (at, row) = (*at, row.clone());
        if let Some(open) = self.snapshot.open.as_mut().filter(|open| Some(&open.contact) == self.open.as_ref())
            && open.messages.iter().all(|message| message.id != row.id)
        {
            open.messages.insert(at.min(open.messages.len()), row);
        }
    }

    /// A view-once message that was open is gone.
    pub(super) fn cover(&mut self) {
        let Some(uncovered) = self.talk_mut().and_then(|talk| talk.uncovered.take()) else { return };
        if let Some(open) = &mut self.snapshot.open {
            open.messages.retain(|message| message.id != uncovered.row.id);
        }
        if self.mode == (Mode::Picking { id: uncovered.row.id }) {
            self.mode = Mode::Typing;
        }
        self.rows_are_old = true;
    }

    fn not_sent(&mut self, contact: &str, why: String) {
        let talk = self.talks.entry(contact.to_owned()).or_default();
        if !talk.pending.is_empty() {
            talk.give_back_first();
        }
        self.say(format!("not sent: {why}"), true);
    }

    /// What the engine may never have got is in the typing line again.
    pub(super) fn detached(&mut self) {
        for talk in self.talks.values_mut() {
            while !talk.pending.is_empty() {
                talk.give_back_first();
            }
            talk.draft.forget_asked();
        }
        self.say("the other hob-chat that had this profile ended; this one takes over", false);
    }

    fn notice(&mut self, contact: Option<&str>, text: String, loud: bool) {
        let named = contact.and_then(|name| self.snapshot.contacts.iter().find(|contact| contact.name == name));
        let key = named.map(|contact| contact.key.clone());
        let is_open = key.is_some() && key == self.open;
        if loud || !is_open {
            self.say(text.clone(), loud);
        }
        if let Some(key) = key.or_else(|| self.open.clone().filter(|_| loud)) {
            let talk = self.talks.entry(key).or_default();
            talk.notices.push(NoticeRow { at_ms: self.now_ms, text, loud });
            if talk.notices.len() > NOTICES_MAX {
                talk.notices.remove(0);
            }
            self.rows_are_old = true;
        }
    }

    /// Older messages, where there are some.
    pub(super) fn look_further(&mut self, by: usize, effects: &mut Vec<Effect>) {
        if self.snapshot.open.as_ref().is_some_and(|open| open.has_more) {
            self.window = self.window.saturating_add(by);
            let ask = Ask::Look { contact: self.open.clone(), last: self.window };
            effects.push(Effect::Ask(ask));
        }
    }
}
