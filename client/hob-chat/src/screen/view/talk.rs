//! A conversation: its title, the history, what is typed. Or what is known of a request.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;

use super::super::model::geometry::{Geometry, Pane, talk_width};
use super::super::model::rows::{Kind, Row};
use super::super::model::{Mode, Model, Talk};
use super::super::talk::{ContactRow, RequestRow};
use super::super::text::{cut, safe_line, width, wrap};
use super::{at, put, put_right};
use crate::show::time;

/// Draws it; answers where the cursor is.
pub fn draw(model: &Model, geometry: &Geometry, canvas: &mut Buffer) -> Option<Position> {
    if let Some(request) = request_shown(model, geometry) {
        return about_request(model, request, geometry, canvas);
    }
    let Some(contact) = model.open_contact() else { return nothing_open(model, geometry, canvas) };
    title(model, contact, geometry.talk_title, canvas);
    history(model, geometry.history, canvas);
    typing(model, contact, geometry, canvas)
}

/// Whether there is a conversation, with something to type in.
pub fn is_shown(model: &Model, geometry: &Geometry) -> bool {
    request_shown(model, geometry).is_none() && model.open_contact().is_some()
}

fn request_shown<'a>(model: &'a Model, geometry: &Geometry) -> Option<&'a RequestRow> {
    model.chosen_request().filter(|_| model.pane == Pane::List && !geometry.is_narrow)
}

fn inside(area: Rect) -> Rect {
    let left = u16::from(area.width > 2);
    Rect { x: area.x + left, width: area.width.saturating_sub(2 * left), ..area }
}

fn title(model: &Model, contact: &ContactRow, area: Rect, canvas: &mut Buffer) {
    let look = &model.look;
    let area = inside(area);
    let name = cut(&safe_line(&contact.name, look.charset), usize::from(area.width), look.signs.more);
    let trust = match contact {
        ContactRow { revoked: true, .. } => "revoked",
        ContactRow { blocked: true, .. } => "blocked",
        ContactRow { verified: true, .. } => "verified",
        _ => "not verified: F2",
    };
    let dot = look.signs.dot;
    let mut about = Vec::new();
    if contact.devices > 1 {
        about.push(format!("{} devices", contact.devices));
    }
    if let Some(seen_ms) = contact.last_seen_ms {
        about.push(format!("seen {}", time::recent_day(seen_ms, model.now_ms)));
    }
    if model.from_bottom > 0 {
        about.push("PgDn: newer".to_owned());
    }
    let about = about.join(&format!(" {dot} "));
    let room = usize::from(area.width);
    if width(&name) + width(trust) + width(&about) + 6 <= room {
        put_right(canvas, area, 0, &about, look.faint());
    }
    let style = if contact.verified { look.good() } else { look.waits() };
    put(
        canvas,
        area,
        0,
        vec![
            Span::styled(name, look.strong()),
            Span::styled(format!(" {dot} "), look.faint()),
            Span::styled(trust, style),
        ],
    );
}

fn history(model: &Model, area: Rect, canvas: &mut Buffer) {
    let height = usize::from(area.height);
    let bottom = model.rows.len().saturating_sub(model.from_bottom);
    let top = bottom.saturating_sub(height);
    let shown = model.rows.get(top..bottom).unwrap_or_default();
    // A short conversation stands at the bottom, where one types.
    let above = height.saturating_sub(shown.len());
    let (picked, needle) = (model.picked(), model.needle());
    for (row, line) in shown.iter().enumerate() {
        let y = u16::try_from(above + row).unwrap_or(u16::MAX);
        let is_picked = picked.is_some() && line.message == picked;
        draw_row(model, line, area, y, is_picked, needle.as_deref(), canvas);
    }
}

