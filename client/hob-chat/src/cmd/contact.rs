//! `contact show` and `contact add`: codes between devices.

use hob_client::display::escape_line;
use hob_protocol::contact::ContactCode;
use hob_protocol::limits::INTRODUCTION_FIRST_USE;
use serde_json::json;

use crate::engine::now_ms;
use crate::engine::session::{FLUSH_PATIENCE, Session};
use crate::error::{ChatError, Ending};
use crate::show::qr::Qr;
use crate::show::time;

/// Makes a code and shows it once the box knows its token: before that it would be refused.
pub async fn show(session: &Session, bare: bool) -> Result<Ending, ChatError> {
    session.settle_online().await?;
    let code = session.command(|client, now, random| {
        let done = client.show_contact_code(now, random)?;
        Ok((done.value, done.outputs))
    })?;
    let is_ready = |session: &Session| session.ask(|client, _| client.code_is_ready(&code));
    let decided = session.until(FLUSH_PATIENCE, |session| is_ready(session) || session.is_offline()).await?;
    if !decided {
        return Err(ChatError::TooSlow { what: "take note of the code", waited: FLUSH_PATIENCE });
    }
    if !is_ready(session) {
        return Err(session.why_offline());
    }
    print(session, &code.to_code()?, bare)?;
    Ok(Ending::Fine)
}

fn print(session: &Session, code: &str, bare: bool) -> Result<(), ChatError> {
    if session.out.json() {
        let first_use_ms = u64::try_from(INTRODUCTION_FIRST_USE.as_millis()).unwrap_or(u64::MAX);
        let use_before = time::rfc3339(now_ms().saturating_add(first_use_ms));
        return session.out.object(&json!({ "code": code, "use_before": use_before }));
    }
    show_code(session, code, "code.png", bare)?;
    if !bare {
        session.out.notice("for one person's device, within 24 hours: hob-chat contact add CODE --as NAME");
    }
    Ok(())
}

/// A code as QR code where there is a terminal for it, and as text.
pub fn show_code(session: &Session, code: &str, file: &str, bare: bool) -> Result<(), ChatError> {
    if let Some(terminal) = session.out.terminal().filter(|_| !bare) {
        match Qr::of(code.as_bytes()) {
            Some(qr) if qr.fits(terminal) => session.out.line(&qr.text())?,
            Some(qr) => {
                let path = session.file(file);
                qr.write_png(&path)?;
                let (columns, rows) = qr.cells();
                session.out.notice(&format!(
                    "this terminal is too small for the QR code ({columns} x {} cells): it is in {}",
                    rows + 1,
                    escape_line(&path.display().to_string())
                ));
            }
            None => {}
        }
    }
    session.out.line(code)
}

/// Makes whoever showed a code a contact, or puts them in the place of one who lost everything.
pub async fn add(session: &Session, code: &str, name: &str, replace: bool) -> Result<Ending, ChatError> {
    session.settle_or_say().await?;
    let code = ContactCode::parse(code)?;
    session.command(|client, now, random| {
        let outputs = match replace {
            true => client.replace_contact(now, random, &code, name)?,
            false => client.add_contact(now, random, &code, name)?,
        };
        Ok(((), outputs))
    })?;
    session.settle().await?;
    if session.out.json() {
        session.out.object(&json!({ "name": name, "verified": false }))?;
    } else {
        let name = escape_line(name);
        session.out.line(&format!("{name} is a contact now, new and unverified"))?;
        session
            .out
            .notice(&format!("next: `hob-chat send {name} \"hello\"`, and compare numbers: hob-chat verify {name}"));
    }
    Ok(Ending::Fine)
}
