//! `device add|join|list|rename|remove|sheet|recover`: several devices of one member.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use hob_client::display::escape_line;
use hob_client::{Client, CommandError};
use hob_protocol::device_code::DeviceCode;
use serde_json::json;

use crate::cmd::contact::show_code;
use crate::cmd::forget::confirm;
use crate::cmd::join::admitted;
use crate::cmd::people::{change, told};
use crate::engine::now_ms;
use crate::engine::session::{FLUSH_PATIENCE, Session};
use crate::error::{ChatError, Ending};
use crate::show::time;

/// As long as a code is good, and a little.
const ADD_PATIENCE: Duration = Duration::from_secs(3_700);
/// How long a new device waits for the one that showed the code, and for all that it has to tell.
const JOIN_PATIENCE: Duration = Duration::from_secs(120);

/// Asks before a device is cut off, where it was typed.
pub fn ask(name: &str) -> Result<(), ChatError> {
    let name = escape_line(name);
    confirm(&format!("remove your device {name}? It keeps its history, and hears and sends nothing any more."))
}

/// Shows a device code and waits until a new device is in the list.
pub async fn add(session: &Session, bare: bool) -> Result<Ending, ChatError> {
    session.settle_online().await?;
    session.command(|client, now, random| Ok(((), client.add_device(now, random)?)))?;
    let code = |session: &Session| session.ask(|client, _| client.device_code());
    let is_decided =
        |session: &Session| code(session).is_some() || session.join_refused().is_some() || session.is_offline();
    let decided = session.until(FLUSH_PATIENCE, is_decided).await?;
    if let Some(why) = session.join_refused() {
        return Err(ChatError::Refused { why });
    }
    let Some(code) = code(session) else {
        return Err(match decided {
            true => session.why_offline(),
            false => ChatError::TooSlow { what: "give a ticket", waited: FLUSH_PATIENCE },
        });
    };
    show(session, &code, bare)?;
    let before = session.ask(|client, _| names(client));
    session.out.progress("… waiting for the new device (Ctrl-C ends the waiting; the code stays good)");
    let was_added = session.until(ADD_PATIENCE, |session| session.ask(|client, _| client.device_was_added())).await;
    session.out.end_progress();
    match was_added {
        Ok(true) => {}
        Ok(false) => {
            session
                .out
                .notice("nobody used the code, and it is not good any more: `hob-chat device add` makes another");
            return Ok(Ending::Fine);
        }
        Err(ChatError::Interrupted) => {
            session.out.notice("the code stays good for its hour: run `hob-chat receive --follow` while it is used");
            return Ok(Ending::Fine);
        }
        Err(error) => return Err(error),
    }
    // The new device gets its list, contacts and history now, and contacts hear of it.
    session.settle().await?;
    let added: Vec<String> =
        session.ask(|client, _| names(client)).into_iter().filter(|name| !before.contains(name)).collect();
    let name = added.first().cloned().unwrap_or_default();
    if session.out.json() {
        session.out.object(&json!({ "added": name }))?;
    } else if !bare {
        session.out.line(&format!("{} is a device of yours now, and has your contacts", escape_line(&name)))?;
    }
    Ok(Ending::Fine)
}

fn names(client: &Client) -> Vec<String> {
    client.devices().into_iter().map(|device| device.name).collect()
}

fn show(session: &Session, code: &DeviceCode, bare: bool) -> Result<(), ChatError> {
    let text = code.to_code();
    if session.out.json() {
        let use_before = (code.expires_at_s > 0).then(|| time::rfc3339(code.expires_at_s.saturating_mul(1000)));
        return session.out.object(&json!({ "code": text, "use_before": use_before }));
    }
    show_code(session, &text, "device-code.png", bare)?;
    if !bare {
        let until = match code.expires_at_s {
            0 => "within the hour".to_owned(),
            at_s => format!("until {}", time::clock(at_s.saturating_mul(1000), now_ms())),
        };
        session.out.notice(&format!("for one new device of yours, {until}: hob-chat device join CODE --name laptop"));
        session.out.notice("whoever uses it reads your messages: show it to nobody else");
    }
    Ok(())
}

