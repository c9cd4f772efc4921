//! What must follow: frames, connections, saving, and what a person is told.

use std::time::Duration;

use hob_protocol::address::Address;
use hob_protocol::frame::ClientFrame;
use hob_protocol::ids::{BoxIdentity, TokenHash};

use crate::input::Link;
use crate::view::{Message, MessageId, Refusal, WaitReason};

/// One consequence. They are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Make [`Client::save`](crate::Client::save) durable before carrying out any later output. This is why a kill at
    /// any moment never reuses a ratchet key and never loses what was written: no frame that depends on new state
    /// leaves before it.
    Save,
    /// Open a connection and report [`Input::Opened`](crate::Input::Opened) or [`Input::Closed`](crate::Input::Closed).
    Connect {
        /// Which.
        link: Link,
        /// Who must be at the other end. The client checks it in the hello; TLS need not.
        identity: BoxIdentity,
        /// Where; try them in order, or side by side.
        addresses: Vec<Address>,
    },
    /// Send a frame.
    Frame {
        /// On which connection.
        link: Link,
        /// What.
        frame: ClientFrame,
    },
    /// Close a connection; no [`Input::Closed`](crate::Input::Closed) is needed after it, but none harms.
    Close {
        /// Which.
        link: Link,
    },
    /// A message for the screen. It stays in [`Client::unshown`](crate::Client::unshown) until
    /// [`Client::mark_shown`](crate::Client::mark_shown), so a program that only sends may ignore it.
    Message(Message),
    /// Something that a person is told, or a program waits for.
    Notice(Notice),
    /// Send [`Input::Timeout`](crate::Input::Timeout) at this time. It replaces every earlier wake; always the last.
    Wake {
        /// Unix time in milliseconds.
        at_ms: u64,
        /// Why.
        why: WakeReason,
    },
}

/// Why the client wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WakeReason {
    /// When pushed messages that came together are saved, shown and acknowledged.
    SavePushes,
    /// When receipts that were batched are due.
    Receipts,
    /// When a closed connection is tried again.
    Reconnect,
    /// When something in the outbox may be tried again.
    Outbox,
    /// When a connection has said nothing for too long.
    Quiet,
    /// When the prekey is to be rotated.
    Prekey,
    /// When a message's time to live ends.
    Expiry,
}

