//! The history as rows of a screen: day lines, senders, times, quotes, marks, what happened in between.

use super::super::look::Look;
use super::super::talk::{Mark, MessageRow};
use super::super::text::{cut, safe, safe_line, width, wrap};
use crate::show::time;

/// A message longer than this shows its beginning; its details show all of it.
const ROWS_MAX: usize = 24;
/// The widest that the senders' column gets.
const NAME_COLUMNS: usize = 10;
/// Fewer columns than this give the sender a row of its own.
const COLUMN_LAYOUT: usize = 44;
/// Left for what shows that a message is chosen, right for its mark.
const LEFT: usize = 1;
const RIGHT: usize = 3;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line with the day in it.
    Day,
    /// A line above what was not read yet.
    New,
    /// Sender and time, where they have a row of their own.
    Head,
    Text,
    Quote,
    /// About a message.
    Faint,
    Notice,
    Loud,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Of which message: its place in the conversation; and its id on its first row.
    pub message: Option<usize>,
    pub id: Option<String>,
    pub kind: Kind,
    /// "17:42", on a message's first row.
    pub time: String,
    /// The sender, where it is to be said, and whether it is this member.
    pub name: Option<(String, bool)>,
    /// Columns left of the text.
    pub indent: usize,
    pub text: String,
    pub mark: Option<Mark>,
}

/// Something that happened, in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    pub at_ms: u64,
    pub text: String,
    pub loud: bool,
}

/// What is laid out.
pub struct Talk<'a> {
    pub contact: &'a str,
    pub messages: &'a [MessageRow],
    pub notices: &'a [NoticeRow],
    /// The first message that was not read when the conversation was opened.
    pub new_from: Option<&'a str>,
    /// A view-once message that is open: id, text.
    pub uncovered: Option<(&'a str, &'a str)>,
    pub has_more: bool,
}

struct Layout<'a> {
    talk: &'a Talk<'a>,
    look: &'a Look,
    now_ms: u64,
    columns: usize,
    is_wide: bool,
    name_columns: usize,
    rows: Vec<Row>,
}

/// All rows, the oldest first.
pub fn lay_out(talk: &Talk<'_>, look: &Look, columns: usize, now_ms: u64) -> Vec<Row> {
    let contact = safe_line(talk.contact, look.charset);
    let mut layout = Layout {
        talk,
        look,
        now_ms,
        columns,
        is_wide: columns >= COLUMN_LAYOUT,
        name_columns: width(&contact).clamp(3, NAME_COLUMNS),
        rows: Vec::new(),
    };
    layout.all(&contact);
    layout.rows
}

