//! `forget`: wipes this profile. Nothing is sent before: who wipes a device in a hurry does not wait for a network.

use std::io::{BufRead, Write};
use std::path::Path;

use hob_client::display::escape_line;
use serde_json::json;

use crate::engine::session::Session;
use crate::error::{ChatError, Ending};
use crate::out::Out;

/// Asks whether it is meant, where it was typed.
pub fn ask(profile: &Path) -> Result<(), ChatError> {
    let shown = escape_line(&profile.display().to_string());
    confirm(&format!("wipe the profile in {shown}, with its keys, contacts and messages? Nothing brings them back."))
}

/// Asks before a loss.
pub fn confirm(question: &str) -> Result<(), ChatError> {
    let _ = write!(std::io::stderr().lock(), "{question} [yes/no] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|source| ChatError::ReadStdin { source })?;
    match answer.trim() {
        "yes" | "y" => Ok(()),
        _ => Err(ChatError::NotConfirmed),
    }
}

/// For another process: this one has the profile open, wipes it, and ends as well.
pub fn run(session: &Session) -> Result<Ending, ChatError> {
    session.forget()?;
    say(&session.out)?;
    Ok(Ending::Fine)
}

/// Says that it is done.
pub fn say(out: &Out) -> Result<(), ChatError> {
    if out.json() { out.object(&json!({ "forgotten": true })) } else { out.line("this profile is wiped") }
}
