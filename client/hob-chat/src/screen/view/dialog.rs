//! A box above everything else.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Clear, Widget};

use super::super::model::Model;
use super::super::model::dialog::{Dialog, Page, page_room};
use super::super::text::{cut, width, wrap};
use super::{at, put};

/// The most rows of one page: a message has at most 54 KiB.
const ROWS_MAX: usize = 100_000;

/// A page's lines, as wide as there is room.
pub fn wrapped(page: &Page, columns: usize) -> Vec<String> {
    page.lines.iter().flat_map(|line| hanging(line, columns)).collect()
}

/// A line in two columns keeps its second one apart where it is broken.
#[expect(clippy::string_slice, reason = "what trim and find tell is between two characters")]
fn hanging(line: &str, columns: usize) -> Vec<String> {
    let start = line.len() - line.trim_start().len();
    let gap = line[start..].find("  ").map(|gap| start + gap);
    let second = gap.map(|gap| line.len() - line[gap..].trim_start().len());
    match second.filter(|second| *second > 0 && *second < 30 && *second + 20 < columns && width(line) > columns) {
        Some(second) => {
            let (lines, _) = wrap(&line[second..], columns - second, ROWS_MAX);
            let indented = |(at, rest): (usize, String)| match at {
                0 => format!("{}{rest}", &line[..second]),
                _ => format!("{}{rest}", " ".repeat(second)),
            };
            lines.into_iter().enumerate().map(indented).collect()
        }
        None => wrap(line, columns, ROWS_MAX).0,
    }
}

/// Draws it; answers where the cursor is.
pub fn draw(model: &Model, dialog: &Dialog, screen: Rect, canvas: &mut Buffer) -> Option<Position> {
    let page = dialog.page(model);
    let (columns, rows) = page_room((screen.width, screen.height));
    let lines = wrapped(&page, columns);
    let widest =
        lines.iter().map(|line| width(line)).max().unwrap_or(0).max(width(page.foot)).max(width(&page.title) + 2);
    let inner = u16::try_from(widest.min(columns)).unwrap_or(u16::MAX);
    let height = u16::try_from(lines.len().min(rows)).unwrap_or(u16::MAX);
    let (wide, high) = (inner.saturating_add(4).min(screen.width), height.saturating_add(4).min(screen.height));
    let area = Rect { x: (screen.width - wide) / 2, y: (screen.height - high) / 2, width: wide, height: high };
    Clear.render(area, canvas);
    border(model, &page, area, canvas);
    let text = Rect {
        x: area.x + 2.min(area.width),
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(4),
    };
    let top = page.top.min(lines.len().saturating_sub(usize::from(text.height)));
    for (row, line) in lines.iter().skip(top).take(usize::from(text.height)).enumerate() {
        put(canvas, text, u16::try_from(row).unwrap_or(u16::MAX), vec![Span::raw(line.clone())]);
    }
    let foot = Rect { y: area.bottom().saturating_sub(2).max(area.y), height: 1.min(area.height), ..text };
    let shown = top + usize::from(text.height);
    let more = if shown < lines.len() { format!(" ({} more lines)", lines.len() - shown) } else { String::new() };
    put(canvas, foot, 0, vec![Span::styled(format!("{}{more}", page.foot), model.look.faint())]);
    let typed = page.typed?;
    let shown = typed.shown(usize::from(text.width), model.look.charset);
    let line = Rect { y: text.y + text.height.saturating_sub(1), height: 1.min(text.height), ..text };
    put(canvas, line, 0, vec![Span::raw(shown.rows.get(shown.cursor_row).cloned().unwrap_or_default())]);
    Some(at(line, shown.cursor_column, 0))
}

fn border(model: &Model, page: &Page, area: Rect, canvas: &mut Buffer) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let (look, signs) = (&model.look, &model.look.signs);
    let [top_left, top_right, bottom_left, bottom_right] = signs.corners;
    let inner = usize::from(area.width) - 2;
    let title = cut(&page.title, inner.saturating_sub(3), signs.more);
    let style = Style::new();
    let rest = inner.saturating_sub(width(&title) + 3);
    put(
        canvas,
        area,
        0,
        vec![
            Span::styled(format!("{top_left}{} ", signs.across.repeat(1.min(inner))), style),
            Span::styled(title, look.strong()),
            Span::styled(format!(" {}{top_right}", signs.across.repeat(rest)), style),
        ],
    );
    for row in 1..area.height - 1 {
        put(canvas, area, row, vec![Span::styled(signs.down, style)]);
        let right = Rect { x: area.right() - 1, width: 1, ..area };
        put(canvas, right, row, vec![Span::styled(signs.down, style)]);
    }
    let line = format!("{bottom_left}{}{bottom_right}", signs.across.repeat(inner));
    put(canvas, area, area.height - 1, vec![Span::styled(line, style)]);
}