impl Layout<'_> {
    fn all(&mut self, contact: &str) {
        if self.talk.has_more {
            self.line(Kind::Faint, "older messages: PgUp");
        }
        let mut day = String::new();
        let mut last_head: Option<(bool, String)> = None;
        let mut notices = self.talk.notices.iter().peekable();
        for (at, message) in self.talk.messages.iter().enumerate() {
            while let Some(notice) = notices.next_if(|notice| notice.at_ms < message.sent_at_ms) {
                self.notice(notice);
                last_head = None;
            }
            let today = time::day_line(message.sent_at_ms, self.now_ms);
            if today != day {
                if !self.rows.is_empty() {
                    self.line(Kind::Text, "");
                }
                self.line(Kind::Day, &today);
                day = today;
                last_head = None;
            }
            if self.talk.new_from == Some(message.id.as_str()) {
                self.line(Kind::New, "new");
                last_head = None;
            }
            let minute = time::minute(message.sent_at_ms);
            let says_name = last_head.as_ref().is_none_or(|(sent, _)| *sent != message.sent);
            let same_minute = last_head.as_ref().is_some_and(|(_, before)| *before == minute);
            let name = says_name.then(|| if message.sent { "you".to_owned() } else { contact.to_owned() });
            self.message(at, message, &minute, name, same_minute);
            last_head = Some((message.sent, minute));
        }
        for notice in notices {
            self.notice(notice);
        }
    }

    fn message(&mut self, at: usize, message: &MessageRow, minute: &str, name: Option<String>, same_minute: bool) {
        let first = self.rows.len();
        let indent = if self.is_wide { LEFT + 6 + self.name_columns + 2 } else { LEFT + 1 };
        let columns = self.columns.saturating_sub(indent + RIGHT).max(2);
        if !self.is_wide && (name.is_some() || !same_minute) {
            self.push(at, Kind::Head, 0, String::new());
            if let Some(row) = self.rows.last_mut() {
                row.time = minute.to_owned();
                row.name = name.clone().map(|name| (name, message.sent));
            }
        }
        let body = self.rows.len();
        if let Some(quote) = &message.quote {
            let by = match quote.sent {
                Some(true) => "you".to_owned(),
                Some(false) => safe_line(self.talk.contact, self.look.charset),
                None => "not in this history".to_owned(),
            };
            let first_line = quote.excerpt.lines().next().unwrap_or_default();
            let excerpt = safe_line(first_line, self.look.charset);
            let text = if excerpt.is_empty() { by } else { format!("{by}: {excerpt}") };
            let text = cut(&format!("{}{text}", self.look.signs.quoted), columns, self.look.signs.more);
            self.push(at, Kind::Quote, indent, text);
        }
        self.text(at, message, indent, columns);
        let (now_ms, is_wide) = (self.now_ms, self.is_wide);
        if let Some(expires_ms) = message.expires_at_ms {
            let text = format!("gone at {}", time::clock(expires_ms, now_ms));
            self.push(at, Kind::Faint, indent, cut(&text, columns, self.look.signs.more));
        }
        if matches!(message.mark, Some(Mark::Outbox | Mark::Again | Mark::GivenUp)) {
            let (lines, _) = wrap(&message.standing, columns, 3);
            for line in lines {
                self.push(at, Kind::Faint, indent, line);
            }
        }
        if let Some(row) = self.rows.get_mut(body).filter(|_| is_wide) {
            row.time = minute.to_owned();
            row.name = name.map(|name| (cut(&name, NAME_COLUMNS, "…"), message.sent));
        }
        if let Some(row) = self.rows.get_mut(first) {
            row.id = Some(message.id.clone());
        }
        // The mark stands where the text ends, above what is said about it.
        let ends = self.rows.iter().skip(first).rposition(|row| row.kind == Kind::Text).map(|at| first + at);
        if let Some(row) = ends.and_then(|at| self.rows.get_mut(at)) {
            row.mark = message.mark;
        }
    }

    fn text(&mut self, at: usize, message: &MessageRow, indent: usize, columns: usize) {
        if message.view_once {
            let uncovered = self.talk.uncovered.filter(|(id, _)| *id == message.id);
            let text = match uncovered {
                Some((_, text)) => safe(text, self.look.charset),
                None if message.sent => "(shown once)".to_owned(),
                None => "(shown once: Alt-Up chooses it, o opens it)".to_owned(),
            };
            let kind = if uncovered.is_some() { Kind::Loud } else { Kind::Text };
            for line in wrap(&text, columns, ROWS_MAX).0 {
                self.push(at, kind, indent, line);
            }
            if uncovered.is_some() {
                self.push(at, Kind::Faint, indent, "gone as soon as you go on".to_owned());
            }
            return;
        }
        let (lines, is_whole) = wrap(&safe(&message.text, self.look.charset), columns, ROWS_MAX);
        for line in lines {
            self.push(at, Kind::Text, indent, line);
        }
        if !is_whole {
            self.push(at, Kind::Faint, indent, "goes on: Alt-Up chooses it, Enter shows all".to_owned());
        }
    }

    fn notice(&mut self, notice: &NoticeRow) {
        let kind = if notice.loud { Kind::Loud } else { Kind::Notice };
        let sign = self.look.signs.notice;
        let text = safe_line(&notice.text, self.look.charset);
        let (lines, _) = wrap(&text, self.columns.saturating_sub(LEFT + 4), if notice.loud { 6 } else { 2 });
        for (number, line) in lines.into_iter().enumerate() {
            let text = if number == 0 { format!("{sign} {line}") } else { format!("  {line}") };
            self.rows.push(Row { indent: LEFT, ..bare(kind, text) });
        }
    }

    fn line(&mut self, kind: Kind, text: &str) {
        self.rows.push(bare(kind, text.to_owned()));
    }

    fn push(&mut self, message: usize, kind: Kind, indent: usize, mut text: String) {
        if kind == Kind::Faint {
            text = cut(&text, self.columns.saturating_sub(indent), self.look.signs.more);
        }
        self.rows.push(Row { message: Some(message), indent, ..bare(kind, text) });
    }
}

