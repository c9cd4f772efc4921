//! The screen's state, and what changes it: events in, effects out. No terminal, no engine, no clock.
//!
//! # Layout
//! - [`typing`]: the typing line. [`rows`]: the history as rows. [`geometry`]: where everything is.
//! - [`dialog`]: what lies above everything: help, safety number, questions.
//! - `act`: what the keys do. `pick`: choosing and searching messages. `news`: what the engine tells.
//! - `drafts`: what is typed outlives the program, and leaving waits for that.

mod act;
pub mod dialog;
mod drafts;
pub mod geometry;
mod news;
mod pick;
pub mod rows;
#[cfg(test)]
pub(super) mod tests;
pub mod typing;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crossterm::event::KeyEvent;

use super::keys::Place;
use super::look::Look;
use super::talk::{Ask, ContactRow, MessageRow, News, RequestRow, Snapshot, WINDOW};
use dialog::Dialog;
use geometry::{Geometry, Pane, talk_width};
use rows::{NoticeRow, Row};
use typing::Line;

/// Notices kept in one conversation.
const NOTICES_MAX: usize = 50;
/// How long a line about what was done stays.
const TOAST_MS: u64 = 8_000;

/// What happened.
pub enum Event {
    Key(KeyEvent),
    Paste(String),
    Size(u16, u16),
    /// Whether the terminal's window has the keyboard.
    Focus(bool),
    /// Unix time in milliseconds.
    Tick(u64),
    News(News),
    /// The process that had the profile ended; another way to it is being found.
    Detached,
    /// The way is found: what is looked at is asked for anew.
    Attached,
    /// The system wants the program to end.
    Terminate,
}

/// What must follow.
#[derive(Clone, PartialEq, Eq)]
pub enum Effect {
    Ask(Ask),
    /// These wrote while another window had the keyboard.
    Tell(Vec<String>),
    /// Draw everything anew.
    Clear,
    Quit,
}

/// What the list's cursor is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    Nothing,
    Contact(String),
    Request(String),
}

/// What the conversation is used for at the moment.
#[derive(Clone, PartialEq, Eq)]
pub enum Mode {
    Typing,
    /// A message is chosen.
    Picking {
        id: String,
    },
    Searching {
        line: Line,
        /// The hit that is shown.
        id: Option<String>,
    },
}

/// A message that the engine has and has not answered for.
#[derive(Clone, PartialEq, Eq)]
struct Pending {
    text: String,
    view_once: bool,
    strict: bool,
    answer: Option<String>,
}

/// A view-once message that is open. The device has it no more.
pub struct Uncovered {
    text: String,
    /// Where it stood in the conversation.
    at: usize,
    row: MessageRow,
}

/// What belongs to one conversation on this screen.
#[derive(Default)]
pub struct Talk {
    pub line: Line,
    pub ttl: Option<Duration>,
    pub view_once: bool,
    pub strict: bool,
    /// The message that is answered.
    pub answer: Option<String>,
    pub uncovered: Option<Uncovered>,
    pub notices: Vec<NoticeRow>,
    pub new_from: Option<String>,
    pending: Vec<Pending>,
    draft: drafts::Draft,
}

/// A line at the bottom for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub loud: bool,
    until_ms: u64,
}

/// The whole screen.
pub struct Model {
    pub look: Look,
    pub size: (u16, u16),
    pub now_ms: u64,
    pub snapshot: Snapshot,
    pub chosen: Chosen,
    pub pane: Pane,
    /// With whom the open conversation is: a member key.
    pub open: Option<String>,
    pub mode: Mode,
    pub dialog: Option<Dialog>,
    pub toast: Option<Toast>,
    pub rows: Vec<Row>,
    /// Rows of the history below the screen.
    pub from_bottom: usize,
    pub is_attached: bool,
    talks: BTreeMap<String, Talk>,
    /// A name from the command line, until it is known.
    wanted: Option<String>,
    window: usize,
    has_focus: bool,
    told_shown: BTreeSet<String>,
    leaving: Option<drafts::Leaving>,
    rows_are_old: bool,
    /// Nothing looks different than when it was drawn last.
    is_drawn: bool,
    /// The conversation was just opened: it begins where the new messages do.
    to_new: bool,
}

