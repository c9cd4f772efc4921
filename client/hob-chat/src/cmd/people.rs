//! `contact codes|revoke|rename|remove|block|unblock`: what becomes of codes that were shown, and of contacts.

use hob_client::display::escape_line;
use hob_client::{Client, CommandError, Outputs};
use hob_protocol::revocation::Revocation;
use rand_core::CryptoRng;
use serde_json::json;

use crate::cmd::forget::confirm;
use crate::engine::now_ms;
use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::show::time;

/// Asks before a conversation is lost, where it was typed.
pub fn ask(name: &str) -> Result<(), ChatError> {
    let name = escape_line(name);
    confirm(&format!(
        "forget {name} and the whole conversation? Only a new code brings them back; `export {name}` keeps a copy."
    ))
}

/// Asks before a contact's devices are cut off, where it was typed.
pub fn ask_revoked() -> Result<(), ChatError> {
    confirm(
        "cut off all devices of the contact who made this certificate? Only a fresh code of theirs brings them back, and \
         the conversation stays.",
    )
}

/// The codes that are open, the oldest first.
pub async fn codes(session: &Session) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let codes = session.ask(|client, now| client.open_codes(now));
    if codes.is_empty() && !session.out.json() {
        session.out.notice("no code of yours is open: `hob-chat contact show` makes one");
    }
    for code in &codes {
        if session.out.json() {
            session.out.object(&json!({
                "id": code.id,
                "made_at": time::rfc3339(code.made_at_ms),
                "use_before": time::rfc3339(code.use_before_ms),
            }))?;
        } else {
            let (made, until) = (time::clock(code.made_at_ms, now_ms()), time::clock(code.use_before_ms, now_ms()));
            session.out.line(&format!("{}  shown {made}, to be used before {until}", code.id))?;
        }
    }
    Ok(Ending::Fine)
}

/// Withdraws a code.
pub async fn revoke_code(session: &Session, which: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.revoke_code(now, random, which)).await?;
    let id: String = which.chars().take(40).collect();
    told(session, "revoked", &id, "this code makes nobody a contact any more")
}

/// Takes a contact's revocation certificate.
pub async fn revoked(session: &Session, certificate: &str) -> Result<Ending, ChatError> {
    let certificate = Revocation::parse(certificate)?;
    session.settle_or_say().await?;
    let name = session.command(|client, now, random| {
        let done = client.revoke_contact(now, random, &certificate)?;
        Ok((done.value, done.outputs))
    })?;
    session.settle().await?;
    let shown = escape_line(&name);
    let line = format!("{shown} is revoked: nothing goes to their devices any more, and nothing of those is taken");
    let ending = told(session, "revoked", &name, &line)?;
    session.out.notice(&format!(
        "next: exchange new codes when you meet: hob-chat contact add CODE --as {shown} (--replace if they begin anew)"
    ));
    session.out.notice("your own other devices are not told: take the certificate on each");
    Ok(ending)
}

/// Another name for a contact.
pub async fn rename(session: &Session, name: &str, new_name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.rename_contact(now, random, name, new_name)).await?;
    let line = format!("{} is called {} now", escape_line(name), escape_line(new_name));
    told(session, "name", new_name, &line)
}

/// Forgets a contact.
pub async fn remove(session: &Session, name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.remove_contact(now, random, name)).await?;
    told(session, "removed", name, &format!("{} and the conversation are forgotten", escape_line(name)))
}

/// Nothing more from a contact, and nothing to them.
pub async fn block(session: &Session, name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.block_contact(now, random, name)).await?;
    let name_shown = escape_line(name);
    told(session, "blocked", name, &format!("{name_shown} is blocked, and is not told"))
}

/// The way back.
pub async fn unblock(session: &Session, name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.unblock_contact(now, random, name)).await?;
    let name_shown = escape_line(name);
    let line = format!("{name_shown} is heard again as soon as they have your next message");
    told(session, "unblocked", name, &line)
}

/// Does it, and waits until the home box knows, or cannot be told now.
pub async fn change(
    session: &Session,
    what: impl FnOnce(&mut Client, u64, &mut dyn CryptoRng) -> Result<Outputs, CommandError>,
) -> Result<(), ChatError> {
    session.settle_or_say().await?;
    session.command(|client, now, random| Ok(((), what(client, now, random)?)))?;
    session.settle().await
}

pub fn told(session: &Session, key: &str, value: &str, line: &str) -> Result<Ending, ChatError> {
    if session.out.json() {
        session.out.object(&json!({ key: value }))?;
    } else {
        session.out.line(line)?;
    }
    Ok(Ending::Fine)
}
