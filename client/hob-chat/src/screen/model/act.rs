//! What the keys do.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use hob_client::command::TEXT_BYTES_MAX;

use super::super::keys::{self, Action, Place};
use super::super::talk::{Ask, WINDOW};
use super::dialog::{Dialog, Naming};
use super::drafts::Why;
use super::geometry::{Pane, talk_width};
use super::typing::Line;
use super::{Chosen, Effect, Mode, Model, Pending};

/// The times to live that a key goes through, in seconds.
const TTLS_S: [u64; 4] = [600, 3_600, 86_400, 7 * 86_400];

impl Model {
    pub(super) fn key(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        if self.dialog.is_some() {
            return self.dialog_key(key, effects);
        }
        let line_is_empty = self.line().is_none_or(Line::is_empty);
        match keys::action(self.place(), line_is_empty, key) {
            Some(action) => self.act(action, effects),
            None => self.edit(key),
        }
    }

    fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Help => self.dialog = Some(Dialog::Help { top: 0 }),
            Action::Leave => self.leave(Why::Asked, effects),
            Action::Redraw => effects.push(Effect::Clear),
            Action::Search => self.begin_search(effects),
            Action::Next => self.go_talks(1, effects),
            Action::Previous => self.go_talks(-1, effects),
            Action::SwitchPane => self.switch_pane(),
            Action::PageUp => self.scroll(1, effects),
            Action::PageDown => self.scroll(-1, effects),
            Action::Back => self.back(),
            Action::Up | Action::Down => self.up_or_down(if action == Action::Up { -1 } else { 1 }, effects),
            Action::Send => self.send(effects),
            Action::NewLine => self.insert("\n"),
            Action::Ttl => self.next_ttl(),
            Action::ViewOnce => {
                if let Some(talk) = self.talk_mut() {
                    talk.view_once = !talk.view_once;
                }
            }
            Action::Strict => {
                if let Some(talk) = self.talk_mut() {
                    talk.strict = !talk.strict;
                }
            }
            Action::Answer => self.answer(),
            Action::Pick => self.begin_picking(),
            Action::Details => {
                if let Some(message) = self.picked().and_then(|at| self.messages().get(at)) {
                    self.dialog = Some(Dialog::Details { id: message.id.clone(), top: 0 });
                }
            }
            Action::Uncover => self.uncover(effects),
            Action::Open => {
                if let Chosen::Contact(key) = self.chosen.clone() {
                    self.open_talk(&key, effects);
                }
            }
            Action::Verify => self.about_contact(effects, |contact, _| Some(Ask::SafetyNumber { contact })),
            Action::Block => {
                self.about_contact(effects, |contact, is_blocked| Some(Ask::Block { contact, block: !is_blocked }))
            }
            Action::Rename | Action::Remove | Action::Accept | Action::Refuse => self.ask_first(action),
        }
    }

    /// What concerns the contact that is open, or chosen in the list.
    fn subject(&self) -> Option<String> {
        match (self.pane, &self.chosen) {
            (Pane::List, Chosen::Contact(key)) => Some(key.clone()),
            (Pane::List, _) => None,
            (Pane::Talk, _) => self.open.clone(),
        }
    }

    fn about_contact(&mut self, effects: &mut Vec<Effect>, ask: impl FnOnce(String, bool) -> Option<Ask>) {
        let Some(key) = self.subject() else { return };
        let is_blocked = self.contact(&key).is_some_and(|contact| contact.blocked);
        effects.extend(ask(key, is_blocked).map(Effect::Ask));
    }

    /// Opens the dialog that comes before something is done.
    fn ask_first(&mut self, action: Action) {
        let request = self.chosen_request().cloned();
        let contact = self.subject().and_then(|key| self.contact(&key).cloned());
        self.dialog = match (action, request, contact) {
            (Action::Accept, Some(request), _) => {
                Some(Dialog::Name { what: Naming::Request(request.id), line: Line::of(&request.name) })
            }
            (Action::Refuse, Some(request), _) => Some(Dialog::Sure {
                question: format!("Drop everything that \"{}\" wrote and will write? They are not told.", request.name),
                yes: Ask::Refuse { id: request.id },
            }),
            (Action::Rename, _, Some(contact)) => {
                Some(Dialog::Name { what: Naming::Contact(contact.key), line: Line::of(&contact.name) })
            }
            (Action::Remove, _, Some(contact)) => Some(Dialog::Sure {
                question: format!("Remove {} and the whole conversation from this device?", contact.name),
                yes: Ask::Remove { contact: contact.key },
            }),
            _ => None,
        };
    }

    fn up_or_down(&mut self, by: isize, effects: &mut Vec<Effect>) {
        match self.place() {
            Place::Contact | Place::Request => self.choose(by),
            Place::Picking => self.pick(by, effects),
            Place::Searching => self.next_hit(by),
            Place::Typing => {}
        }
    }

    fn entries(&self) -> Vec<Chosen> {
        let contacts = self.snapshot.contacts.iter().map(|contact| Chosen::Contact(contact.key.clone()));
        let requests = self.snapshot.requests.iter().map(|request| Chosen::Request(request.id.clone()));
        contacts.chain(requests).collect()
    }

    /// Where the list's cursor is.
    pub fn chosen_at(&self) -> Option<usize> {
        self.entries().iter().position(|entry| *entry == self.chosen)
    }

    fn choose(&mut self, by: isize) {
        let entries = self.entries();
        let at = self.chosen_at().unwrap_or(0);
        if let Some(entry) = at.checked_add_signed(by).and_then(|at| entries.get(at)) {
            self.chosen = entry.clone();
        }
    }

    /// The conversation after or before this one, round the end.
    fn go_talks(&mut self, by: isize, effects: &mut Vec<Effect>) {
        let contacts = &self.snapshot.contacts;
        let count = isize::try_from(contacts.len()).unwrap_or(isize::MAX);
        if count == 0 {
            return;
        }
        let now = contacts.iter().position(|contact| Some(&contact.key) == self.open.as_ref());
        let target = match now {
            Some(now) => (isize::try_from(now).unwrap_or(0) + by).rem_euclid(count),
            None => 0,
        };
        if let Some(contact) = usize::try_from(target).ok().and_then(|at| contacts.get(at)) {
            let key = contact.key.clone();
            self.open_talk(&key, effects);
        }
    }

    fn switch_pane(&mut self) {
        self.pane = match self.pane {
            Pane::Talk => Pane::List,
            Pane::List if self.open.is_some() => Pane::Talk,
            Pane::List => Pane::List,
        };
    }

    fn scroll(&mut self, by: isize, effects: &mut Vec<Effect>) {
        let height = usize::from(self.geometry().history.height);
        let step = isize::try_from(height.saturating_sub(2).max(1)).unwrap_or(1);
        let most = self.rows.len().saturating_sub(height.max(1));
        let target = self.from_bottom.saturating_add_signed(by * step);
        if target > most {
            self.look_further(WINDOW, effects);
        }
        self.from_bottom = target.min(most);
    }

    /// Lets go of one thing, the nearest first.
    fn back(&mut self) {
        if self.toast.take().is_some_and(|toast| toast.loud) {
            return;
        }
        if self.talk().is_some_and(|talk| talk.uncovered.is_some()) {
            return self.cover();
        }
        if self.mode != Mode::Typing {
            // From a hit one goes on to its neighbours; a second Esc comes back to the typing line.
            self.mode = match (&self.mode, self.picked().and_then(|at| self.messages().get(at))) {
                (Mode::Searching { .. }, Some(message)) => Mode::Picking { id: message.id.clone() },
                _ => Mode::Typing,
            };
            return self.bring_into_view();
        }
        if self.talk_mut().is_some_and(|talk| talk.answer.take().is_some()) {
            return;
        }
        self.pane = Pane::List;
    }

    fn next_ttl(&mut self) {
        let Some(talk) = self.talk_mut() else { return };
        let now = talk.ttl.map(|ttl| ttl.as_secs());
        let next = match now.and_then(|now| TTLS_S.iter().position(|ttl| *ttl == now)) {
            Some(at) => TTLS_S.get(at + 1),
            None => TTLS_S.first(),
        };
        talk.ttl = next.copied().map(Duration::from_secs);
    }

    /// Answers the chosen message, or the newest of the contact's.
    fn answer(&mut self) {
        let picked = self.picked().and_then(|at| self.messages().get(at));
        let newest = || self.messages().iter().rev().find(|message| !message.sent);
        let Some(id) = picked.or_else(newest).map(|message| message.id.clone()) else { return };
        self.mode = Mode::Typing;
        if let Some(talk) = self.talk_mut() {
            talk.answer = Some(id);
        }
        self.bring_into_view();
    }

    fn uncover(&mut self, effects: &mut Vec<Effect>) {
        let Some(message) = self.picked().and_then(|at| self.messages().get(at)) else { return };
        if message.view_once && !message.sent {
            effects.push(Effect::Ask(Ask::Uncover { id: message.id.clone() }));
        } else {
            self.dialog = Some(Dialog::Details { id: message.id.clone(), top: 0 });
        }
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        let Some(contact) = self.open.clone() else { return };
        if !self.is_attached {
            return self.say("this profile is just being taken over: try again in a moment", false);
        }
        let Some(talk) = self.talk_mut().filter(|talk| !talk.line.text().trim().is_empty()) else { return };
        let (text, view_once) = (talk.line.take(), std::mem::take(&mut talk.view_once));
        let strict = std::mem::take(&mut talk.strict);
        let reply_to = talk.answer.take();
        talk.pending.push(Pending { text: text.clone(), view_once, strict, answer: reply_to.clone() });
        let ttl = talk.ttl;
        effects.push(Effect::Ask(Ask::Send { contact, text, ttl, view_once, strict, reply_to }));
        self.cover();
        self.typed();
        self.from_bottom = 0;
    }

    pub(super) fn paste(&mut self, text: &str) {
        match (&mut self.dialog, &mut self.mode) {
            (Some(Dialog::Name { line, .. }), _) => {
                line.insert(text.lines().next().unwrap_or_default());
            }
            (Some(_), _) => {}
            (None, Mode::Searching { line, .. }) => {
                line.insert(text.lines().next().unwrap_or_default());
                self.search();
            }
            (None, _) => self.insert(text),
        }
    }

    fn insert(&mut self, text: &str) {
        if self.open.is_none() {
            return;
        }
        self.pane = Pane::Talk;
        self.mode = Mode::Typing;
        if self.talk_mut().is_some_and(|talk| !talk.line.insert(text)) {
            self.say_too_long();
        }
        self.typed();
    }

    fn say_too_long(&mut self) {
        let most = TEXT_BYTES_MAX / 1024;
        self.say(format!("that is more than a message holds ({most} KiB): send it in parts"), false);
    }

    /// What is no key of the table is typed, where there is something to type in.
    fn edit(&mut self, key: &KeyEvent) {
        let columns = usize::from(talk_width(self.size.0));
        if let Mode::Searching { line, .. } = &mut self.mode
            && self.pane == Pane::Talk
        {
            if line.edit(key, usize::MAX) {
                self.search();
            }
            return;
        }
        if self.place() != Place::Typing {
            return;
        }
        let Some(talk) = self.talk_mut() else { return };
        let before = talk.line.text().len();
        if talk.line.edit(key, columns) {
            if talk.line.text().len() != before {
                self.cover();
                self.typed();
            }
            return;
        }
        match key.code {
            KeyCode::Up => self.begin_picking(),
            KeyCode::Char(_) if before + 4 > TEXT_BYTES_MAX => self.say_too_long(),
            _ => {}
        }
    }
}
