//! `contacts`: who can be written to.

use hob_client::Contact;
use hob_client::display::escape_line;
use serde_json::json;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::time;

/// One line a contact.
pub async fn run(session: &Session) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let contacts = session.ask(|client, _| client.contacts());
    if contacts.is_empty() && !session.out.json() {
        session.out.notice("no contacts yet: `hob-chat contact show`, or `hob-chat contact add CODE --as NAME`");
    }
    for contact in &contacts {
        if session.out.json() {
            session.out.object(&object(contact))?;
        } else {
            session.out.line(&line(contact))?;
        }
    }
    Ok(Ending::Fine)
}

fn line(contact: &Contact) -> String {
    let trust = if contact.verified { "verified" } else { "new, unverified" };
    let mut line = format!("{}  {trust}", escape_line(&contact.name));
    if !contact.answered {
        line.push_str("  nothing came from them yet");
    }
    if contact.revoked {
        line.push_str("  revoked: exchange new codes");
    }
    if contact.blocked {
        line.push_str("  blocked");
    }
    if contact.unshown > 0 {
        line.push_str(&format!("  {} unread", contact.unshown));
    }
    line
}

fn object(contact: &Contact) -> serde_json::Value {
    json!({
        "name": contact.name,
        "verified": contact.verified,
        "new": !contact.verified,
        "answered": contact.answered,
        "blocked": contact.blocked,
        "revoked": contact.revoked,
        "unread": contact.unshown,
        "member": contact.member_key.to_string(),
        "box": contact.box_identity.to_string(),
        "added_at": time::rfc3339(contact.added_at_ms),
        "last_seen": contact.last_seen_ms.map(time::rfc3339),
    })
}