fn draw_row(model: &Model, row: &Row, area: Rect, y: u16, picked: bool, needle: Option<&str>, canvas: &mut Buffer) {
    let look = &model.look;
    let columns = usize::from(area.width);
    if matches!(row.kind, Kind::Day | Kind::New) {
        let label = format!(" {} ", row.text);
        let left = columns.saturating_sub(width(&label)) / 2;
        let right = columns.saturating_sub(left + width(&label) + 1);
        let line = |count: usize| Span::styled(look.signs.across.repeat(count), look.faint());
        let style = if row.kind == Kind::New { look.own() } else { look.faint() };
        return put(
            canvas,
            area,
            y,
            vec![Span::raw(" "), line(left.saturating_sub(1)), Span::styled(label, style), line(right)],
        );
    }
    let style = match row.kind {
        Kind::Quote | Kind::Faint => look.faint(),
        Kind::Notice => look.waits(),
        Kind::Loud => look.loud(),
        _ => Style::new(),
    };
    let sign = if picked { look.signs.chosen } else { " " };
    let mut spans = vec![Span::styled(sign, look.own())];
    let mut used = 1;
    if !row.time.is_empty() {
        spans.push(Span::styled(format!("{} ", row.time), look.faint()));
        used += 6;
    }
    if let Some((name, own)) = &row.name {
        used += width(name);
        let padded = if used < row.indent { " ".repeat(row.indent - used) } else { String::new() };
        used += width(&padded);
        spans.push(Span::styled(name.clone(), if *own { look.own() } else { look.other() }));
        spans.push(Span::raw(padded));
    }
    if used < row.indent {
        spans.push(Span::raw(" ".repeat(row.indent - used)));
    }
    match needle {
        Some(needle) if row.kind == Kind::Text => spans.extend(with_hits(&row.text, needle, style, look.hit())),
        _ => spans.push(Span::styled(row.text.clone(), style)),
    }
    put(canvas, area, y, spans);
    if let Some(mark) = row.mark {
        let right = Rect { width: area.width.saturating_sub(1), ..area };
        put_right(canvas, right, y, look.signs.mark(mark), look.mark(mark));
    }
}

/// A row with what was searched for standing out; a hit that goes over the end of a row stands out in neither.
#[expect(clippy::string_slice, reason = "a hit begins and ends between two characters")]
fn with_hits(text: &str, needle: &str, plain: Style, hit: Style) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = find_ignoring_case(rest, needle) {
        spans.push(Span::styled(rest[..start].to_owned(), plain));
        spans.push(Span::styled(rest[start..end].to_owned(), hit));
        rest = &rest[end..];
    }
    spans.push(Span::styled(rest.to_owned(), plain));
    spans
}

/// Where a lower-case text is in another one. Lower case may be longer than upper case, so bytes do not line up by
/// themselves.
#[expect(clippy::string_slice, reason = "char_indices tells where characters begin")]
fn find_ignoring_case(text: &str, needle: &str) -> Option<(usize, usize)> {
    let starts = text.char_indices().map(|(start, _)| start);
    starts.into_iter().find_map(|start| {
        let mut lower = String::new();
        for (offset, character) in text[start..].char_indices() {
            lower.extend(character.to_lowercase());
            if lower.len() >= needle.len() {
                return (lower == needle).then(|| (start, start + offset + character.len_utf8()));
            }
            if !needle.starts_with(lower.as_str()) {
                return None;
            }
        }
        None
    })
}

fn typing(model: &Model, contact: &ContactRow, geometry: &Geometry, canvas: &mut Buffer) -> Option<Position> {
    let look = &model.look;
    let columns = usize::from(talk_width(model.size.0));
    typing_line(model, contact, geometry.typing_line, canvas);
    let area = inside(geometry.typing);
    let has_keys = model.pane == Pane::Talk;
    if let Mode::Searching { line, .. } = &model.mode {
        let shown = line.shown(columns.saturating_sub(2), look.charset);
        let row = shown.rows.get(shown.cursor_row).cloned().unwrap_or_default();
        put(canvas, area, 0, vec![Span::styled("/ ", look.strong()), Span::raw(row)]);
        return has_keys.then(|| at(area, shown.cursor_column + 2, 0));
    }
    let talk = model.talk()?;
    let shown = talk.line.shown(columns, look.charset);
    if talk.line.is_empty() && contact.revoked {
        put(
            canvas,
            area,
            0,
            vec![Span::styled("revoked: exchange new codes (contact add CODE --as NAME)", look.faint())],
        );
    } else if talk.line.is_empty() && contact.blocked {
        put(canvas, area, 0, vec![Span::styled("blocked: nothing is sent (B in the list unblocks)", look.faint())]);
    }
    let height = usize::from(area.height);
    let top = (shown.cursor_row + 1).saturating_sub(height);
    for (row, text) in shown.rows.iter().skip(top).take(height).enumerate() {
        let y = u16::try_from(row).unwrap_or(u16::MAX);
        put(canvas, area, y, vec![Span::raw(text.clone())]);
    }
    (has_keys && model.mode == Mode::Typing)
        .then(|| at(area, shown.cursor_column, shown.cursor_row.saturating_sub(top)))
}

