//! The list: contacts with their unread counts, then requests.

use ratatui::buffer::Buffer;
use ratatui::text::Span;

use super::super::model::geometry::{Geometry, Pane};
use super::super::model::{Chosen, Model};
use super::super::talk::{ContactRow, RequestRow};
use super::super::text::{cut, safe_line, width};
use super::put;

/// One row of the list.
struct Entry {
    chosen: bool,
    open: bool,
    name: String,
    /// At the right end.
    note: String,
    is_loud: bool,
    is_title: bool,
}

/// Draws it.
pub fn draw(model: &Model, geometry: &Geometry, canvas: &mut Buffer) {
    let look = &model.look;
    let me = safe_line(&model.snapshot.me, look.charset);
    let title = if me.is_empty() { "Hob".to_owned() } else { format!("Hob {} {me}", look.signs.dot) };
    let title = cut(&title, usize::from(geometry.list_title.width).saturating_sub(2), look.signs.more);
    put(canvas, geometry.list_title, 0, vec![Span::raw(" "), Span::styled(title, look.strong())]);
    let entries = entries(model);
    if entries.is_empty() {
        for (row, line) in nobody(usize::from(geometry.list.width)).into_iter().enumerate() {
            put(canvas, geometry.list, u16::try_from(row).unwrap_or(u16::MAX), vec![Span::raw(line)]);
        }
        return;
    }
    let height = usize::from(geometry.list.height);
    let chosen = entries.iter().position(|entry| entry.chosen).unwrap_or(0);
    let top = (chosen + 1).saturating_sub(height);
    for (row, entry) in entries.iter().skip(top).take(height).enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX);
        draw_entry(model, geometry, canvas, row, entry);
    }
}

fn draw_entry(model: &Model, geometry: &Geometry, canvas: &mut Buffer, row: u16, entry: &Entry) {
    let look = &model.look;
    let room = usize::from(geometry.list.width);
    if entry.is_title {
        let line = format!(" {}", cut(&entry.name, room.saturating_sub(2), look.signs.more));
        return put(canvas, geometry.list, row, vec![Span::styled(line, look.faint())]);
    }
    let has_keys = entry.chosen && model.pane == Pane::List;
    let sign = if entry.chosen { look.signs.chosen } else { " " };
    let note = cut(&entry.note, room.saturating_sub(4), look.signs.more);
    let name_room = room.saturating_sub(width(&note) + 4);
    let name = cut(&entry.name, name_room, look.signs.more);
    let gap = " ".repeat(room.saturating_sub(1 + width(&name) + width(&note) + 1));
    let name_style = match (has_keys, entry.is_loud || entry.open) {
        (true, _) => look.hit(),
        (false, true) => look.strong(),
        (false, false) => ratatui::style::Style::new(),
    };
    let note_style = if entry.is_loud { look.strong() } else { look.faint() };
    put(
        canvas,
        geometry.list,
        row,
        vec![
            Span::styled(sign, look.own()),
            Span::styled(name, name_style),
            Span::raw(gap),
            Span::styled(note, note_style),
        ],
    );
}

fn entries(model: &Model) -> Vec<Entry> {
    let contacts = model.snapshot.contacts.iter().map(|contact| contact_entry(model, contact));
    let mut entries: Vec<Entry> = contacts.collect();
    if !model.snapshot.requests.is_empty() {
        let title = |name: &str| Entry {
            chosen: false,
            open: false,
            name: name.to_owned(),
            note: String::new(),
            is_loud: false,
            is_title: true,
        };
        if !entries.is_empty() {
            entries.push(title(""));
        }
        entries.push(title("requests"));
        entries.extend(model.snapshot.requests.iter().map(|request| request_entry(model, request)));
    }
    entries
}

fn contact_entry(model: &Model, contact: &ContactRow) -> Entry {
    let unread = model.unread_of(contact);
    let has_draft = model.has_draft(&contact.key);
    let note = match contact {
        ContactRow { revoked: true, .. } => "revoked".to_owned(),
        ContactRow { blocked: true, .. } => "blocked".to_owned(),
        _ if unread > 0 => unread.to_string(),
        _ if has_draft => "draft".to_owned(),
        ContactRow { answered: false, .. } => "no answer yet".to_owned(),
        _ => String::new(),
    };
    Entry {
        chosen: model.chosen == Chosen::Contact(contact.key.clone()),
        open: model.open.as_ref() == Some(&contact.key),
        name: safe_line(&contact.name, model.look.charset),
        note,
        is_loud: unread > 0,
        is_title: false,
    }
}

fn request_entry(model: &Model, request: &RequestRow) -> Entry {
    let name = match request.name.is_empty() {
        true => request.id.clone(),
        false => format!("\"{}\"", safe_line(&request.name, model.look.charset)),
    };
    Entry {
        chosen: model.chosen == Chosen::Request(request.id.clone()),
        open: false,
        name,
        note: request.messages.to_string(),
        is_loud: true,
        is_title: false,
    }
}

fn nobody(columns: usize) -> Vec<String> {
    let text = "No contacts yet.\n\nhob-chat contact show makes a code for somebody to add;\nhob-chat contact add CODE \
                --as NAME adds theirs. You can do that while this screen is open.";
    let (lines, _) = super::super::text::wrap(text, columns.saturating_sub(2), 20);
    lines.into_iter().map(|line| format!(" {line}")).collect()
}
