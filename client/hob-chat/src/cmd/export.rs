//! `export bob`: the whole conversation as Markdown. What people wrote stays text: nothing of it becomes markup.

use hob_client::display::{escape, escape_line};
use hob_client::{Contact, Direction, Message};
use serde_json::json;

use crate::engine::now_ms;
use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::message::status;
use crate::show::time;

/// Writes it to stdout.
pub async fn run(session: &Session, name: &str) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let (contact, messages) = session.ask(|client, now| {
        let messages = client.history(now, name, usize::MAX)?;
        let contact =
            client.contact(name).ok_or_else(|| hob_client::CommandError::NoSuchContact { name: name.to_owned() })?;
        Ok::<_, hob_client::CommandError>((contact, messages))
    })?;
    let markdown = markdown(&contact, &messages, now_ms());
    if session.out.json() {
        session.out.object(&json!({ "name": name, "messages": messages.len(), "markdown": markdown }))?;
    } else {
        session.out.line(markdown.trim_end())?;
    }
    Ok(Ending::Fine)
}

fn markdown(contact: &Contact, messages: &[Message], now_ms: u64) -> String {
    let trust = if contact.verified { "compared" } else { "not compared" };
    let mut text = format!(
        "# {}\n\nWritten on {}; {} messages; the safety number was {trust}.\n",
        plain(&escape_line(&contact.name)),
        time::day(now_ms),
        messages.len(),
    );
    let mut day = String::new();
    for message in messages {
        let today = time::day(message.sent_at_ms);
        if today != day {
            text.push_str(&format!("\n## {today}\n"));
            day = today;
        }
        text.push_str(&paragraph(message, now_ms));
    }
    text
}

/// Who and when, then what was written as a quotation: so none of its lines can pass for a heading or another message.
fn paragraph(message: &Message, now_ms: u64) -> String {
    let (who, standing) = match message.direction {
        Direction::Received => (plain(&escape_line(&message.contact)), String::new()),
        Direction::Sent => {
            ("you".to_owned(), format!(" ({})", plain(&status(&message.status, &message.contact, now_ms))))
        }
    };
    let lines: Vec<String> = escape(&message.text).split('\n').map(|line| format!("> {}", plain(line))).collect();
    // Two spaces at its end keep a line a line of its own.
    format!("\n**{who}** {}{standing}\n\n{}\n", time::minute(message.sent_at_ms), lines.join("  \n"))
}

/// CommonMark 2.4: any ASCII punctuation may be escaped by a backslash, and is then no markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(
            character,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '('
                | ')'
                | '#'
                | '+'
                | '-'
                | '!'
                | '|'
                | '~'
                | '&'
                | '='
        ) {
            plain.push('\\');
        }
        plain.push(character);
    }
    // "1." begins a list; "1\." does not. So do "://" and "@", which some readers turn into links.
    let lists = plain.find(['.', ')']).filter(|at| *at > 0 && plain.chars().take(*at).all(|c| c.is_ascii_digit()));
    if let Some(at) = lists {
        plain.insert(at, '\\');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_somebody_wrote_becomes_markup() {
        for (written, shown) in [
            ("# I am a heading", "\\# I am a heading"),
            ("<script>x</script>", "\\<script\\>x\\</script\\>"),
            ("[a](javascript:b)", "\\[a\\]\\(javascript:b\\)"),
            ("1. not a list", "1\\. not a list"),
            ("&copy; 3 * 4 = 12", "\\&copy; 3 \\* 4 \\= 12"),
            ("supper at 8.", "supper at 8."),
        ] {
            assert_eq!(plain(written), shown);
        }
    }
}
