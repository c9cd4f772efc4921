//! A message as a line for people, or as an object for programs.

use hob_client::display::{escape, escape_line};
use hob_client::{Direction, Message, MessageStatus, Quoted};
use serde::Serialize;
use serde_json::{Value, json};

use super::time;

/// Characters of a quoted message in a line.
const QUOTE_CHARS: usize = 60;

/// "bob  17:42  supper at eight"; further lines of the text are indented, so that none looks like a message of its own.
pub fn received_line(message: &Message, now_ms: u64) -> String {
    line(&escape_line(&message.contact), message, now_ms)
}

/// As [`received_line`] for both directions; one's own messages say how they stand.
pub fn history_line(message: &Message, now_ms: u64) -> String {
    match message.direction {
        Direction::Received => received_line(message, now_ms),
        Direction::Sent => {
            let names: Vec<String> = message.devices.iter().map(|name| escape_line(name)).collect();
            let devices = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            let status = status(&message.status, &message.contact, now_ms);
            format!("{}  ({status}{devices})", line("you", message, now_ms))
        }
    }
}

fn line(name: &str, message: &Message, now_ms: u64) -> String {
    let head = format!("{name}  {}  ", time::clock(message.sent_at_ms, now_ms));
    let indent = format!("\n{}", " ".repeat(head.chars().count()));
    let quote = message.quote.as_ref().map(|quote| format!("{}{indent}", quote_line(quote, &message.contact)));
    format!("{head}{}{}", quote.unwrap_or_default(), escape(&message.text).replace('\n', &indent))
}

/// "> bob: when do we eat?": the message that is answered, on one line.
fn quote_line(quote: &Quoted, contact: &str) -> String {
    let by = match quote.by {
        Some(Direction::Sent) => "you".to_owned(),
        Some(Direction::Received) => escape_line(contact),
        None => "not in this history".to_owned(),
    };
    let first_line = quote.excerpt.lines().next().unwrap_or_default();
    let escaped = escape_line(first_line);
    let shown: String = escaped.chars().take(QUOTE_CHARS).collect();
    let is_whole = !shown.is_empty() && shown == escaped && first_line.len() == quote.excerpt.len();
    let more = if is_whole { "" } else { "…" };
    format!("> {by}: {shown}{more}")
}

/// What a program gets of a quote.
fn quote_object(quote: &Quoted) -> Value {
    let by = quote.by.map(direction);
    json!({ "id": quote.id.to_string(), "by": by, "excerpt": quote.excerpt })
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Received => "received",
        Direction::Sent => "sent",
    }
}

/// "delivered", "kept until 17:42", "given up: bob has not been seen since Tuesday", …
pub fn status(status: &MessageStatus, contact: &str, now_ms: u64) -> String {
    match status {
        MessageStatus::Delivered => "delivered".to_owned(),
        MessageStatus::Kept { until_ms, sent_again } => {
            format!("kept until {}{}", time::clock(*until_ms, now_ms), times_again(*sent_again))
        }
        MessageStatus::Offered { until_ms } => {
            format!("passed on, and never kept; confirmed by {}, or not delivered", time::clock(*until_ms, now_ms))
        }
        MessageStatus::Outbox { why, retry_at_ms, sent_again: _ } => {
            let again =
                retry_at_ms.map_or_else(String::new, |at| format!("; tried again at {}", time::clock(at, now_ms)));
            format!("in the outbox: {}{again}", why.text())
        }
        MessageStatus::Refused { why } => format!("refused: {why}"),
        MessageStatus::Expired => "expired without being confirmed".to_owned(),
        MessageStatus::GivenUp { last_seen_ms } => {
            let contact = escape_line(contact);
            match last_seen_ms {
                Some(at) => format!("given up: {contact} has not been seen since {}", time::recent_day(*at, now_ms)),
                None => format!("given up: {contact} has never been seen"),
            }
        }
        MessageStatus::NobodyThere => "not delivered, nobody was there (strict)".to_owned(),
    }
}

fn times_again(sent_again: u32) -> String {
    match sent_again {
        0 => String::new(),
        1 => "; it expired once before and was sent again".to_owned(),
        times => format!("; it expired {times} times before and was sent again"),
    }
}

/// How often it expired at the box and went out again, as far as that still matters.
pub const fn sent_again(status: &MessageStatus) -> u32 {
    match status {
        MessageStatus::Kept { sent_again, .. } | MessageStatus::Outbox { sent_again, .. } => *sent_again,
        _ => 0,
    }
}

/// One word for programs.
pub const fn status_word(status: &MessageStatus) -> &'static str {
    match status {
        MessageStatus::Delivered => "delivered",
        MessageStatus::Kept { .. } => "kept",
        MessageStatus::Outbox { .. } => "outbox",
        MessageStatus::Refused { .. } => "refused",
        MessageStatus::Expired => "expired",
        MessageStatus::Offered { .. } => "offered",
        MessageStatus::GivenUp { .. } => "given up",
        MessageStatus::NobodyThere => "nobody there",
    }
}

