//! `status`: box, connection, outbox, contacts.

use hob_client::display::escape_line;
use hob_client::{Client, CommandError, Home, Summary};
use serde_json::json;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::net;

/// Says how things stand, whether the box answers or not.
pub async fn run(session: &Session) -> Result<Ending, ChatError> {
    let home = session.ask(|client, _| client.home()).ok_or(CommandError::NotJoined)?;
    session.settle().await?;
    let summary = session.ask(Client::summary);
    let online = session.ask(|client, _| client.is_online());
    let why_offline = (!online).then(|| session.why_offline().chain());
    if session.out.json() {
        session.out.object(&object(&home, &summary, why_offline.as_deref()))?;
    } else {
        for line in lines(&home, &summary, why_offline.as_deref()) {
            session.out.line(&line)?;
        }
    }
    Ok(Ending::Fine)
}

fn lines(home: &Home, summary: &Summary, why_offline: Option<&str>) -> [String; 6] {
    [
        format!("box         {} at {}", &home.identity.to_string()[..16], net::list(&home.addresses)),
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

fn object(home: &Home, summary: &Summary, why_offline: Option<&str>) -> serde_json::Value {
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
    })
}
