//! What is typed is never lost: it is saved in the profile while it is typed, and leaving waits until it is.

use super::super::talk::Ask;
use super::dialog::Dialog;
use super::typing::Line;
use super::{Effect, Model, Talk};

/// Saved so long after the last key.
const QUIET_MS: u64 = 1_000;
/// And after a failure, tried again so much later.
const AGAIN_MS: u64 = 10_000;

/// How a draft stands.
#[derive(Default)]
pub(super) struct Draft {
    saved: String,
    asked: Option<String>,
    changed_ms: u64,
}

impl Draft {
    /// Whoever was asked is gone.
    pub(super) fn forget_asked(&mut self) {
        self.asked = None;
    }
}

/// Why the screen is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Somebody wants to.
    Asked,
    /// The system does.
    Terminated,
}

/// Leaving, as soon as everything is saved.
pub(super) struct Leaving {
    why: Why,
}

impl Talk {
    fn is_unsaved(&self) -> bool {
        self.line.text() != self.draft.saved || !self.pending.is_empty()
    }

    /// The oldest message that was not sent stands in the typing line again, before what was typed since.
    pub(super) fn give_back_first(&mut self) {
        let pending = self.pending.remove(0);
        let since = self.line.take();
        let both = if since.is_empty() { pending.text } else { format!("{}\n{since}", pending.text) };
        self.line = Line::of(&both);
        self.view_once = pending.view_once;
        self.strict = pending.strict;
        self.answer = pending.answer;
    }
}

impl Model {
    /// Something was typed in the open conversation.
    pub(super) fn typed(&mut self) {
        let now_ms = self.now_ms;
        if let Some(talk) = self.talk_mut() {
            talk.draft.changed_ms = now_ms;
        }
    }

    pub(super) fn drafts_came(&mut self, drafts: Vec<(String, String)>) {
        for (contact, text) in drafts {
            let talk = self.talks.entry(contact).or_default();
            // Who takes a profile over has typed more since.
            if talk.line.is_empty() && talk.draft.saved.is_empty() {
                talk.line = Line::of(&text);
            }
            talk.draft.saved = text;
        }
    }

    pub(super) fn save_drafts(&mut self, effects: &mut Vec<Effect>) {
        let now_ms = self.now_ms;
        self.save_where(effects, |talk| now_ms.saturating_sub(talk.draft.changed_ms) >= QUIET_MS);
    }

    pub(super) fn save_drafts_now(&mut self, effects: &mut Vec<Effect>) {
        self.save_where(effects, |_| true);
    }

    fn save_where(&mut self, effects: &mut Vec<Effect>, is_due: impl Fn(&Talk) -> bool) {
        if !self.is_attached {
            return;
        }
        for (contact, talk) in &mut self.talks {
            let text = talk.line.text();
            if talk.draft.asked.is_none() && text != talk.draft.saved && is_due(talk) {
                talk.draft.asked = Some(text.to_owned());
                effects.push(Effect::Ask(Ask::Draft { contact: contact.clone(), text: text.to_owned() }));
            }
        }
    }

    pub(super) fn draft_saved(&mut self, contact: &str, effects: &mut Vec<Effect>) {
        let draft = &mut self.talks.entry(contact.to_owned()).or_default().draft;
        if let Some(asked) = draft.asked.take() {
            draft.saved = asked;
        }
        self.go_on_leaving(effects);
    }

    pub(super) fn draft_not_saved(&mut self, contact: &str, why: &str, effects: &mut Vec<Effect>) {
        let later_ms = self.now_ms + AGAIN_MS;
        let draft = &mut self.talks.entry(contact.to_owned()).or_default().draft;
        draft.asked = None;
        draft.changed_ms = later_ms;
        match self.leaving.take() {
            Some(Leaving { why: Why::Terminated }) => effects.push(Effect::Quit),
            Some(Leaving { why: Why::Asked }) => self.dialog = Some(Dialog::Leave { why: why.to_owned() }),
            None => self.say(format!("what you type is not kept: {why}"), false),
        }
    }

    /// Leaves at once where nothing would be lost, else as soon as that is so, else after a question.
    pub(super) fn leave(&mut self, why: Why, effects: &mut Vec<Effect>) {
        if self.leaving.replace(Leaving { why }).is_some() || !self.is_attached {
            let text = "it is not saved yet".to_owned();
            let is_lost = self.talks.values().any(Talk::is_unsaved);
            match why {
                Why::Asked if is_lost => {
                    self.leaving = None;
                    self.dialog = Some(Dialog::Leave { why: text });
                }
                Why::Asked | Why::Terminated => effects.push(Effect::Quit),
            }
            return;
        }
        self.go_on_leaving(effects);
    }

    /// Every answer of the engine may be the last one that was waited for.
    pub(super) fn go_on_leaving(&mut self, effects: &mut Vec<Effect>) {
        if self.leaving.is_none() {
            return;
        }
        self.save_drafts_now(effects);
        if !self.talks.values().any(Talk::is_unsaved) {
            effects.push(Effect::Quit);
        }
    }
}
