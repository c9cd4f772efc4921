//! Where everything is on a screen of some size. Nothing here panics, however small the screen.

use ratatui::layout::Rect;

/// Fewer columns than this show one pane at a time.
pub const NARROW: u16 = 60;

/// The parts of the screen; those for which there is no room are empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub is_narrow: bool,
    /// Title of the list, the line under it, the list.
    pub list_title: Rect,
    pub list: Rect,
    /// The line between the panes, from top to bottom.
    pub between: Rect,
    /// Title of the conversation.
    pub talk_title: Rect,
    /// The line under the titles, over the whole width.
    pub title_line: Rect,
    pub history: Rect,
    /// The line above what is typed.
    pub typing_line: Rect,
    pub typing: Rect,
    /// The line above the status.
    pub status_line: Rect,
    pub status: Rect,
}

/// Which pane a narrow screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    List,
    Talk,
}

/// How wide the list is.
const fn list_width(columns: u16) -> u16 {
    match columns {
        0..NARROW => columns,
        NARROW..100 => 22,
        _ => 28,
    }
}

/// How wide what is typed is shown, and the history.
pub fn talk_width(columns: u16) -> u16 {
    if columns < NARROW { columns } else { columns - list_width(columns) - 1 }.saturating_sub(2)
}

impl Geometry {
    /// Of a screen so large, with so many rows typed.
    pub fn of((columns, rows): (u16, u16), pane: Pane, typed_rows: usize) -> Self {
        let is_narrow = columns < NARROW;
        let title = u16::from(rows >= 4);
        let title_line = u16::from(rows >= 8);
        let status = u16::from(rows >= 3);
        let status_line = u16::from(rows >= 12);
        let above_typing = u16::from(rows >= 6);
        let typing = u16::try_from(typed_rows).unwrap_or(u16::MAX).clamp(1, (rows / 3).clamp(1, 8)).min(rows);
        let top = title + title_line;
        let bottom = rows.saturating_sub(status + status_line);
        let history = bottom.saturating_sub(top + above_typing + typing);
        let (list_at, talk_at) = match (is_narrow, pane) {
            (true, Pane::List) => (Some((0, columns)), None),
            (true, Pane::Talk) => (None, Some((0, columns))),
            (false, _) => {
                let left = list_width(columns);
                (Some((0, left)), Some((left + 1, columns - left - 1)))
            }
        };
        let rect = |at: Option<(u16, u16)>, y, height| match at {
            Some((x, width)) => Rect { x, y, width, height },
            None => Rect::ZERO,
        };
        let whole = Some((0, columns));
        let between = (!is_narrow).then(|| (list_width(columns), 1));
        Self {
            is_narrow,
            list_title: rect(list_at, 0, title),
            list: rect(list_at, top, bottom.saturating_sub(top)),
            between: rect(between, 0, bottom),
            talk_title: rect(talk_at, 0, title),
            title_line: rect(whole, title, title_line),
            history: rect(talk_at, top, history),
            typing_line: rect(talk_at, top + history, above_typing),
            typing: rect(talk_at, bottom.saturating_sub(typing), typing),
            status_line: rect(whole, bottom, status_line),
            status: rect(whole, bottom + status_line, status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_lies_on_the_screen_whatever_its_size() {
        for columns in 0..130 {
            for rows in 0..40 {
                for pane in [Pane::List, Pane::Talk] {
                    for typed in [0, 1, 5, 5000] {
                        let screen = Rect { x: 0, y: 0, width: columns, height: rows };
                        let parts = Geometry::of((columns, rows), pane, typed);
                        for part in [parts.list_title, parts.list, parts.between, parts.talk_title, parts.title_line]
                            .into_iter()
                            .chain([parts.history, parts.typing_line, parts.typing, parts.status_line, parts.status])
                        {
                            assert!(part.is_empty() || part.intersection(screen) == part, "{part:?} in {screen:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_usual_screen_has_everything_and_no_two_parts_overlap() {
        let parts = Geometry::of((80, 24), Pane::Talk, 3);
        assert_eq!((parts.list.width, parts.history.width, parts.typing.height), (22, 57, 3));
        assert_eq!(parts.title_line.y + 1, parts.history.y);
        assert_eq!(parts.history.bottom(), parts.typing_line.y);
        assert_eq!(parts.typing.bottom(), parts.status_line.y);
        assert_eq!(parts.status.y, 23);
    }
}
