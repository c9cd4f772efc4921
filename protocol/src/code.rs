//! Error codes: number, name, whether to try again, and the refusal that carries one over the wire.

use std::time::Duration;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Why something was refused. The number is what clients decide by.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name = $number,)* }

        impl Code {
            /// Every code, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code of a number, if this version knows it.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// Its number on the wire.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// Its name in `docs/protocol.md` and in metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means, for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The frame is no frame of this protocol, or a field of it has the wrong shape.
    BadFrame = 1, "this frame cannot be read";
    /// The frame's version is not spoken here.
    UnsupportedVersion = 2, "this version of the protocol is not spoken here";
    /// The frame's kind is not known here.
    UnknownFrame = 3, "this kind of frame is not known here";
    /// A frame larger than the protocol's largest, or a text message.
    TooLarge = 4, "this frame is larger than any that is taken";
    /// The frame needs an owner's connection: prove first.
    NotProved = 5, "this needs a proved connection";
    /// The frame belongs on a sender's connection, which is never proved.
    NotAnonymous = 6, "senders' frames are not taken on a proved connection: open another";
    /// The signature does not fit key, challenge, box and connection.
    BadProof = 7, "the proof does not fit this device and this connection";
    /// This device is not a member's here.
    NotAMember = 8, "no member of this box has this device";
    /// A native device must bind its proof to the TLS exporter.
    ExporterMissing = 9, "this device must bind its proof to the connection";
    /// A page's cursor is not of this mailbox, of an earlier start, too old, or no cursor. Answered alike.
    BadCursor = 10, "this cursor is not good here: begin without one";
    /// The session's token is missing, over, of another box or of an earlier start, or was taken back. Answered alike.
    NoSession = 11, "this needs a session: log in again";
    /// A web page that is not the box's own asks.
    ForeignOrigin = 12, "web pages of other origins are not served here";

    /// The invitation is not known, used by somebody else, withdrawn, or its MAC is wrong. Answered alike.
    NoSuchInvitation = 20, "this invitation is not good here: ask for a new one";
    /// The invitation is past its expiry.
    InvitationExpired = 21, "this invitation has expired: ask for a new one";
    /// As many device tickets of this member are open as may be.
    TooManyTickets = 22, "as many tickets for further devices are open as may be: wait until one was used or expires";
    /// The member has as many devices as may be.
    TooManyDevices = 23, "this member has as many devices as may be: remove one first";

    /// The token is not known or was revoked. Answered alike.
    NoSuchToken = 30, "no mailbox takes this delivery token";
    /// The envelope is not of one of the six sizes.
    NotAnEnvelope = 31, "an envelope has 2, 4, 8, 16, 32 or 64 KiB";
    /// The time to live is shorter than the shortest.
    TtlTooShort = 32, "the time to live is too short";
    /// The mailbox, or this token's share of it, is full.
    MailboxFull = 33, "the mailbox is full";
    /// The token, the address or the connection sends too fast.
    TooFast = 34, "too fast";
    /// The mailbox has as many tokens as it may have.
    TooManyTokens = 35, "this mailbox has as many tokens as it may have";
    /// No bundle is published, or the owner has to publish again first.
    NoBundle = 36, "no bundle is published at the moment";
    /// The bundle is larger than is taken, or empty.
    BadBundle = 37, "a bundle has 1 to 4,096 bytes";

    /// The box cannot store at the moment: its disk is full or failing. Nothing was accepted.
    CannotStore = 50, "the box cannot store anything at the moment";
    /// The box is going down.
    Restarting = 51, "the box is restarting";
    /// The box takes no new members at the moment.
    BoxFull = 52, "the box takes no new members at the moment";
    /// The connection did not read or speak in time.
    TooSlow = 53, "the connection was too slow";
    /// The owner's mailbox was removed, or another connection of the same device took over.
    Superseded = 54, "another connection of this device has taken over";
    /// The device was revoked on this box.
    Revoked = 55, "this device was removed from the box";
    /// A keeper suspended the device's member. What waits for the device waits on, and expires as ever.
    Suspended = 56, "the keeper of this box has suspended this member: ask them";
}

/// A typed refusal: the code, and when trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", code.text(), RetryText(*retry_after))]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// When trying again may help; `None`: it will not.
    pub retry_after: Option<Duration>,
}

struct RetryText(Option<Duration>);

impl std::fmt::Display for RetryText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(after) => write!(f, "; try again in {} s", whole_seconds_up(after)),
            None => Ok(()),
        }
    }
}

impl Refused {
    /// A refusal that trying again does not cure.
    pub const fn finally(code: Code) -> Self {
        Self { code, retry_after: None }
    }

    /// A refusal that may be gone after a while.
    pub const fn for_now(code: Code, retry_after: Duration) -> Self {
        Self { code, retry_after: Some(retry_after) }
    }
}

/// Seconds, rounded up: a client that waits as long is never early.
pub const fn whole_seconds_up(duration: Duration) -> u64 {
    duration.as_secs() + if duration.subsec_nanos() > 0 { 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_number_and_no_number_is_used_twice() {
        let mut numbers = std::collections::BTreeSet::new();
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert!(numbers.insert(code.number()), "{} has a number of its own", code.name());
        }
        assert_eq!(Code::from_number(0), None, "0 is what a missing field reads as");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let refused = Refused::for_now(Code::MailboxFull, Duration::from_millis(1500));
        assert_eq!(refused.to_string(), "the mailbox is full; try again in 2 s");
    }
}