const fn bare(kind: Kind, text: String) -> Row {
    Row { message: None, id: None, kind, time: String::new(), name: None, indent: 0, text, mark: None }
}

#[cfg(test)]
mod tests {
    use super::super::super::text::Charset;
    use super::*;

    const NOON: u64 = 1_795_262_400_000;

    fn message(id: &str, sent: bool, text: &str, minutes: u64) -> MessageRow {
        let mark = sent.then_some(Mark::Delivered);
        let sent_at_ms = NOON + minutes * 60_000;
        MessageRow { id: id.to_owned(), sent, text: text.to_owned(), sent_at_ms, mark, ..MessageRow::default() }
    }

    fn rows(messages: &[MessageRow], notices: &[NoticeRow], columns: usize) -> Vec<Row> {
        let talk = Talk { contact: "bob", messages, notices, new_from: None, uncovered: None, has_more: false };
        lay_out(&talk, &Look::new(Charset::Unicode, false, false), columns, NOON + 3_600_000)
    }

    #[test]
    fn a_day_is_named_once_and_a_sender_when_it_changes() {
        let messages =
            [message("1", false, "soup?", 0), message("2", false, "at eight", 1), message("3", true, "yes", 2)];
        let rows = rows(&messages, &[], 60);
        assert_eq!(
            rows.iter().map(|row| row.kind).collect::<Vec<_>>(),
            [Kind::Day, Kind::Text, Kind::Text, Kind::Text]
        );
        let names: Vec<_> = rows.iter().map(|row| row.name.as_ref().map(|(name, _)| name.as_str())).collect();
        assert_eq!(names, [None, Some("bob"), None, Some("you")]);
        assert_eq!(rows[3].mark, Some(Mark::Delivered));
    }

    #[test]
    fn no_row_is_wider_than_the_screen_however_narrow_and_hostile() {
        let texts =
            ["\u{202e}\u{1b}[2J evil\n\n\ttab", &"日本".repeat(500), &"w ".repeat(900), "z\u{301}\u{301}\u{301}"];
        for columns in 1..100 {
            let messages: Vec<_> = texts.iter().map(|text| message("1", true, text, 0)).collect();
            let notice = NoticeRow { at_ms: NOON, text: "x\u{1b}".repeat(100), loud: true };
            for row in rows(&messages, &[notice], columns.max(12)) {
                assert!(row.indent + width(&row.text) <= columns.max(12), "{row:?} in {columns}");
                assert!(!row.text.chars().any(char::is_control), "{row:?}");
            }
        }
    }

    #[test]
    fn a_message_of_60_kilobytes_takes_a_screen_and_not_a_thousand() {
        let rows = rows(&[message("1", false, &"x".repeat(60_000), 0)], &[], 60);
        assert!(rows.len() < 30, "{}", rows.len());
        assert!(rows.last().unwrap().text.contains("Enter shows all"));
    }

    #[test]
    fn what_happened_stands_between_the_messages_before_and_after() {
        let messages = [message("1", false, "one", 0), message("2", false, "two", 10)];
        let notice = NoticeRow { at_ms: NOON + 300_000, text: "bob has a new device".to_owned(), loud: false };
        let rows = rows(&messages, &[notice], 60);
        assert!(rows[2].text.contains("new device") && rows[3].text == "two", "{rows:?}");
        assert!(rows[3].name.is_some(), "the sender is said again");
    }

    #[test]
    fn a_message_shown_once_is_covered_until_it_is_opened() {
        let covered = MessageRow { view_once: true, ..message("1", false, "", 0) };
        let look = Look::new(Charset::Unicode, false, false);
        let messages = [covered];
        let mut talk = Talk {
            contact: "bob",
            messages: &messages,
            notices: &[],
            new_from: None,
            uncovered: None,
            has_more: false,
        };
        let text =
            |talk: &Talk<'_>| lay_out(talk, &look, 60, NOON).iter().map(|row| row.text.clone()).collect::<String>();
        assert!(text(&talk).contains("o opens it"));
        talk.uncovered = Some(("1", "4711"));
        assert!(text(&talk).contains("4711"));
    }
}