/// The line above what is typed: to whom, what it answers, how long it lives.
fn typing_line(model: &Model, contact: &ContactRow, area: Rect, canvas: &mut Buffer) {
    let look = &model.look;
    let columns = usize::from(area.width);
    put(canvas, area, 0, vec![Span::styled(look.signs.across.repeat(columns), look.faint())]);
    let name = safe_line(&contact.name, look.charset);
    let (label, options) = match (&model.mode, model.talk()) {
        (Mode::Searching { .. }, _) => (" search ".to_owned(), model.hit_count()),
        (_, Some(talk)) => (label(model, talk, &name), options(model, talk)),
        (_, None) => (format!(" to {name} "), String::new()),
    };
    let right = Rect { width: area.width.saturating_sub(1), ..area };
    let mut used = 0;
    if !options.is_empty() && width(&options) + 6 <= columns {
        let text = format!(" {options} ");
        used = width(&text) + 2;
        put_right(canvas, right, 0, &text, look.strong());
    }
    let label = cut(&label, columns.saturating_sub(used + 2), look.signs.more);
    let left = Rect { x: area.x + u16::from(area.width > 1), width: area.width.saturating_sub(1), ..area };
    let style = if model.talk().is_some_and(|talk| talk.answer.is_some()) { Style::new() } else { look.faint() };
    put(canvas, left, 0, vec![Span::styled(label, style)]);
}

fn label(model: &Model, talk: &Talk, name: &str) -> String {
    let Some(answer) = &talk.answer else { return format!(" to {name} ") };
    let found = model.messages().iter().find(|message| message.id == *answer);
    let words = found.filter(|message| !message.view_once).map(|message| {
        let first_line = message.text.lines().next().unwrap_or_default();
        let who = if message.sent { "you" } else { name };
        format!("{who}: {}", safe_line(first_line, model.look.charset))
    });
    format!(" answers {} ", words.unwrap_or_else(|| "a message".to_owned()))
}

fn options(model: &Model, talk: &Talk) -> String {
    let mut options = Vec::new();
    if let Some(ttl) = talk.ttl {
        options.push(format!("gone after {}", spoken(ttl.as_secs())));
    }
    if talk.view_once {
        options.push("shown once".to_owned());
    }
    if talk.strict {
        options.push("strict".to_owned());
    }
    options.join(&format!(" {} ", model.look.signs.dot))
}

fn spoken(seconds: u64) -> String {
    match seconds {
        86_400 => "1 day".to_owned(),
        86_401.. => format!("{} days", seconds / 86_400),
        3_600.. => format!("{} h", seconds / 3_600),
        _ => format!("{} min", seconds / 60),
    }
}

fn about_request(model: &Model, request: &RequestRow, geometry: &Geometry, canvas: &mut Buffer) -> Option<Position> {
    let since = time::clock(request.since_ms, model.now_ms);
    let name = match request.name.is_empty() {
        true => "Somebody without a name".to_owned(),
        false => format!("Somebody who says to be \"{}\"", safe_line(&request.name, model.look.charset)),
    };
    let text = format!(
        "{name} has written {} since {since}, without a code that you gave them.\n\nNothing of it is shown, and they are \
         not told anything, until you decide:\n\nA  accepts: they become a contact, not verified\nX  refuses: what they \
         wrote is dropped, now and later",
        if request.messages == 1 { "a message".to_owned() } else { format!("{} messages", request.messages) }
    );
    say(model, "Request", &text, geometry, canvas)
}

fn nothing_open(model: &Model, geometry: &Geometry, canvas: &mut Buffer) -> Option<Position> {
    if model.snapshot.contacts.is_empty() {
        return None;
    }
    say(model, "", "Choose somebody: Up, Down, Enter.\n\nF1 shows all keys.", geometry, canvas)
}

fn say(model: &Model, title: &str, text: &str, geometry: &Geometry, canvas: &mut Buffer) -> Option<Position> {
    put(canvas, inside(geometry.talk_title), 0, vec![Span::styled(title.to_owned(), model.look.strong())]);
    let area = inside(geometry.history);
    let (lines, _) = wrap(text, usize::from(area.width), usize::from(area.height));
    for (row, line) in lines.into_iter().enumerate() {
        put(canvas, area, u16::try_from(row).unwrap_or(u16::MAX), vec![Span::raw(line)]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_found_whatever_its_case_and_stays_between_characters() {
        assert_eq!(find_ignoring_case("The Soup", "soup"), Some((4, 8)));
        assert_eq!(find_ignoring_case("İstanbul", "stan"), Some((2, 6)));
        assert_eq!(find_ignoring_case("Straße", "sse"), None);
        assert_eq!(find_ignoring_case("aab", "ab"), Some((1, 3)));
    }
}
