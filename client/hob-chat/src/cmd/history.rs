//! `history bob [--last 20]`: the last messages with a contact.

use crate::engine::now_ms;
use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::message::{HistoryObject, history_line};

/// The oldest first.
pub async fn run(session: &Session, name: &str, last: usize) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let messages = session.ask(|client, now| client.history(now, name, last))?;
    for message in &messages {
        if session.out.json() {
            session.out.object(&HistoryObject::of(message))?;
        } else {
            session.out.line(&history_line(message, now_ms()))?;
        }
    }
    Ok(Ending::Fine)
}
