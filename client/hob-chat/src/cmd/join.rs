//! `join LINK [--name ada]`: uses an invitation.
//!
//! If it fails, the profile keeps its device key: an answer that was lost on the way may be asked for again, with the same
//! invitation and the same key, for ten minutes.

use std::cell::Cell;

use hob_client::Home;
use hob_client::display::escape_line;
use hob_protocol::invitation::Invitation;
use serde_json::json;

use crate::engine::session::{FLUSH_PATIENCE, Session};
use crate::error::{ChatError, Ending};
use crate::net;

/// Joins, and waits until the box knows all that it needs of this device.
pub async fn run(session: &Session, link: &str, name: &str) -> Result<Ending, ChatError> {
    let invitation = Invitation::parse(link)?;
    let addresses = invitation.addresses.clone();
    session.command(|client, now, random| Ok(((), client.join(now, random, invitation, name)?)))?;
    let too_slow = net::NetError::TooSlow { addresses: net::list(&addresses), waited: FLUSH_PATIENCE };
    let home = admitted(session, too_slow.into()).await?;
    session.settle().await?;
    // A device that had joined before, and that the box does not know any more, uses the invitation only now.
    if let Some(why) = session.join_refused() {
        return Err(ChatError::Refused { why });
    }
    session.settle_or_say().await?;
    if session.out.json() {
        let addresses: Vec<_> = home.addresses.iter().map(ToString::to_string).collect();
        session.out.object(&json!({
            "joined": true,
            "identity": home.identity.to_string(),
            "mailbox": home.mailbox.to_string(),
            "name": home.label,
            "addresses": addresses,
        }))?;
    } else {
        session.out.line(&format!(
            "joined the box {} at {} as {}",
            home.identity.to_string().get(..16).unwrap_or_default(),
            net::list(&home.addresses),
            escape_line(&home.label)
        ))?;
        session
            .out
            .notice("next: `hob-chat contact show` for somebody to add, or `hob-chat contact add CODE --as NAME`");
    }
    Ok(Ending::Fine)
}

/// Waits until the box has admitted this device, by an invitation or by a device code.
pub async fn admitted(session: &Session, too_slow: ChatError) -> Result<Home, ChatError> {
    let ended = Cell::new(false);
    session
        .until(FLUSH_PATIENCE, |session| {
            let joined = session.ask(|client, _| client.home().is_some());
            ended.set(joined || session.join_refused().is_some() || session.is_offline());
            ended.get()
        })
        .await?;
    if let Some(why) = session.join_refused() {
        return Err(ChatError::Refused { why });
    }
    let home = session.ask(|client, _| client.home());
    home.ok_or_else(|| if ended.get() { session.why_offline() } else { too_slow })
}