/// Something that a person is told, or a program waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The box admitted this device.
    Joined {
        /// The home box from now on.
        identity: BoxIdentity,
    },
    /// The box did not admit this device. The state is as before `join`.
    JoinRefused {
        /// Why, with the next step.
        why: Refusal,
    },
    /// The owner's connection is proved.
    Online,
    /// Everything that the box had kept has been pushed, saved and shown.
    CaughtUp,
    /// The box keeps a message durably.
    Kept {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
        /// Until when, Unix time in milliseconds.
        until_ms: u64,
    },
    /// The contact's device confirmed a message.
    Delivered {
        /// Who: the local name.
        contact: String,
        /// Which.
        message: MessageId,
    },
    /// A message cannot be sent for now and stays in the outbox.
    Waiting {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
        /// Why.
        why: WaitReason,
        /// When it is tried again, Unix time in milliseconds; `None`: as soon as the connection is back.
        retry_at_ms: Option<u64>,
    },
    /// A message was refused for good and is not tried again.
    Refused {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
        /// Why.
        why: Refusal,
    },
    /// A message's time to live passed without a receipt: it is not tried again.
    Expired {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
    },
    /// A message was sent again for 14 days, and nobody confirmed it: it is not tried again.
    GivenUp {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
        /// When anything of the contact came last, Unix time in milliseconds.
        last_seen_ms: Option<u64>,
    },
    /// A strict message was not confirmed within a minute: nobody was there. It is not tried again.
    NobodyThere {
        /// For whom: the local name.
        contact: String,
        /// Which.
        message: MessageId,
    },
    /// Somebody used a code that was shown here and is a contact now: new and unverified.
    ContactMade {
        /// The local name, from what they proposed.
        contact: String,
    },
    /// A contact added here answered for the first time.
    ContactAnswered {
        /// The local name.
        contact: String,
    },
    /// Somebody without a code of this device wrote: see [`Client::requests`](crate::Client::requests).
    RequestArrived {
        /// The request's id.
        request: String,
    },
    /// The box knows a contact code's token: the code can be shown.
    CodeReady {
        /// The hash of its introduction token.
        token_hash: TokenHash,
    },
    /// A second device used a code that was shown here. It was refused. Say it loudly: the code went astray.
    CodeUsedTwice {
        /// The local name of the contact who used it first.
        first: String,
        /// What the second one proposed as its name, made safe; may be empty.
        second: String,
    },
    /// A contact's keys are not those that are known. Nothing is sealed to the new ones. Say it loudly.
    KeysChanged {
        /// The local name.
        contact: String,
    },
    /// A contact has other devices than before. It belongs into the conversation.
    DevicesChanged {
        /// The local name.
        contact: String,
        /// New ones, by their names.
        added: Vec<String>,
        /// Those that are not listed any more.
        removed: Vec<String>,
    },
    /// A contact's device list is past its expiry: its devices are written to all the same.
    DeviceListExpired {
        /// The local name.
        contact: String,
    },
    /// This member has other devices than before.
    OwnDevicesChanged {
        /// New ones, by their names.
        added: Vec<String>,
        /// Those that are not listed any more.
        removed: Vec<String>,
    },
    /// Two lists of this member's devices deny each other: the member key is in two hands. Say it loudly.
    OwnDevicesDisagree,
    /// The member took this device out of the list: nothing is sent any more, the history stays. Say it loudly.
    ThisDeviceRemoved,
    /// The device code can be shown: [`Client::device_code`](crate::Client::device_code).
    DeviceCodeReady,
    /// The box gives no ticket.
    DeviceCodeRefused {
        /// Why, with the next step.
        why: Refusal,
    },
    /// A device used the code that was shown here, and is one of this member now.
    DeviceAdded {
        /// Its name.
        name: String,
    },
    /// This new device is in its member's list.
    DevicePaired {
        /// What it is called there.
        name: String,
    },
    /// What the device that showed the code knows of contacts and messages has come.
    DeviceSynced,
    /// A second device used a device code. It was refused. Say it loudly: the code went astray.
    DeviceCodeUsedTwice {
        /// What the second one would be called, made safe; may be empty.
        name: String,
    },
    /// A box gave a bundle that its owner did not make, or an old one. Nothing is sealed to it.
    BadBundle {
        /// The local name of the contact whose bundle it should have been.
        contact: String,
        /// What is wrong with it.
        why: String,
    },
    /// The box at the other end is not the one that is pinned. Nothing secret was sent. Say it loudly.
    BoxIdentityChanged {
        /// On which connection.
        link: Link,
        /// The pin.
        expected: BoxIdentity,
        /// What the hello named.
        got: BoxIdentity,
    },
    /// The box names the pinned identity and cannot prove it on this connection: somebody is in between, or the box
    /// could not reach the TLS exporter. Nothing secret was sent. Say it loudly.
    BoxNotProven {
        /// On which connection.
        link: Link,
        /// The pin.
        expected: BoxIdentity,
    },
    /// The home box does not take this device's proof, or refuses its frames: a code of
    /// [`Code`](hob_protocol::code::Code).
    HomeRefused {
        /// Why, with the next step.
        why: Refusal,
    },
    /// A box lost windows, or its memory is not continuous: what has no receipt is sent again.
    BoxForgot {
        /// Which box.
        identity: BoxIdentity,
        /// How many windows it says it lost; 0 with a new epoch.
        lost_windows: usize,
    },
    /// A box has its identity proven, and an earlier memory than it had before: two boxes run with one identity, or an
    /// old copy of it does. Told once, until it is restored anew. Say it loudly.
    BoxTwice {
        /// On which connection.
        link: Link,
    },
    /// The box refused envelopes for this device because its mailbox was full. Their senders keep them.
    MailboxWasFull {
        /// How many.
        refused: u64,
    },
    /// A box goes down on purpose.
    Restarting {
        /// On which connection.
        link: Link,
        /// When it expects to be back.
        back_in: Duration,
    },
    /// Messages could not be opened on one side, and both agree on a new session by themselves: what was affected is sent
    /// again. Told once a day and contact.
    SessionRenewed {
        /// The local name.
        contact: String,
    },
    /// A contact's keys are new, certified by the device that is known, and are used from now on: the contact is not
    /// verified any more. Say it loudly.
    KeysRenewed {
        /// The local name.
        contact: String,
    },
    /// An envelope came that this device cannot open, and it does not say who could be asked. Told once an hour.
    Unreadable,
}

/// All consequences of one input, in order.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "the consequences of an input must be carried out, in order"]
pub struct Outputs(pub Vec<Output>);

impl IntoIterator for Outputs {
    type Item = Output;
    type IntoIter = std::vec::IntoIter<Output>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a command answers, and what must follow.
#[derive(Debug)]
#[must_use = "the consequences of a command must be carried out, in order"]
pub struct Done<T> {
    /// The answer. What it promises holds once the outputs up to and including [`Output::Save`] are carried out.
    pub value: T,
    /// The consequences.
    pub outputs: Outputs,
}
