//! Texts of others on a screen or a page: nothing in them may move the cursor, reorder a line or hide.

/// Shows control, bidi, zero-width and other invisible characters escaped, as `\u{202e}`; line feeds and tabs stay: for
/// a message's text.
pub fn escape(text: &str) -> String {
    escape_with(text, |character| matches!(character, '\n' | '\t'))
}

/// As [`escape`], with line feeds and tabs escaped, too: for names, and for what must stay on one line.
pub fn escape_line(text: &str) -> String {
    escape_with(text, |_| false)
}

fn escape_with(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if stays(character) || !is_deceptive(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// Whether a character does something other than being seen.
pub fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Soft hyphen, Arabic letter mark, Mongolian vowel separator, Hangul fillers.
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            // Zero-width characters, directional marks, line and paragraph separator, bidi embeddings and overrides
            // (Unicode Standard Annex 9, section 2).
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            // Word joiner, invisible operators, bidi isolates, deprecated format characters.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotation, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_clear_the_screen_or_turn_a_line_around() {
        assert_eq!(escape("\u{1b}[2Jhi"), "\\u{1b}[2Jhi");
        assert_eq!(escape("gnp.\u{202e}exe"), "gnp.\\u{202e}exe");
        assert_eq!(escape("a\r\u{7}\u{200b}b"), "a\\u{d}\\u{7}\\u{200b}b");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m", "the one-character form of an escape sequence");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["süpper at 8?\n\tyes", "日本語", "שלום", "🦀 é"] {
            assert_eq!(escape(text), text);
        }
        assert_eq!(escape_line("a\nb\tc"), "a\\u{a}b\\u{9}c", "a name has one line");
    }
}
