//! What happened while a command ran, in words, for stderr.

use std::collections::BTreeSet;

use hob_client::display::escape_line;
use hob_client::{Link, MessageId, MessageStatus, Notice};

use crate::engine::now_ms;

/// The line for a notice; `None`: commands speak about it themselves, or there is nothing to say.
///
/// `spoken_for` are messages whose fate the command tells by itself.
pub fn line(notice: &Notice, spoken_for: &BTreeSet<MessageId>) -> Option<String> {
    let text = match notice {
        Notice::Joined { .. }
        | Notice::JoinRefused { .. }
        | Notice::Online
        | Notice::CaughtUp
        | Notice::Kept { .. }
        | Notice::Delivered { .. }
        | Notice::Waiting { .. }
        | Notice::DeviceCodeReady
        | Notice::DeviceCodeRefused { .. }
        | Notice::DevicePaired { .. }
        | Notice::DeviceSynced
        | Notice::CodeReady { .. } => return None,
        Notice::Refused { contact, message, why } => {
            if spoken_for.contains(message) {
                return None;
            }
            format!("a message to {} was refused: {why}", escape_line(contact))
        }
        Notice::Expired { contact, message } => {
            if spoken_for.contains(message) {
                return None;
            }
            format!("a message to {} expired without being confirmed", escape_line(contact))
        }
        Notice::GivenUp { contact, message, last_seen_ms } => {
            if spoken_for.contains(message) {
                return None;
            }
            let fate = MessageStatus::GivenUp { last_seen_ms: *last_seen_ms };
            format!("a message to {}: {}", escape_line(contact), super::message::status(&fate, contact, now_ms()))
        }
        Notice::NobodyThere { contact, message } => {
            if spoken_for.contains(message) {
                return None;
            }
            format!("a message to {} was not delivered, nobody was there (strict)", escape_line(contact))
        }
        Notice::ContactMade { contact } => {
            let name = escape_line(contact);
            format!(
                "new contact: {name}, who used a code of yours; unverified until you compare numbers: hob-chat verify {name}"
            )
        }
        Notice::ContactAnswered { contact } => format!("{} has answered for the first time", escape_line(contact)),
        Notice::RequestArrived { request } => format!(
            "somebody without a code of yours wrote: see `hob-chat requests`, then `hob-chat request accept {request}`"
        ),
        Notice::CodeUsedTwice { first, second } => loud(&format!(
            "A CONTACT CODE OF YOURS WAS USED TWICE: first by {}, then by {}, who was refused. Somebody else has seen it; \
             verify {0} before you trust them",
            escape_line(first),
            if second.is_empty() { "somebody without a name".to_owned() } else { escape_line(second) },
        )),
        Notice::KeysChanged { contact } => loud(&format!(
            "THE KEYS OF {} HAVE CHANGED. Nothing is sent to the new ones. Ask {0} by another way what happened; \
             then compare numbers (hob-chat verify {0}), or add a fresh code with --replace",
            escape_line(contact)
        )),
        Notice::DevicesChanged { contact, added, removed } => {
            format!("{} {}", escape_line(contact), changed(added, removed))
        }
        Notice::OwnDevicesChanged { added, removed } => format!("your devices: you {}", changed(added, removed)),
        Notice::DeviceListExpired { contact } => format!(
            "the device list of {} has not been renewed for a month; messages go to the devices that are known",
            escape_line(contact)
        ),
        Notice::OwnDevicesDisagree => loud(
            "TWO LISTS OF YOUR DEVICES DENY EACH OTHER: your member key is in use on two devices, one of which may not be \
             yours. See `hob-chat device list`, and remove what you do not know",
        ),
        Notice::ThisDeviceRemoved => loud(
            "THIS DEVICE WAS REMOVED from your list on another one. Nothing is sent or received here any more; the history \
             stays. If that was not you, look after the device that holds your member key",
        ),
        Notice::DeviceAdded { name } => format!("{} is a device of yours now", escape_line(name)),
        Notice::DeviceCodeUsedTwice { name } => loud(&format!(
            "A DEVICE CODE OF YOURS WAS USED TWICE: the second device{} was refused. Somebody else has seen it; look at \
             `hob-chat device list`, and remove what is not yours",
            if name.is_empty() { String::new() } else { format!(", {},", escape_line(name)) },
        )),
        Notice::BadBundle { contact, why } => loud(&format!(
            "the box of {} handed out keys that are not good ({}). Nothing is sent to them. If they have expired: check \
             this device's clock, or wait until {0} has been online",
            escape_line(contact),
            escape_line(why)
        )),
        Notice::BoxIdentityChanged { link, expected, got } => loud(&format!(
            "{} IS NOT THE ONE THIS DEVICE KNOWS: it says {got}, known is {expected}. Nothing was sent. \
             If its keeper set it up anew, join again with a new invitation",
            whose(*link)
        )),
        Notice::BoxNotProven { link, expected } => loud(&format!(
            "{} CANNOT PROVE THAT IT IS {expected}. Somebody may be in between. Nothing was sent; ask its keeper",
            whose(*link)
        )),
        Notice::HomeRefused { why } => format!("your box refuses this device: {why}"),
        Notice::BoxForgot { .. } => {
            "a box lost part of its memory; what was not confirmed is sent again by itself".to_owned()
        }
        Notice::BoxTwice { link } => loud(&format!(
            "{} WAS HERE WITH A NEWER MEMORY BEFORE: two boxes run with one identity, or an old copy of it was put back. \
             Messages may take the wrong way; tell its keeper to run one box only, made by `hob restore`",
            whose(*link)
        )),
        Notice::MailboxWasFull { refused } => format!(
            "your mailbox was full and {refused} envelopes were turned away; their senders try again by themselves"
        ),
        Notice::Restarting { back_in, .. } => format!("the box restarts and is back in {} s", back_in.as_secs()),
        Notice::SessionRenewed { contact } => format!(
            "the session with {} was renewed by itself: what could not be opened is sent again",
            escape_line(contact)
        ),
        Notice::KeysRenewed { contact } => loud(&format!(
            "THE KEYS OF {} ARE NEW, signed by the device that you know, and are used from now on. Compare numbers again: \
             hob-chat verify {0}",
            escape_line(contact)
        )),
        Notice::Unreadable => "something came that this device cannot open".to_owned(),
    };
    Some(text)
}

/// "has a new device: laptop; and no more: phone"
fn changed(added: &[String], removed: &[String]) -> String {
    let names = |names: &[String]| names.iter().map(|name| escape_line(name)).collect::<Vec<_>>().join(", ");
    match (added.is_empty(), removed.is_empty()) {
        (false, true) => format!("added a device: {}", names(added)),
        (true, _) => format!("removed a device: {}", names(removed)),
        (false, false) => format!("added a device: {}; and removed one: {}", names(added), names(removed)),
    }
}

fn loud(text: &str) -> String {
    format!("!!! {text}")
}

const fn whose(link: Link) -> &'static str {
    match link {
        Link::Owner => "YOUR BOX",
        Link::Sender(_) => "A CONTACT'S BOX",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_keys_are_said_loudly_and_no_name_can_hide_it() {
        let notice = Notice::KeysChanged { contact: "bob\r\u{1b}[2K".to_owned() };
        let line = line(&notice, &BTreeSet::new()).unwrap();
        assert!(line.starts_with("!!! ") && line.contains("HAVE CHANGED"), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