/// Makes a new profile a further device.
pub async fn join(session: &Session, code: &str, name: &str) -> Result<Ending, ChatError> {
    let code = DeviceCode::parse(code)?;
    session.command(|client, now, random| Ok(((), client.join_as_device(now, random, &code, name)?)))?;
    let too_slow = ChatError::TooSlow { what: "admit this device", waited: FLUSH_PATIENCE };
    let home = admitted(session, too_slow).await?;
    session.out.progress("… waiting for the device that showed the code");
    session.until(JOIN_PATIENCE, |session| session.is_synced() || session.is_offline()).await?;
    session.out.end_progress();
    session.settle().await?;
    let is_paired = session.ask(|client, _| !client.is_pairing());
    let (contacts, called) = session.ask(|client, _| {
        let this = client.devices().into_iter().find(|device| device.is_this).map(|device| device.name);
        (client.contacts().len(), this.unwrap_or_else(|| name.to_owned()))
    });
    if session.out.json() {
        session.out.object(&json!({
            "joined": true,
            "paired": is_paired,
            "device": called,
            "mailbox": home.mailbox.to_string(),
            "contacts": contacts,
        }))?;
    } else if is_paired {
        session.out.line(&format!("this device is {} now, with {contacts} contacts", escape_line(&called)))?;
    } else {
        session.out.line("the box has admitted this device; the one that showed the code has not answered yet")?;
        session.out.notice("run `hob-chat receive` there, and then here");
    }
    Ok(Ending::Fine)
}

/// The devices of this member.
pub async fn list(session: &Session) -> Result<Ending, ChatError> {
    session.ask(|client, _| client.home().map(|_| ()).ok_or(CommandError::NotJoined))?;
    session.settle_or_say().await?;
    for device in session.ask(|client, _| client.devices()) {
        if session.out.json() {
            session.out.object(&json!({
                "name": device.name,
                "device": device.device_key.to_string(),
                "this": device.is_this,
            }))?;
        } else {
            let this = if device.is_this { "  (this one)" } else { "" };
            session.out.line(&format!("{}{this}", escape_line(&device.name)))?;
        }
    }
    if session.ask(|client, _| client.is_removed()) {
        session.out.notice("this device was removed from your list: nothing is sent or received here any more");
    } else if session.ask(|client, _| !client.holds_member_key()) {
        session.out.notice("devices are added and removed on the one that holds your member key");
    }
    Ok(Ending::Fine)
}

/// Another name for a device.
pub async fn rename(session: &Session, name: &str, new_name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.rename_device(now, random, name, new_name)).await?;
    let line = format!("{} is called {} now", escape_line(name), escape_line(new_name));
    told(session, "name", new_name, &line)
}

/// Takes a device out of the list.
pub async fn remove(session: &Session, name: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.remove_device(now, random, name)).await?;
    let shown = escape_line(name);
    let ending = told(session, "removed", name, &format!("{shown} is no device of yours any more; contacts are told"))?;
    session
        .out
        .notice("its mailbox is still there, and nothing is sealed to it: the keeper may close it with `hob revoke`");
    Ok(ending)
}

/// Prints the recovery sheet, or writes it to a new file that only this user can read.
pub async fn sheet(session: &Session, to: Option<&Path>) -> Result<Ending, ChatError> {
    session.ask(|client, _| client.home().map(|_| ()).ok_or(CommandError::NotJoined))?;
    let text = session.recovery_sheet()?;
    let Some(path) = to else {
        if session.out.json() {
            session.out.object(&json!({ "sheet": text.as_str() }))?;
        } else if session.out.terminal().is_some() {
            session.out.line(&text)?;
        } else {
            return Err(ChatError::NeedsTerminal);
        }
        return Ok(Ending::Fine);
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| ChatError::WriteFile { path: path.to_owned(), source })?;
    let shown = path.display().to_string();
    if session.out.json() {
        session.out.object(&json!({ "file": shown }))?;
    } else {
        session.out.line(&format!("the recovery sheet is in {}: print it, then delete it", escape_line(&shown)))?;
    }
    Ok(Ending::Fine)
}

/// Takes the member key of a recovery sheet.
pub async fn recover(session: &Session, sheet: &str) -> Result<Ending, ChatError> {
    change(session, |client, now, random| client.recover(now, random, sheet)).await?;
    let names = session.ask(|client, _| names(client));
    if session.out.json() {
        session.out.object(&json!({ "recovered": true, "devices": names }))?;
    } else {
        session.out.line("this device holds your member key now")?;
        session.out.notice("look at `hob-chat device list`, and remove what is lost: hob-chat device remove NAME");
    }
    Ok(Ending::Fine)
}
