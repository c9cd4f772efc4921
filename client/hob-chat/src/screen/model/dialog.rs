//! What lies above everything else: help, safety number, details, questions.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::keys::{EDITING, HEADINGS, TABLE};
use super::super::look::Look;
use super::super::talk::{Ask, Mark};
use super::super::text::{safe, safe_line};
use super::typing::Line;
use super::{Effect, Model};
use crate::show::time;

/// What is asked or shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Dialog {
    Help {
        top: usize,
    },
    Number {
        contact: String,
        digits: Vec<String>,
        qr: Vec<String>,
        top: usize,
    },
    Details {
        id: String,
        top: usize,
    },
    Name {
        what: Naming,
        line: Line,
    },
    /// Yes does it.
    Sure {
        question: String,
        yes: Ask,
    },
    Leave {
        why: String,
    },
}

/// What gets a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    Request(String),
    Contact(String),
}

/// A dialog as it is drawn. The lines are safe, and may be wider than the screen.
pub struct Page {
    pub title: String,
    pub lines: Vec<String>,
    pub foot: &'static str,
    pub top: usize,
    /// Where the cursor is, in columns behind the last line's beginning.
    pub typed: Option<Line>,
}

const CLOSE: &str = "Esc closes";

impl Dialog {
    /// What stands in it.
    pub fn page(&self, model: &Model) -> Page {
        let page = |title: &str, lines, foot, top| Page { title: title.to_owned(), lines, foot, top, typed: None };
        let charset = model.look.charset;
        match self {
            Self::Help { top } => page("Help", help(&model.look), "Up, Down, PgUp, PgDn scroll; Esc closes", *top),
            Self::Number { contact, digits, qr, top } => {
                let name = model.contact(contact).map_or("", |contact| &contact.name);
                let is_verified = model.contact(contact).is_some_and(|contact| contact.verified);
                let name = safe_line(name, charset);
                let mut lines = vec![if is_verified {
                    format!("You compared this number with {name} already.")
                } else {
                    format!("{name} sees the same 60 digits if nobody is in between. Compare them")
                }];
                if !is_verified {
                    lines.push("face to face or by telephone, never in this conversation.".to_owned());
                }
                lines.push(String::new());
                lines.extend(digits.iter().map(|line| format!("    {line}")));
                if !qr.is_empty() {
                    lines.push(String::new());
                    lines.extend(qr.iter().cloned());
                }
                let foot = if is_verified { CLOSE } else { "V: they are the same; Esc closes" };
                page(&format!("Safety number with {name}"), lines, foot, *top)
            }
            Self::Details { id, top } => {
                let lines = details(model, id).unwrap_or_else(|| vec!["It is gone.".to_owned()]);
                page("Message", lines, "Up, Down, PgUp, PgDn scroll; Esc closes", *top)
            }
            Self::Name { what, line } => {
                let what = match what {
                    Naming::Request(_) => "What do you call them? (1 to 32 characters without spaces)",
                    Naming::Contact(_) => "The new name (1 to 32 characters without spaces):",
                };
                Page {
                    typed: Some(line.clone()),
                    ..page(
                        "Name",
                        vec![what.to_owned(), String::new(), String::new()],
                        "Enter takes it; Esc does not",
                        0,
                    )
                }
            }
            Self::Sure { question, .. } => page("Sure?", vec![safe(question, charset)], "Y: yes; N or Esc: no", 0),
            Self::Leave { why } => {
                let lines = vec![
                    "Something that you typed would be lost:".to_owned(),
                    safe(why, charset),
                    "Leave all the same?".to_owned(),
                ];
                page("Leave?", lines, "Y: leave and lose it; N or Esc: stay", 0)
            }
        }
    }

    fn top_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { top } | Self::Number { top, .. } | Self::Details { top, .. } => Some(top),
            Self::Name { .. } | Self::Sure { .. } | Self::Leave { .. } => None,
        }
    }
}

fn help(look: &Look) -> Vec<String> {
    let mut lines = Vec::new();
    let width = 22;
    for heading in HEADINGS {
        lines.push(heading.to_owned());
        for binding in TABLE.iter().filter(|binding| binding.heading() == heading) {
            lines.push(format!("  {:<width$}  {}", binding.names(), binding.help));
        }
        if heading == "While you type" {
            lines.extend(EDITING.iter().map(|(keys, help)| format!("  {keys:<width$}  {help}")));
        }
        lines.push(String::new());
    }
    lines.push("How a message of yours stands".to_owned());
    for (mark, help) in [
        (Mark::Outbox, "with no box yet; the line below it says why"),
        (Mark::Kept, "kept by the contact's box"),
        (Mark::Delivered, "delivered: a device of the contact has it"),
        (Mark::Again, "not confirmed in time, and sent again by itself"),
        (Mark::GivenUp, "refused, expired or given up"),
    ] {
        lines.push(format!("  {:<width$}  {help}", look.signs.mark(mark)));
    }
    lines
}