impl Model {
    /// An empty screen that will open a conversation, if one is named.
    pub fn new(look: Look, size: (u16, u16), now_ms: u64, wanted: Option<String>) -> Self {
        Self {
            look,
            size,
            now_ms,
            snapshot: Snapshot::default(),
            chosen: Chosen::Nothing,
            pane: Pane::List,
            open: None,
            mode: Mode::Typing,
            dialog: None,
            toast: None,
            rows: Vec::new(),
            from_bottom: 0,
            is_attached: true,
            talks: BTreeMap::new(),
            wanted,
            window: WINDOW,
            has_focus: true,
            told_shown: BTreeSet::new(),
            leaving: None,
            rows_are_old: true,
            is_drawn: false,
            to_new: false,
        }
    }

    /// Something happened; what must follow, in order.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        // A second that passes changes nothing by itself.
        self.is_drawn &= matches!(event, Event::Tick(_));
        match event {
            Event::Key(key) => self.key(&key, &mut effects),
            Event::Paste(text) => self.paste(&text),
            Event::Size(columns, rows) => {
                self.size = (columns, rows);
                self.rows_are_old = true;
            }
            Event::Focus(has_focus) => self.has_focus = has_focus,
            Event::Tick(now_ms) => self.tick(now_ms, &mut effects),
            Event::News(news) => self.news(news, &mut effects),
            Event::Detached => {
                self.is_attached = false;
                self.detached();
            }
            Event::Attached => {
                self.is_attached = true;
                self.told_shown.clear();
                self.look_at(&mut effects);
            }
            Event::Terminate => self.leave(drafts::Why::Terminated, &mut effects),
        }
        self.lay_out();
        self.tell_shown(&mut effects);
        effects
    }

    fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let is_another_day = crate::show::time::day(now_ms) != crate::show::time::day(self.now_ms);
        self.rows_are_old |= is_another_day;
        self.is_drawn &= !is_another_day;
        self.now_ms = now_ms;
        if self.toast.as_ref().is_some_and(|toast| !toast.loud && toast.until_ms <= now_ms) {
            self.toast = None;
            self.is_drawn = false;
        }
        self.save_drafts(effects);
    }

    /// Says something at the bottom: what was done for a while, what is loud until Esc.
    fn say(&mut self, text: impl Into<String>, loud: bool) {
        if self.toast.as_ref().is_some_and(|toast| toast.loud) && !loud {
            return;
        }
        self.toast = Some(Toast { text: text.into(), loud, until_ms: self.now_ms + TOAST_MS });
    }

    /// Whether it has to be drawn; from now on it is.
    pub fn is_to_be_drawn(&mut self) -> bool {
        !std::mem::replace(&mut self.is_drawn, true)
    }

    /// Where the keys go.
    pub fn place(&self) -> Place {
        match (self.pane, &self.mode, &self.chosen) {
            (Pane::List, _, Chosen::Request(_)) => Place::Request,
            (Pane::List, ..) => Place::Contact,
            (Pane::Talk, Mode::Typing, _) => Place::Typing,
            (Pane::Talk, Mode::Picking { .. }, _) => Place::Picking,
            (Pane::Talk, Mode::Searching { .. }, _) => Place::Searching,
        }
    }

    /// What belongs to the open conversation.
    pub fn talk(&self) -> Option<&Talk> {
        self.talks.get(self.open.as_ref()?)
    }

    fn talk_mut(&mut self) -> Option<&mut Talk> {
        let open = self.open.clone()?;
        Some(self.talks.entry(open).or_default())
    }

    /// Messages of a contact that nobody saw; what is being looked at is seen.
    pub fn unread_of(&self, contact: &ContactRow) -> usize {
        let is_open = self.open.as_ref() == Some(&contact.key);
        let seen = self.messages().iter().filter(|message| message.unread && self.told_shown.contains(&message.id));
        contact.unread.saturating_sub(if is_open { seen.count() } else { 0 })
    }

    /// Whether something is typed and not sent in a conversation that is not open.
    pub fn has_draft(&self, key: &str) -> bool {
        self.open.as_deref() != Some(key) && self.talks.get(key).is_some_and(|talk| !talk.line.is_empty())
    }

    /// What stands in the typing line of the open conversation.
    pub fn line(&self) -> Option<&Line> {
        match &self.mode {
            Mode::Searching { line, .. } => Some(line),
            _ => self.talk().map(|talk| &talk.line),
        }
    }

    /// Of the open conversation, once they came.
    pub fn messages(&self) -> &[MessageRow] {
        let open = self.snapshot.open.as_ref().filter(|open| Some(&open.contact) == self.open.as_ref());
        open.map_or(&[], |open| &open.messages)
    }

    /// A contact by its key.
    pub fn contact(&self, key: &str) -> Option<&ContactRow> {
        self.snapshot.contacts.iter().find(|contact| contact.key == key)
    }

    /// The contact of the open conversation.
    pub fn open_contact(&self) -> Option<&ContactRow> {
        self.contact(self.open.as_deref()?)
    }

    /// The request that the list's cursor is on.
    pub fn chosen_request(&self) -> Option<&RequestRow> {
        let Chosen::Request(id) = &self.chosen else { return None };
        self.snapshot.requests.iter().find(|request| request.id == *id)
    }

    /// The message that is chosen or found.
    pub fn picked(&self) -> Option<usize> {
        let id = match &self.mode {
            Mode::Typing => return None,
            Mode::Picking { id } => id,
            Mode::Searching { id, .. } => id.as_ref()?,
        };
        self.messages().iter().position(|message| message.id == *id)
    }

    /// Where everything is.
    pub fn geometry(&self) -> Geometry {
        let columns = usize::from(talk_width(self.size.0));
        let typed = match (&self.mode, self.line()) {
            (Mode::Searching { .. }, _) | (_, None) => 1,
            (_, Some(line)) => line.shown(columns, self.look.charset).rows.len(),
        };
        Geometry::of(self.size, self.pane, typed)
    }

    /// Lays the history out anew where it changed, and keeps in view what was.
    fn lay_out(&mut self) {
        let height = usize::from(self.geometry().history.height);
        if std::mem::take(&mut self.rows_are_old) {
            let anchor = self.top_message(height);
            self.rows = self.laid_out();
            self.from_bottom = match anchor.filter(|_| self.from_bottom > 0) {
                Some((id, offset)) => self.below(&id, offset, height),
                None => 0,
            };
            if std::mem::take(&mut self.to_new) && !self.messages().is_empty() {
                let new = self.rows.iter().position(|row| row.kind == rows::Kind::New);
                self.from_bottom = new.map_or(0, |at| self.rows.len().saturating_sub(at + height));
            } else if self.messages().is_empty() {
                self.to_new = self.open.is_some();
            }
        }
        self.from_bottom = self.from_bottom.min(self.rows.len().saturating_sub(height.max(1)));
    }

    fn laid_out(&self) -> Vec<Row> {
        let (Some(contact), Some(talk)) = (self.open_contact(), self.talk()) else { return Vec::new() };
        let laid = rows::Talk {
            contact: &contact.name,
            messages: self.messages(),
            notices: &talk.notices,
            new_from: talk.new_from.as_deref(),
            uncovered: talk.uncovered.as_ref().map(|open| (open.row.id.as_str(), open.text.as_str())),
            has_more: self.snapshot.open.as_ref().is_some_and(|open| open.has_more),
        };
        let columns = usize::from(talk_width(self.size.0)) + 2;
        rows::lay_out(&laid, &self.look, columns, self.now_ms)
    }

    /// The message at the top of what is seen, and how far its first row is from there.
    fn top_message(&self, height: usize) -> Option<(String, isize)> {
        let top = self.rows.len().saturating_sub(self.from_bottom + height);
        let (at, row) = self.rows.iter().enumerate().skip(top).find(|(_, row)| row.id.is_some())?;
        Some((row.id.clone()?, isize::try_from(at - top).unwrap_or(0)))
    }

    fn below(&self, id: &str, offset: isize, height: usize) -> usize {
        let Some(at) = self.rows.iter().position(|row| row.id.as_deref() == Some(id)) else { return 0 };
        let top = at.saturating_add_signed(-offset);
        self.rows.len().saturating_sub(top + height)
    }

    /// Messages that are on the screen for somebody to read are not unread any more.
    fn tell_shown(&mut self, effects: &mut Vec<Effect>) {
        let is_seen = self.has_focus
            && self.is_attached
            && self.from_bottom == 0
            && (!self.geometry().is_narrow || self.pane == Pane::Talk);
        if !is_seen {
            return;
        }
        let unread = self.messages().iter().filter(|message| message.unread && !message.view_once);
        let ids: Vec<String> =
            unread.map(|message| message.id.clone()).filter(|id| !self.told_shown.contains(id)).collect();
        if !ids.is_empty() {
            self.told_shown.extend(ids.iter().cloned());
            effects.push(Effect::Ask(Ask::Shown { ids }));
        }
    }

    fn look_at(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Ask(Ask::Look { contact: self.open.clone(), last: self.window }));
    }
}
