//! `requests`, `request accept`, `request refuse`: who wrote without a code of this device.

use hob_client::display::escape_line;
use serde_json::json;

use crate::engine::now_ms;
use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::time;

/// One line a request, the oldest first.
pub async fn list(session: &Session) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let requests = session.ask(|client, _| client.requests());
    if requests.is_empty() && !session.out.json() {
        session.out.notice("nobody waits");
    }
    for request in &requests {
        if session.out.json() {
            session.out.object(&json!({
                "id": request.id,
                "proposed_name": request.proposed_name,
                "messages": request.messages,
                "since": time::rfc3339(request.since_ms),
            }))?;
        } else {
            session.out.line(&format!(
                "{}  calls themselves \"{}\"  {} messages since {}",
                escape_line(&request.id),
                escape_line(&request.proposed_name),
                request.messages,
                time::clock(request.since_ms, now_ms())
            ))?;
        }
    }
    Ok(Ending::Fine)
}

/// Makes them a contact; their messages wait for `receive`.
pub async fn accept(session: &Session, id: &str, name: Option<&str>) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let name = session.command(|client, now, random| {
        let done = client.accept_request(now, random, id, name)?;
        Ok((done.value, done.outputs))
    })?;
    session.settle().await?;
    if session.out.json() {
        session.out.object(&json!({ "name": name, "verified": false }))?;
    } else {
        let name = escape_line(&name);
        session.out.line(&format!("{name} is a contact now, new and unverified"))?;
        session.out.notice("next: `hob-chat receive` shows what they wrote");
    }
    Ok(Ending::Fine)
}

/// Drops what they wrote, now and later.
pub async fn refuse(session: &Session, id: &str) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    session.command(|client, now, random| Ok(((), client.refuse_request(now, random, id)?)))?;
    session.settle().await?;
    if session.out.json() {
        session.out.object(&json!({ "refused": id }))?;
    } else {
        session.out.line(&format!("{} is refused, and is not told", escape_line(id)))?;
    }
    Ok(Ending::Fine)
}