/// A line of `receive --json`.
#[derive(Serialize)]
pub struct ReceivedObject<'a> {
    from: &'a str,
    text: &'a str,
    path: &'static str,
    sent_at: String,
    id: String,
    verified: bool,
    view_once: bool,
    expires_at: Option<String>,
    reply_to: Option<Value>,
}

impl<'a> ReceivedObject<'a> {
    /// Of a message. The text is as its writer wrote it: JSON escapes what is not printable by itself.
    pub fn of(message: &'a Message) -> Self {
        Self {
            from: &message.contact,
            text: &message.text,
            path: message.path.as_str(),
            sent_at: time::rfc3339(message.sent_at_ms),
            id: message.id.to_string(),
            verified: message.verified,
            view_once: message.view_once,
            expires_at: message.expires_at_ms.map(time::rfc3339),
            reply_to: message.quote.as_ref().map(quote_object),
        }
    }
}

/// A line of `history --json`.
#[derive(Serialize)]
pub struct HistoryObject<'a> {
    contact: &'a str,
    direction: &'static str,
    text: &'a str,
    path: &'static str,
    sent_at: String,
    id: String,
    status: &'static str,
    devices: &'a [String],
    sent_again: u32,
    expires_at: Option<String>,
    reply_to: Option<Value>,
}

impl<'a> HistoryObject<'a> {
    /// Of a message.
    pub fn of(message: &'a Message) -> Self {
        Self {
            contact: &message.contact,
            direction: direction(message.direction),
            text: &message.text,
            path: message.path.as_str(),
            sent_at: time::rfc3339(message.sent_at_ms),
            id: message.id.to_string(),
            status: status_word(&message.status),
            devices: &message.devices,
            sent_again: sent_again(&message.status),
            expires_at: message.expires_at_ms.map(time::rfc3339),
            reply_to: message.quote.as_ref().map(quote_object),
        }
    }
}

#[cfg(test)]
mod tests {
    use hob_client::{MessageId, Path};

    use super::*;

    fn message(text: &str) -> Message {
        Message {
            id: MessageId([1; 16]),
            contact: "bob".to_owned(),
            verified: false,
            direction: Direction::Received,
            text: text.to_owned(),
            sent_at_ms: 1_795_282_920_000,
            expires_at_ms: None,
            view_once: false,
            quote: None,
            path: Path::Box,
            status: MessageStatus::Delivered,
            devices: Vec::new(),
        }
    }

    #[test]
    fn a_message_of_two_lines_cannot_pass_for_two_messages() {
        let message = message("hi\nada  17:43  I quit");
        let line = received_line(&message, message.sent_at_ms);
        let second = line.lines().nth(1).unwrap();
        assert!(second.starts_with("            ada"), "{line:?}");
    }

    #[test]
    fn what_was_given_up_names_the_day_on_which_the_contact_was_seen_last() {
        let now_ms = 1_795_282_920_000;
        let given_up = |last_seen_ms| status(&MessageStatus::GivenUp { last_seen_ms }, "bob", now_ms);
        let seen = given_up(Some(now_ms - 4 * 86_400_000));
        assert_eq!(seen, "given up: bob has not been seen since Tuesday");
        assert_eq!(given_up(Some(now_ms - 14 * 86_400_000)), "given up: bob has not been seen since 2026-11-07");
        assert_eq!(given_up(None), "given up: bob has never been seen");
        assert_eq!(status(&MessageStatus::NobodyThere, "bob", 0), "not delivered, nobody was there (strict)");
    }

    #[test]
    fn control_and_bidi_characters_of_a_message_are_shown_and_not_obeyed() {
        let message = message("\u{1b}]0;owned\u{7}\u{202e}");
        let line = received_line(&message, message.sent_at_ms);
        assert!(line.ends_with("\\u{1b}]0;owned\\u{7}\\u{202e}"), "{line:?}");
    }

    #[test]
    fn a_quote_is_one_line_that_says_who_wrote_it() {
        let quote =
            Quoted { id: MessageId([2; 16]), by: Some(Direction::Sent), excerpt: "when\u{1b}[2J\nnow?".to_owned() };
        let message = Message { quote: Some(quote), ..message("at eight") };
        let line = received_line(&message, message.sent_at_ms);
        assert!(line.ends_with("> you: when\\u{1b}[2J…\n            at eight"), "{line:?}");
    }

    #[test]
    fn programs_get_the_fields_that_the_help_names() {
        let object = serde_json::to_value(ReceivedObject::of(&message("hi"))).unwrap();
        let names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        let documented = ["expires_at", "from", "id", "path", "reply_to", "sent_at", "text", "verified", "view_once"];
        assert_eq!(names, documented);
        assert_eq!((&object["from"], &object["path"]), (&"bob".into(), &"box".into()));
    }
}
