//! The typing line: a text of several lines with a cursor.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hob_client::command::TEXT_BYTES_MAX;
use unicode_segmentation::UnicodeSegmentation;

use super::super::text::{Charset, safe_line, width};

/// What is typed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// In bytes, between two clusters.
    cursor: usize,
}

/// A text as it is shown: its rows, and where the cursor is in them.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub rows: Vec<String>,
    pub cursor_row: usize,
    pub cursor_column: usize,
    /// Where each cluster begins: row, column, byte.
    places: Vec<(usize, usize, usize)>,
}

#[expect(clippy::string_slice, reason = "the cursor stands between two clusters: its type keeps it there")]
impl Line {
    /// With this in it, the cursor behind it.
    pub fn of(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Everything, and the line is empty.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Writes at the cursor; `false`: it would be more than a message holds, and nothing was written.
    ///
    /// What a terminal sends besides text (carriage returns, control characters) becomes line feeds, or goes.
    pub fn insert(&mut self, text: &str) -> bool {
        let clean: String = text
            .replace("\r\n", "\n")
            .chars()
            .map(|character| if character == '\r' { '\n' } else { character })
            .filter(|character| matches!(character, '\n' | '\t') || !character.is_control())
            .collect();
        if self.text.len() + clean.len() > TEXT_BYTES_MAX {
            return false;
        }
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
        // A mark that was typed joins the letter before it.
        while !self.is_between(self.cursor) {
            self.cursor += 1;
        }
        true
    }

    fn is_between(&self, at: usize) -> bool {
        at >= self.text.len() || self.text.grapheme_indices(true).any(|(start, _)| start == at)
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |cluster| self.cursor + cluster.len())
    }

    fn word_before(&self) -> usize {
        let mut words = self.text[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(start, _)| start)
    }

    fn word_after(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let word = rest.unicode_word_indices().next();
        word.map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
    }

    /// Does what editing keys do; `false`: not one of them. `columns`: how wide the line is shown.
    pub fn edit(&mut self, event: &KeyEvent, columns: usize) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        match event.code {
            KeyCode::Char('a') if ctrl => self.cursor = self.line_start(),
            KeyCode::Char('e') if ctrl => self.cursor = self.line_end(),
            KeyCode::Char('w') if ctrl => self.remove(self.word_before(), self.cursor),
            KeyCode::Char('u') if ctrl => self.remove(self.line_start(), self.cursor),
            KeyCode::Char('k') if ctrl => self.remove(self.cursor, self.line_end()),
            KeyCode::Char(character) if !ctrl && !alt => return self.insert(character.encode_utf8(&mut [0; 4])),
            KeyCode::Left if ctrl => self.cursor = self.word_before(),
            KeyCode::Right if ctrl => self.cursor = self.word_after(),
            KeyCode::Left if !alt => self.cursor = self.before(),
            KeyCode::Right if !alt => self.cursor = self.after(),
            KeyCode::Home => self.cursor = self.line_start(),
            KeyCode::End => self.cursor = self.line_end(),
            KeyCode::Backspace if ctrl || alt => self.remove(self.word_before(), self.cursor),
            KeyCode::Backspace => self.remove(self.before(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.after()),
            KeyCode::Up if !alt => return self.go_rows(-1, columns),
            KeyCode::Down if !alt => return self.go_rows(1, columns),
            _ => return false,
        }
        true
    }

    /// Up or down on the screen; `false`: there is no such row.
    fn go_rows(&mut self, by: isize, columns: usize) -> bool {
        let shown = self.shown(columns, Charset::Unicode);
        let Some(row) = shown.cursor_row.checked_add_signed(by).filter(|row| *row < shown.rows.len()) else {
            return false;
        };
        let in_row = shown.places.iter().filter(|(at, ..)| *at == row);
        let target = in_row.min_by_key(|(_, column, _)| column.abs_diff(shown.cursor_column));
        if let Some((.., byte)) = target {
            self.cursor = *byte;
        }
        true
    }

