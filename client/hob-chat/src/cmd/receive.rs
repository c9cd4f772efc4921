//! `receive [--follow [--notify]] [--wait 10s]`: prints what came. stdout holds messages only.

use std::collections::BTreeSet;
use std::time::Duration;

use hob_client::display::escape_line;
use hob_client::{Message, MessageId};

use crate::engine::now_ms;
use crate::engine::session::{FLUSH_PATIENCE, Session};
use crate::error::{ChatError, Ending};
use crate::notify;
use crate::show::message::{ReceivedObject, received_line};

/// Only a limit for the wait itself: whatever happens ends it.
const FOLLOW_LOOKS_UP: Duration = Duration::from_secs(3600);

/// Prints all that is kept and ends, or waits for the first, or stays.
pub async fn run(session: &Session, follow: bool, notify: bool, wait: Duration) -> Result<Ending, ChatError> {
    let mut printer = Printer { notify, ..Printer::default() };
    match receive(session, &mut printer, follow, wait).await {
        // Ctrl-C is how following ends.
        Err(ChatError::Interrupted) => {
            printer.print(session)?;
            Ok(Ending::Fine)
        }
        ended => ended,
    }
}

async fn receive(session: &Session, printer: &mut Printer, follow: bool, wait: Duration) -> Result<Ending, ChatError> {
    session.ask(|client, _| client.home().map(|_| ()).ok_or(hob_client::CommandError::NotJoined))?;
    loop {
        let in_time = session
            .until(FLUSH_PATIENCE, |session| {
                has_more(session) || session.ask(|client, _| client.is_caught_up()) || session.is_offline()
            })
            .await?;
        if printer.print(session)? == 0 || !in_time {
            break;
        }
    }
    if follow {
        return follow_on(session, printer).await;
    }
    if printer.printed == 0 && !wait.is_zero() {
        session.until(wait, has_more).await?;
        printer.print(session)?;
    }
    if session.ask(|client, _| !client.is_online()) {
        return Err(session.why_offline());
    }
    Ok(Ending::Fine)
}

/// Prints what comes until it is interrupted; says when the box cannot be reached, and when it can again.
async fn follow_on(session: &Session, printer: &mut Printer) -> Result<Ending, ChatError> {
    let mut was_offline = false;
    loop {
        // While it is tried again it is still gone.
        let is_offline = is_gone(session, was_offline);
        if is_offline && !was_offline {
            session.out.notice(&format!("{} (trying again)", session.why_offline().chain()));
        } else if was_offline && !is_offline {
            session.out.notice("the box is there again");
        }
        was_offline = is_offline;
        session
            .until(FOLLOW_LOOKS_UP, |session| has_more(session) || is_gone(session, was_offline) != was_offline)
            .await?;
        printer.print(session)?;
    }
}

fn is_gone(session: &Session, was_gone: bool) -> bool {
    if was_gone { !session.ask(|client, _| client.is_online()) } else { session.is_offline() }
}

fn has_more(session: &Session) -> bool {
    session.ask(|client, now| !client.unshown(now).is_empty())
}

#[derive(Default)]
struct Printer {
    printed: usize,
    /// The desktop is told, too.
    notify: bool,
    /// Unverified contacts that were pointed out.
    pointed_out: BTreeSet<String>,
}

impl Printer {
    /// Prints what is there; returns how many.
    ///
    /// A message is noted as shown after it was printed: a kill in between prints it twice, which is better than never.
    /// Of view-once messages the opposite is promised, so they are noted first.
    fn print(&mut self, session: &Session) -> Result<usize, ChatError> {
        let messages = session.ask(|client, now| client.unshown(now));
        let (once, others): (Vec<_>, Vec<_>) = messages.iter().partition(|message| message.view_once);
        mark(session, &once)?;
        let mut printed = 0;
        let ended: Result<(), ChatError> = messages.iter().try_for_each(|message| {
            self.print_one(session, message)?;
            printed += usize::from(!message.view_once);
            Ok(())
        });
        // Also when nobody reads any further (`receive | head`): what was read stays read.
        mark(session, others.get(..printed).unwrap_or(&others))?;
        ended?;
        if self.notify {
            notify::tell(messages.iter().map(|message| message.contact.as_str()));
        }
        self.printed += messages.len();
        Ok(messages.len())
    }

    fn print_one(&mut self, session: &Session, message: &Message) -> Result<(), ChatError> {
        if session.out.json() {
            session.out.object(&ReceivedObject::of(message))?;
        } else {
            session.out.line(&received_line(message, now_ms()))?;
        }
        if !message.verified && self.pointed_out.insert(message.contact.clone()) {
            let name = escape_line(&message.contact);
            session.out.notice(&format!("{name} is new and unverified; compare numbers: hob-chat verify {name}"));
        }
        Ok(())
    }
}

fn mark(session: &Session, messages: &[&Message]) -> Result<(), ChatError> {
    if messages.is_empty() {
        return Ok(());
    }
    let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
    session.command(|client, now, random| Ok(((), client.mark_shown(now, random, &ids))))
}
