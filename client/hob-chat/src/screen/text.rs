//! Texts made ready for a screen: nothing in them can move a cursor, and their width in cells is known.
//!
//! Terminals disagree about the width of joined emoji. So variation selectors and skin tones are left out, zero-width
//! joiners between emoji, too; elsewhere these are shown escaped like every invisible character, and what is left is as wide everywhere as it is here.

use std::borrow::Cow;

use hob_client::display::{escape, escape_line};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Marks above one another on one letter: more climb into other lines.
const MARKS_MAX: usize = 3;
/// A tab in cells.
const TAB: &str = "    ";

/// What can be shown at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Everything visible.
    Unicode,
    /// ASCII alone: everything else is shown by its number.
    Ascii,
}

/// A text of several lines made safe. Line feeds stay.
pub fn safe(text: &str, charset: Charset) -> String {
    settle(&escape(&apart(text)).replace('\t', TAB), charset)
}

/// As [`safe`], for one line: line feeds are shown escaped.
pub fn safe_line(text: &str, charset: Charset) -> String {
    settle(&escape_line(&apart(text)), charset)
}

/// Emoji that are joined into one are shown side by side: the joiner between them hides nothing.
fn apart(text: &str) -> Cow<'_, str> {
    const JOINER: char = '\u{200d}';
    if !text.contains(JOINER) {
        return Cow::Borrowed(text);
    }
    let mut apart = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let joins = character == JOINER && is_emoji(before) && characters.peek().copied().is_some_and(is_emoji);
        if !joins {
            apart.push(character);
        }
        if !is_emoji_style(character) {
            before = character;
        }
    }
    Cow::Owned(apart)
}

const fn is_emoji(character: char) -> bool {
    matches!(character, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

const fn is_emoji_style(character: char) -> bool {
    matches!(character, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

fn settle(escaped: &str, charset: Charset) -> String {
    let mut settled = String::with_capacity(escaped.len());
    let mut marks = 0;
    let mut at_start = true;
    for character in escaped.chars() {
        if charset == Charset::Ascii && !character.is_ascii() {
            settled.extend(character.escape_unicode());
            continue;
        }
        if matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0100}'..='\u{e01ef}') {
            continue;
        }
        let is_mark = character != '\n' && character.width().unwrap_or(0) == 0;
        marks = if is_mark { marks + 1 } else { 0 };
        if marks > MARKS_MAX {
            continue;
        }
        if is_mark && at_start {
            // A mark of its own line must not land on what stands left of it.
            settled.push('\u{25cc}');
        }
        settled.push(character);
        at_start = character == '\n';
    }
    settled
}

/// In cells.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most this wide; what is cut ends in the sign for more.
pub fn cut(text: &str, columns: usize, more: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(width(more));
    let mut cut = String::new();
    let mut used = 0;
    for cluster in text.graphemes(true) {
        let wide = width(cluster);
        if used + wide > room {
            break;
        }
        used += wide;
        cut.push_str(cluster);
    }
    if columns >= width(more) {
        cut.push_str(more);
    }
    cut
}

/// Lines at most this wide, broken at spaces where there are any; at most `lines_max`, and whether that was all.
pub fn wrap(text: &str, columns: usize, lines_max: usize) -> (Vec<String>, bool) {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, columns, lines_max, &mut lines);
        if lines.len() > lines_max {
            lines.truncate(lines_max);
            return (lines, false);
        }
    }
    (lines, true)
}

fn wrap_paragraph(paragraph: &str, columns: usize, lines_max: usize, lines: &mut Vec<String>) {
    let (mut line, mut used) = (String::new(), 0);
    for word in paragraph.split_word_bounds() {
        if lines.len() > lines_max {
            return;
        }
        let wide = width(word);
        if used + wide <= columns {
            line.push_str(word);
            used += wide;
            continue;
        }
        if word.chars().all(char::is_whitespace) {
            // The space at which a line breaks is not shown.
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        if used > 0 && wide <= columns {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            line.push_str(word);
            used = wide;
            continue;
        }
        for cluster in word.graphemes(true) {
            let wide = width(cluster);
            if used + wide > columns && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
                if lines.len() > lines_max {
                    return;
                }
            }
            line.push_str(cluster);
            used += wide;
        }
    }
    lines.push(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_wider_or_higher_than_it_says() {
        let safe = |text: &str| safe(text, Charset::Unicode);
        assert_eq!(safe("a\u{1b}[2J\tb"), "a\\u{1b}[2J    b");
        assert_eq!(safe("\u{202e}x"), "\\u{202e}x");
        assert_eq!(safe("❤\u{fe0f} 👍\u{1f3fd}"), "❤ 👍");
        assert_eq!(safe(&format!("z{}!", "\u{301}".repeat(50))), format!("z{}!", "\u{301}".repeat(3)));
        assert_eq!(safe("👩\u{1f3fd}\u{200d}🚀 ❤\u{fe0f}\u{200d}🔥 a\u{200d}b"), "👩🚀 ❤🔥 a\\u{200d}b");
        assert_eq!(safe("\u{301}a"), "\u{25cc}\u{301}a");
        assert_eq!(safe_line("a\nb", Charset::Unicode), "a\\u{a}b");
        assert_eq!(super::safe("süß", Charset::Ascii), "s\\u{fc}\\u{df}");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_where_they_must() {
        let wrap = |text: &str, columns| wrap(text, columns, 100).0;
        assert_eq!(wrap("supper at eight", 10), ["supper at", "eight"]);
        assert_eq!(wrap("abcdefghijkl", 5), ["abcde", "fghij", "kl"]);
        assert_eq!(wrap("日本語です", 4), ["日本", "語で", "す"]);
        assert_eq!(wrap("a\n\nb", 9), ["a", "", "b"]);
        assert_eq!(wrap("", 9), [""]);
    }

    #[test]
    fn no_line_is_wider_than_it_may_be_whatever_the_text() {
        for text in
            ["日本語 text with 漢字 in it", "a b c d e f g", &"x".repeat(300), "  leading and  inner   spaces  "]
        {
            for columns in 2..40 {
                for line in wrap(text, columns, 1000).0 {
                    assert!(width(&line) <= columns, "{line:?} in {columns}");
                }
            }
        }
    }

    #[test]
    fn a_long_text_costs_only_the_lines_that_are_shown() {
        let (lines, whole) = wrap(&"x".repeat(60_000), 60, 30);
        assert_eq!((lines.len(), whole), (30, false));
        let (lines, whole) = wrap(&"\n".repeat(60_000), 60, 30);
        assert_eq!((lines.len(), whole), (30, false));
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("supper", 6, "…"), "supper");
        assert_eq!(cut("supper", 4, "…"), "sup…");
        assert_eq!(cut("日本語", 4, "…"), "日…");
        assert_eq!(cut("supper", 0, "…"), "");
    }
}