    /// How it looks so wide. What cannot be seen is shown escaped here, too.
    pub fn shown(&self, columns: usize, charset: Charset) -> Shown {
        let columns = columns.max(2);
        let mut shown = Shown { rows: vec![String::new()], cursor_row: 0, cursor_column: 0, places: Vec::new() };
        let mut column = 0;
        for (byte, cluster) in self.text.grapheme_indices(true) {
            if cluster == "\n" {
                shown.put(byte, column, self.cursor);
                shown.rows.push(String::new());
                column = 0;
                continue;
            }
            let safe = if cluster == "\t" { " ".to_owned() } else { safe_line(cluster, charset) };
            let mut pieces = safe.graphemes(true).peekable();
            if column + pieces.peek().map_or(0, |piece| width(piece)) > columns {
                shown.rows.push(String::new());
                column = 0;
            }
            shown.put(byte, column, self.cursor);
            for piece in pieces {
                if column + width(piece) > columns {
                    shown.rows.push(String::new());
                    column = 0;
                }
                column += width(piece);
                if let Some(row) = shown.rows.last_mut() {
                    row.push_str(piece);
                }
            }
        }
        if column >= columns {
            shown.rows.push(String::new());
            column = 0;
        }
        shown.put(self.text.len(), column, self.cursor);
        shown
    }
}

impl Shown {
    fn put(&mut self, byte: usize, column: usize, cursor: usize) {
        let row = self.rows.len() - 1;
        self.places.push((row, column, byte));
        if byte == cursor {
            (self.cursor_row, self.cursor_column) = (row, column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(line: &mut Line, code: KeyCode) -> bool {
        line.edit(&KeyEvent::new(code, KeyModifiers::NONE), 10)
    }

    #[test]
    fn clusters_are_typed_and_deleted_as_a_whole() {
        let mut line = Line::default();
        for character in "ae\u{301}日".chars() {
            assert!(press(&mut line, KeyCode::Char(character)));
        }
        assert!(press(&mut line, KeyCode::Backspace));
        assert!(press(&mut line, KeyCode::Backspace));
        assert_eq!(line.text(), "a");
        press(&mut line, KeyCode::Left);
        press(&mut line, KeyCode::Left);
        press(&mut line, KeyCode::Char('x'));
        assert_eq!(line.text(), "xa");
    }

    #[test]
    fn a_paste_keeps_its_lines_and_loses_what_only_a_terminal_obeys() {
        let mut line = Line::default();
        assert!(line.insert("one\r\ntwo\rthree\u{1b}[2J\u{9b}31m\tend"));
        assert_eq!(line.text(), "one\ntwo\nthree[2J31m\tend");
        assert!(!line.insert(&"x".repeat(TEXT_BYTES_MAX)), "more than a message holds");
        assert_eq!(line.text(), "one\ntwo\nthree[2J31m\tend", "and nothing of it was taken");
    }

    #[test]
    fn up_and_down_go_by_what_is_seen_and_say_when_there_is_no_row() {
        let mut line = Line::of("abcdefghijklm\nxy");
        assert_eq!(line.shown(10, Charset::Unicode).rows, ["abcdefghij", "klm", "xy"]);
        assert!(press(&mut line, KeyCode::Up));
        press(&mut line, KeyCode::Char('!'));
        assert_eq!(line.text(), "abcdefghijkl!m\nxy");
        assert!(press(&mut line, KeyCode::Up));
        assert!(!press(&mut line, KeyCode::Up));
        assert!(press(&mut line, KeyCode::Down));
        assert!(press(&mut line, KeyCode::Down));
        assert!(!press(&mut line, KeyCode::Down));
    }

    #[test]
    fn the_cursor_is_where_the_next_letter_goes() {
        let shown = |text: &str| {
            let shown = Line::of(text).shown(4, Charset::Unicode);
            (shown.rows.len(), shown.cursor_row, shown.cursor_column)
        };
        assert_eq!(shown(""), (1, 0, 0));
        assert_eq!(shown("abc"), (1, 0, 3));
        assert_eq!(shown("abcd"), (2, 1, 0));
        assert_eq!(shown("日本"), (2, 1, 0));
        assert_eq!(shown("a\n"), (2, 1, 0));
        let hostile = Line::of("\u{202e}").shown(4, Charset::Unicode);
        assert_eq!(hostile.rows.concat(), "\\u{202e}");
    }

    #[test]
    fn words_and_lines_can_be_taken_away() {
        let mut line = Line::of("supper at eight\nbring bread");
        line.edit(&KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL), 40);
        assert_eq!(line.text(), "supper at eight\nbring ");
        line.edit(&KeyEvent::new(KeyCode::Char('a'), KeyModifiers::CONTROL), 40);
        line.edit(&KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL), 40);
        assert_eq!(line.text(), "supper at eight\n");
    }
}
