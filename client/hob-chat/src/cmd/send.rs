//! `send bob "…"`: writes a message and says where it is.

use std::time::Duration;

use hob_client::display::escape_line;
use hob_client::{MessageId, MessageStatus, SendOptions};
use serde_json::json;

use crate::engine::now_ms;
use crate::engine::session::{FLUSH_PATIENCE, Session};
use crate::error::{ChatError, Ending};
use crate::show::message::{sent_again, status, status_word};
use crate::show::time;

/// A little more than the core waits.
const STRICT_PATIENCE: Duration = Duration::from_secs(62);

/// Sends; after the box's answer waits at most `wait` for the receipt.
pub async fn run(
    session: &Session,
    to: &str,
    text: &str,
    options: SendOptions,
    wait: Duration,
) -> Result<Ending, ChatError> {
    session.settle().await?;
    let id = session.command(|client, now, random| {
        let done = client.send(now, random, to, text, options)?;
        Ok((done.value, done.outputs))
    })?;
    session.speaks_about(id);
    session
        .until(FLUSH_PATIENCE, |session| {
            !matches!(fate(session, &id), MessageStatus::Outbox { .. }) || session.is_settled()
        })
        .await?;
    let (wait, waits): (_, fn(&MessageStatus) -> bool) = match options.strict {
        // What confirms it is never kept either: who does not wait does not hear of it.
        true => (STRICT_PATIENCE, |status| matches!(status, MessageStatus::Offered { .. })),
        false => (wait, |status| matches!(status, MessageStatus::Kept { .. })),
    };
    session.until(wait, |session| !waits(&fate(session, &id))).await?;
    report(session, to, id)
}

/// How it stands. What is remembered no more was confirmed (view-once ones leave no trace) or ran out of time.
fn fate(session: &Session, id: &MessageId) -> MessageStatus {
    match session.ask(|client, _| client.status_of(id)) {
        Some(status) => status,
        None if session.was_delivered(id) => MessageStatus::Delivered,
        None => MessageStatus::Expired,
    }
}

fn report(session: &Session, to: &str, id: MessageId) -> Result<Ending, ChatError> {
    let fate = fate(session, &id);
    let is_with_the_box = matches!(fate, MessageStatus::Delivered | MessageStatus::Kept { .. });
    if session.out.json() {
        let why = (!is_with_the_box).then(|| status(&fate, to, now_ms()));
        let until = match &fate {
            MessageStatus::Kept { until_ms, .. } => Some(time::rfc3339(*until_ms)),
            _ => None,
        };
        session.out.object(&json!({
            "id": id.to_string(),
            "to": to,
            "status": status_word(&fate),
            "sent_again": sent_again(&fate),
            "until": until,
            "why": why,
        }))?;
    } else if is_with_the_box {
        session.out.line(&status(&fate, to, now_ms()))?;
    } else {
        session.out.notice(&format!("{}: {}", escape_line(to), status(&fate, to, now_ms())));
        if matches!(fate, MessageStatus::Outbox { .. }) {
            session.out.notice("it goes out by itself with the next command that reaches the box");
        }
    }
    Ok(if is_with_the_box { Ending::Fine } else { Ending::NotWithTheBox })
}