fn details(model: &Model, id: &str) -> Option<Vec<String>> {
    let message = model.messages().iter().find(|message| message.id == id)?;
    let charset = model.look.charset;
    let mut lines = vec![format!("written   {}", time::clock(message.sent_at_ms, model.now_ms))];
    if message.sent {
        lines.push(format!("stands    {}", message.standing));
    }
    lines.push(format!(
        "path      {}",
        match message.path.as_str() {
            "box" => "through the recipient's box, sealed",
            "unkept" => "through the recipient's box, sealed and never kept (strict)",
            other => other,
        }
    ));
    if let Some(expires_ms) = message.expires_at_ms {
        lines.push(format!("gone      {}", time::clock(expires_ms, model.now_ms)));
    }
    if !message.devices.is_empty() {
        let names: Vec<_> = message.devices.iter().map(|name| safe_line(name, charset)).collect();
        let what = if message.sent { "came to " } else { "from    " };
        lines.push(format!("{what}  {}", names.join(", ")));
    }
    lines.push(format!("id        {}", safe_line(&message.id, charset)));
    lines.push(String::new());
    if message.view_once {
        lines.push("(shown once)".to_owned());
    } else {
        lines.extend(safe(&message.text, charset).split('\n').map(str::to_owned));
    }
    Some(lines)
}

impl Model {
    /// A key, while a dialog is open.
    pub(super) fn dialog_key(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) {
        let Some(mut dialog) = self.dialog.take() else { return };
        let page = usize::from(self.size.1 / 2).max(1);
        match (key.code, dialog.top_mut()) {
            (KeyCode::Up | KeyCode::Char('k'), Some(top)) => *top = top.saturating_sub(1),
            (KeyCode::Down | KeyCode::Char('j'), Some(top)) => *top = top.saturating_add(1),
            (KeyCode::PageUp, Some(top)) => *top = top.saturating_sub(page),
            (KeyCode::PageDown | KeyCode::Char(' '), Some(top)) => *top = top.saturating_add(page),
            (KeyCode::Home, Some(top)) => *top = 0,
            (KeyCode::End, Some(top)) => *top = usize::MAX,
            _ => return self.answer_dialog(dialog, key, effects),
        }
        let lines = self.page_rows(&dialog);
        if let Some(top) = dialog.top_mut() {
            *top = (*top).min(lines);
        }
        self.dialog = Some(dialog);
    }

    /// The furthest that a dialog scrolls.
    fn page_rows(&self, dialog: &Dialog) -> usize {
        let (columns, rows) = page_room(self.size);
        let page = dialog.page(self);
        super::super::view::dialog::wrapped(&page, columns).len().saturating_sub(rows)
    }

    fn answer_dialog(&mut self, dialog: Dialog, key: &KeyEvent, effects: &mut Vec<Effect>) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_leaving = is_control && matches!(key.code, KeyCode::Char('c' | 'q'));
        let is_yes = matches!(key.code, KeyCode::Char('y' | 'Y')) && !is_control;
        match dialog {
            Dialog::Leave { .. } if is_yes => effects.push(Effect::Quit),
            Dialog::Sure { yes, .. } if is_yes => {
                self.do_what_was_asked(yes, effects);
            }
            Dialog::Number { contact, .. } if matches!(key.code, KeyCode::Char('v' | 'V')) => {
                let name = self.contact(&contact).map(|contact| contact.name.clone()).unwrap_or_default();
                let question = format!("Did you compare all 60 digits with {name}, face to face or by telephone?");
                self.dialog = Some(Dialog::Sure { question, yes: Ask::Verified { contact } });
            }
            Dialog::Name { what, line } if key.code != KeyCode::Esc && !is_leaving => {
                self.name_key(what, line, key, effects);
            }
            _ if is_leaving => self.leave(super::drafts::Why::Asked, effects),
            Dialog::Help { .. } | Dialog::Number { .. } | Dialog::Details { .. } if !is_closing(key) => {
                self.dialog = Some(dialog);
            }
            Dialog::Sure { .. } | Dialog::Leave { .. } if !is_closing(key) && !is_no(key) => {
                self.dialog = Some(dialog);
            }
            _ => {}
        }
    }

    fn name_key(&mut self, what: Naming, mut line: Line, key: &KeyEvent, effects: &mut Vec<Effect>) {
        if key.code != KeyCode::Enter {
            line.edit(key, usize::MAX);
            self.dialog = Some(Dialog::Name { what, line });
            return;
        }
        let name = line.text().trim().to_owned();
        let ask = match what {
            // Without a name, what they propose is taken.
            Naming::Request(id) => Ask::Accept { id, name: (!name.is_empty()).then_some(name) },
            Naming::Contact(contact) => Ask::Rename { contact, name },
        };
        self.do_what_was_asked(ask, effects);
    }

    fn do_what_was_asked(&mut self, ask: Ask, effects: &mut Vec<Effect>) {
        if self.is_attached {
            effects.push(Effect::Ask(ask));
        } else {
            self.say("this profile is just being taken over: try again in a moment", false);
        }
    }
}

/// Columns and rows inside a dialog.
pub fn page_room((columns, rows): (u16, u16)) -> (usize, usize) {
    (usize::from(columns.min(84).saturating_sub(4)).max(1), usize::from(rows.saturating_sub(4)).max(1))
}

const fn is_closing(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Esc | KeyCode::Enter | KeyCode::F(1) | KeyCode::F(2) | KeyCode::Char('?' | 'q'))
}

const fn is_no(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char('n' | 'N'))
}
