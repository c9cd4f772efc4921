//! Choosing a message, and finding one.

use super::super::talk::WINDOW_MAX;
use super::super::text::safe;
use super::typing::Line;
use super::{Effect, Mode, Model};

impl Model {
    /// Chooses the newest message that is seen.
    pub(super) fn begin_picking(&mut self) {
        let height = usize::from(self.geometry().history.height);
        let bottom = self.rows.len().saturating_sub(self.from_bottom);
        let seen = self.rows.iter().take(bottom).rev().take(height.max(1)).find_map(|row| row.message);
        let id = seen.and_then(|at| self.messages().get(at)).map(|message| message.id.clone());
        if let Some(id) = id {
            self.mode = Mode::Picking { id };
        }
    }

    /// The message before or after; after the last one comes the typing line again.
    pub(super) fn pick(&mut self, by: isize, effects: &mut Vec<Effect>) {
        self.cover();
        let Some(at) = self.picked() else { return self.mode = Mode::Typing };
        let target = at.checked_add_signed(by);
        match target.and_then(|target| self.messages().get(target)).map(|message| message.id.clone()) {
            Some(id) => self.mode = Mode::Picking { id },
            None if by > 0 => self.mode = Mode::Typing,
            None => self.look_further(super::super::talk::WINDOW, effects),
        }
        self.bring_into_view();
    }

    /// Scrolls so that the chosen message is seen.
    pub(super) fn bring_into_view(&mut self) {
        let height = usize::from(self.geometry().history.height).max(1);
        let Some(picked) = self.picked() else {
            if self.mode == Mode::Typing {
                self.from_bottom = 0;
            }
            return;
        };
        let is_of = |row: &super::Row| row.message == Some(picked);
        let (Some(first), Some(last)) = (self.rows.iter().position(is_of), self.rows.iter().rposition(is_of)) else {
            return;
        };
        let top = self.rows.len().saturating_sub(self.from_bottom + height);
        if first < top {
            self.from_bottom = self.rows.len().saturating_sub(first + height);
        } else if last >= top + height {
            self.from_bottom = self.rows.len().saturating_sub(last + 1);
        }
    }

    pub(super) fn begin_search(&mut self, effects: &mut Vec<Effect>) {
        if self.open.is_none() {
            return;
        }
        self.cover();
        self.pane = super::geometry::Pane::Talk;
        self.mode = Mode::Searching { line: Line::default(), id: None };
        // Not only what is loaded is looked through.
        self.look_further(WINDOW_MAX, effects);
    }

    /// What is searched for, as it is compared.
    pub fn needle(&self) -> Option<String> {
        let Mode::Searching { line, .. } = &self.mode else { return None };
        Some(safe(line.text(), self.look.charset).to_lowercase()).filter(|needle| !needle.is_empty())
    }

    fn hits(&self) -> Vec<usize> {
        let Some(needle) = self.needle() else { return Vec::new() };
        let is_hit = |text: &str| safe(text, self.look.charset).to_lowercase().contains(&needle);
        let messages = self.messages().iter().enumerate();
        messages.filter(|(_, message)| !message.view_once && is_hit(&message.text)).map(|(at, _)| at).collect()
    }

    /// "2 of 7", "nothing", or nothing to say yet.
    pub fn hit_count(&self) -> String {
        let hits = self.hits();
        match (self.needle(), self.picked().and_then(|picked| hits.iter().position(|at| *at == picked))) {
            (None, _) => String::new(),
            (Some(_), None) => "nothing found".to_owned(),
            (Some(_), Some(at)) => format!("{} of {}", hits.len() - at, hits.len()),
        }
    }

    /// The search changed: the newest hit is shown.
    pub(super) fn search(&mut self) {
        let newest = self.hits().last().and_then(|at| self.messages().get(*at)).map(|message| message.id.clone());
        if let Mode::Searching { id, .. } = &mut self.mode {
            *id = newest;
        }
        self.bring_into_view();
    }

    /// The hit before or after; at the ends it stays.
    pub(super) fn next_hit(&mut self, by: isize) {
        let hits = self.hits();
        let now = self.picked().and_then(|picked| hits.iter().position(|at| *at == picked));
        let target = now.and_then(|now| now.checked_add_signed(by)).and_then(|at| hits.get(at));
        let target = target.and_then(|at| self.messages().get(*at)).map(|message| message.id.clone());
        if let (Some(target), Mode::Searching { id, .. }) = (target, &mut self.mode) {
            *id = Some(target);
        }
        self.bring_into_view();
    }
}
