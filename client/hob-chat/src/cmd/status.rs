//! `status`: box, connection, outbox, contacts.

use hob_client::display::escape_line;
use hob_client::{Client, CommandError, Home, Message, Summary};
use serde_json::json;

use crate::engine::now_ms;
use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::net;
use crate::show::message::{HistoryObject, status};
use crate::show::time;

/// Characters of a message in its line.
const TEXT_CHARS: usize = 40;

/// Says how things stand, whether the box answers or not.
pub async fn run(session: &Session) -> Result<Ending, ChatError> {
    let home = session.ask(|client, _| client.home()).ok_or(CommandError::NotJoined)?;
    session.settle().await?;
    let summary = session.ask(Client::summary);
    let online = session.ask(|client, _| client.is_online());
    // What is not confirmed yet, and what was given up lately, oldest first.
    let waiting = session.ask(|client, now| [client.given_up(now), client.outbox()].concat());
    let why_offline = (!online).then(|| session.why_offline().chain());
    if session.out.json() {
        session.out.object(&object(&home, &summary, why_offline.as_deref(), &waiting))?;
    } else {
        for line in lines(&home, &summary, why_offline.as_deref()) {
            session.out.line(&line)?;
        }
        for message in &waiting {
            session.out.line(&waiting_line(message))?;
        }
    }
    Ok(Ending::Fine)
}

fn lines(home: &Home, summary: &Summary, why_offline: Option<&str>) -> [String; 6] {
    [
        format!(
            "box         {} at {}",
            home.identity.to_string().get(..16).unwrap_or_default(),
            net::list(&home.addresses)
        ),
        format!("you         {}", escape_line(&home.label)),
        format!("connection  {}", why_offline.unwrap_or("online")),
        format!(
            "outbox      {} not with a box yet, {} kept and not confirmed yet",
            summary.in_outbox,
            summary.unconfirmed.saturating_sub(summary.in_outbox)
        ),
        format!("inbox       {} unread", summary.unshown),
        format!("contacts    {}, and {} who ask to be one", summary.contacts, summary.requests),
    ]
}

/// "  bob  17:42  supper at eight  (kept until 23:12)"
fn waiting_line(message: &Message) -> String {
    let text = escape_line(&message.text);
    let mut shown: String = text.chars().take(TEXT_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    let (now, contact) = (now_ms(), escape_line(&message.contact));
    let at = time::clock(message.sent_at_ms, now);
    format!("  {contact}  {at}  {shown}  ({})", status(&message.status, &message.contact, now))
}

fn object(home: &Home, summary: &Summary, why_offline: Option<&str>, waiting: &[Message]) -> serde_json::Value {
    let addresses: Vec<_> = home.addresses.iter().map(ToString::to_string).collect();
    json!({
        "box": home.identity.to_string(),
        "addresses": addresses,
        "name": home.label,
        "mailbox": home.mailbox.to_string(),
        "online": why_offline.is_none(),
        "why_offline": why_offline,
        "unconfirmed": summary.unconfirmed,
        "in_outbox": summary.in_outbox,
        "unread": summary.unshown,
        "contacts": summary.contacts,
        "requests": summary.requests,
        "messages": waiting.iter().map(HistoryObject::of).collect::<Vec<_>>(),
    })
}
