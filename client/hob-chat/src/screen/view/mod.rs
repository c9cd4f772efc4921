//! Draws the state. Reads it, changes nothing.
//!
//! # Layout
//! - [`list`]: contacts and requests. [`talk`]: a conversation and the typing line. [`dialog`]: what lies above.

pub mod dialog;
mod list;
mod talk;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::keys::Place;
use super::model::Model;
use super::text::{cut, safe_line, width};
use crate::show::time;

/// Draws everything.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.is_empty() {
        return;
    }
    let geometry = model.geometry();
    let canvas = frame.buffer_mut();
    list::draw(model, &geometry, canvas);
    let cursor = talk::draw(model, &geometry, canvas);
    frames(model, &geometry, canvas);
    status(model, geometry.status, canvas);
    let cursor = match &model.dialog {
        Some(open) => dialog::draw(model, open, area, canvas),
        None => cursor,
    };
    if let Some(cursor) = cursor.filter(|cursor| area.contains(*cursor)) {
        frame.set_cursor_position(cursor);
    }
}

/// One line of text in a rectangle's row; what lies outside is not drawn.
fn put(canvas: &mut Buffer, area: Rect, row: u16, spans: Vec<Span<'_>>) {
    if row < area.height {
        let target = Rect { y: area.y + row, height: 1, ..area };
        Line::from(spans).render(target.intersection(canvas.area), canvas);
    }
}

/// Something at the right end of a row.
fn put_right(canvas: &mut Buffer, area: Rect, row: u16, text: &str, style: Style) {
    let wide = u16::try_from(width(text)).unwrap_or(u16::MAX).min(area.width);
    let right = Rect { x: area.right() - wide, width: wide, ..area };
    put(canvas, right, row, vec![Span::styled(text.to_owned(), style)]);
}

/// The lines between the parts.
fn frames(model: &Model, geometry: &super::model::geometry::Geometry, canvas: &mut Buffer) {
    let (signs, style) = (model.look.signs, model.look.faint());
    for area in [geometry.title_line, geometry.status_line] {
        put(canvas, area, 0, vec![Span::styled(signs.across.repeat(usize::from(area.width)), style)]);
    }
    let between = geometry.between;
    for row in 0..between.height {
        put(canvas, between, row, vec![Span::styled(signs.down, style)]);
    }
    let mut joint = |y: u16, sign: &'static str| {
        if !between.is_empty() {
            let at = Rect { y, height: 1, ..between };
            put(canvas, at, 0, vec![Span::styled(sign, style)]);
        }
    };
    if !geometry.title_line.is_empty() {
        joint(geometry.title_line.y, signs.joint_cross);
    }
    if !geometry.typing_line.is_empty() && talk::is_shown(model, geometry) {
        joint(geometry.typing_line.y, signs.joint_right);
    }
    if !geometry.status_line.is_empty() {
        joint(geometry.status_line.y, signs.joint_below);
    }
}

/// Connection, what was said last, and the next keys.
fn status(model: &Model, area: Rect, canvas: &mut Buffer) {
    let look = &model.look;
    let link = &model.snapshot.link;
    let room = usize::from(area.width);
    if let Some(toast) = &model.toast {
        let style = if toast.loud { look.loud() } else { look.strong() };
        let end = if toast.loud { " (Esc)" } else { "" };
        let text = cut(&safe_line(&toast.text, look.charset), room.saturating_sub(2 + end.len()), look.signs.more);
        put(canvas, area, 0, vec![Span::styled(format!(" {text}{end}"), style)]);
        return;
    }
    let (sign, style) = if link.online { (look.signs.on, look.good()) } else { (look.signs.off, look.waits()) };
    let said = connection(model, room.saturating_sub(3));
    let hints = hints(model);
    let hints_room = width(&hints) + 2;
    // Why there is no connection is more important than keys.
    let said = cut(&said, room.saturating_sub(3), look.signs.more);
    if width(&said) + 4 + hints_room <= room {
        put_right(canvas, Rect { width: area.width.saturating_sub(1), ..area }, 0, &hints, look.faint());
    }
    put(canvas, area, 0, vec![Span::raw(" "), Span::styled(sign, style), Span::raw(format!(" {said}"))]);
}

/// How the connection stands, as much of it as there is room for; why there is none before everything else.
fn connection(model: &Model, room: usize) -> String {
    let snapshot = &model.snapshot;
    let waiting = match snapshot.in_outbox {
        0 => String::new(),
        count => format!(" {} {count} in the outbox", model.look.signs.dot),
    };
    if !model.is_attached {
        return "one moment: this profile is being taken over".to_owned();
    }
    if snapshot.link.online {
        return format!("connected{waiting}");
    }
    let since = match snapshot.link.last_contact_ms {
        Some(at) if at > 0 => format!(" since {}", time::clock(at, model.now_ms)),
        _ => String::new(),
    };
    let Some(why) = &snapshot.link.why else { return format!("connecting{waiting}") };
    let why = safe_line(why, model.look.charset);
    let ways = [format!("not connected{since}{waiting}: {why}"), format!("not connected{since}: {why}")];
    let fits = ways.into_iter().find(|said| width(said) <= room);
    fits.unwrap_or_else(|| format!("not connected: {why}"))
}

fn hints(model: &Model) -> String {
    let hints: &[&str] = match model.place() {
        Place::Contact => &["Enter opens", "F2 verify", "? help"],
        Place::Request => &["A accepts", "X refuses", "? help"],
        Place::Typing => &["Enter sends", "Tab contacts", "F1 help"],
        Place::Picking => &["R answers", "Enter details", "Esc back"],
        Place::Searching => &["Up, Down hits", "Esc back"],
    };
    hints.join(&format!(" {} ", model.look.signs.dot))
}

/// Where a cursor stands in an area.
fn at(area: Rect, column: usize, row: usize) -> Position {
    let limit = |value: usize, most: u16| u16::try_from(value).unwrap_or(u16::MAX).min(most.saturating_sub(1));
    Position { x: area.x + limit(column, area.width), y: area.y + limit(row, area.height) }
}
