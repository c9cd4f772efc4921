use std::time::Duration;

use hob_protocol::code::{Code, Refused};
use hob_protocol::frame::ClientBody;

use super::world::{HOUR, World};
use super::{ADA, BOB, acquainted, paired};
use crate::seal::middle::Middle;
use crate::seal::outer;
use crate::{MessageStatus, Notice, SendOptions, WaitReason};

/// The inner ciphertexts of everything that was accepted for Ada. Her prekeys of the whole time are tried.
fn inner_ciphertexts(world: &World) -> Vec<Vec<u8>> {
    let client = &world.devices[ADA].client;
    let mailbox = client.home().unwrap().mailbox;
    let mine = world.boxes[0].accepted.iter().filter(|(to, _)| *to == mailbox);
    mine.map(|(_, envelope)| {
        let secret = |id| client.state.keys.prekey_secret(id);
        let opened = outer::open_envelope(&client.device_key(), secret, envelope).unwrap();
        Middle::decode(&opened).unwrap().inner
    })
    .collect()
}

#[test]
fn what_expired_unread_is_sent_again_with_the_same_inner_ciphertext_and_shown_once() {
    let mut world = acquainted();
    world.stop(ADA);
    let accepted = world.boxes[0].accepted.len();
    let id = world.send(BOB, "ada", "are you there?");
    let kept = world.devices[BOB].client.status_of(&id);
    assert!(matches!(kept, Some(MessageStatus::Kept { .. })));
    world.pass(5 * HOUR);
    assert_eq!(world.boxes[0].accepted.len() - accepted, 1, "what the box still holds is never sent again");
    world.pass(HOUR);
    assert_eq!(world.boxes[0].accepted.len() - accepted, 2, "after its deadline it goes again");
    let inner = inner_ciphertexts(&world);
    let [.., first, second] = &inner[..] else { panic!("two") };
    assert_eq!(first, second);
    let (_, sealed) = &world.boxes[0].accepted[accepted];
    assert_ne!(*sealed, world.boxes[0].accepted[accepted + 1].1, "under a new outer layer");
    world.start(ADA);
    assert_eq!(world.read(ADA), ["are you there?"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

#[test]
fn a_message_that_comes_again_is_not_shown_again_and_its_receipt_is_repeated() {
    let mut world = acquainted();
    // Bob does not hear of Ada's receipt: it expires while he is away.
    let id = world.send(BOB, "ada", "did you get this?");
    assert_eq!(world.read(ADA), ["did you get this?"]);
    let mut world = acquainted_with_lost_receipt(world, id);
    world.start(BOB);
    world.pass(3_000);
    assert!(world.read(ADA).is_empty(), "shown once");
    let receipts = world.devices[ADA].frames.iter().filter(|frame| matches!(frame.body, ClientBody::Submit { .. }));
    assert!(receipts.count() >= 3, "and confirmed again");
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
}

/// Takes Bob back to a time before the receipt, seven hours ago.
fn acquainted_with_lost_receipt(mut world: World, id: crate::MessageId) -> World {
    let now_ms = world.now_ms;
    let bob = &mut world.devices[BOB].client;
    let item = bob.state.history.iter_mut().find(|item| item.id == id).unwrap();
    item.standing = crate::state::Standing::InOutbox;
    let ada = bob.state.peers[0].device;
    // The inner ciphertext as it was sent.
    let envelope = world.boxes[0].accepted.iter().rev();
    let adas_mailbox = world.devices[ADA].client.home().unwrap().mailbox;
    let (_, envelope) = envelope.clone().find(|(to, _)| *to == adas_mailbox).unwrap();
    let keys = &world.devices[ADA].client.state.keys;
    let opened = outer::open_envelope(&ada, |prekey| keys.prekey_secret(prekey), envelope).unwrap();
    let middle = Middle::decode(&opened).unwrap();
    let text = "did you get this?".to_owned();
    let body = crate::outbox::OutBody::Text { text, view_once: false, quote: None };
    let mut entry = crate::outbox::Entry::new(id, ada, body, now_ms);
    entry.inner =
        Some(crate::seal::olm::InnerCiphertext { kind: middle.kind, session: middle.session, bytes: middle.inner });
    entry.stage = crate::outbox::Stage::Kept { since_ms: now_ms, until_ms: now_ms + 5 * HOUR };
    let bob = &mut world.devices[BOB];
    bob.client.state.outbox.push(entry);
    bob.saved = bob.client.save().to_vec();
    world.kill(BOB);
    world.pass(7 * HOUR);
    world
}

#[test]
fn fifty_first_messages_in_any_order_all_open() {
    let mut world = paired();
    world.stop(ADA);
    let mut texts: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for text in &texts {
        world.send(BOB, "ada", text);
    }
    world.shuffle = Some((0..50).map(|place| (49 + place * 43) % 50).collect());
    world.start(ADA);
    world.pass(5_000);
    let mut read = world.read(ADA);
    read.sort();
    texts.sort();
    assert_eq!(read, texts);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn fifty_first_messages_backwards_all_open() {
    let mut world = paired();
    world.stop(ADA);
    for number in 0..50 {
        world.send(BOB, "ada", &number.to_string());
    }
    world.shuffle = Some((0..50).rev().collect());
    world.start(ADA);
    assert_eq!(world.read(ADA).len(), 50);
}

#[test]
fn fifty_later_messages_backwards_all_open() {
    let mut world = acquainted();
    world.stop(ADA);
    for number in 0..50 {
        world.send(BOB, "ada", &number.to_string());
    }
    world.shuffle = Some((0..50).rev().collect());
    world.start(ADA);
    world.pass(10_000);
    assert_eq!(world.read(ADA).len(), 50);
    assert_eq!(world.devices[BOB].client.summary(world.now_ms).unconfirmed, 0);
}

#[test]
fn a_replayed_first_message_opens_no_second_session_and_is_not_shown() {
    let mut world = paired();
    world.send(BOB, "ada", "first");
    assert_eq!(world.read(ADA), ["first"]);
    world.pass(5_000);
    let (mailbox, envelope) = world.boxes[0].accepted[0].clone();
    // Even where its session is long gone, the library would open it again.
    let replayed = world.devices[ADA].client.state.peers[0].sessions[0].id;
    world.devices[ADA].client.state.peers[0].sessions.clear();
    world.push(ADA, envelope.id_in(&mailbox), envelope);
    world.pass(5_000);
    assert!(world.read(ADA).is_empty());
    let sessions = &world.devices[ADA].client.state.peers[0].sessions;
    assert!(sessions.iter().all(|session| session.id != replayed));
}

#[test]
fn what_a_box_lost_is_sent_again_at_once() {
    let mut world = acquainted();
    world.stop(ADA);
    world.send(BOB, "ada", "one");
    world.send(BOB, "ada", "two");
    world.take_down(0);
    world.boxes[0].mail.clear();
    world.boxes[0].epoch = 2;
    world.boxes[0].knows_lists = false;
    world.boxes[0].up = true;
    world.pass(10_000);
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::BoxForgot { .. })));
    world.start(ADA);
    assert_eq!(world.read(ADA), ["one", "two"], "in order");
}

#[test]
fn a_lost_window_sends_again_what_was_in_it_and_nothing_else() {
    let mut world = acquainted();
    world.stop(ADA);
    let opened_s = world.now_ms / 1000;
    world.send(BOB, "ada", "in the lost window");
    world.pass(3 * HOUR);
    world.send(BOB, "ada", "in another");
    let accepted = world.boxes[0].accepted.len();
    world.take_down(0);
    let lost = world.boxes[0].mail.len() - 2;
    world.boxes[0].mail.remove(lost);
    world.boxes[0].lost_windows = vec![opened_s];
    world.boxes[0].up = true;
    world.pass(10_000);
    assert_eq!(world.boxes[0].accepted.len() - accepted, 1);
    world.start(ADA);
    let mut read = world.read(ADA);
    read.sort();
    assert_eq!(read, ["in another", "in the lost window"]);
}

#[test]
fn a_box_that_lost_its_token_list_gets_it_whole() {
    let mut world = acquainted();
    world.take_down(0);
    world.boxes[0].tokens.clear();
    world.boxes[0].bundles.clear();
    world.boxes[0].knows_lists = false;
    world.boxes[0].epoch = 2;
    world.stop_all();
    world.boxes[0].up = true;
    world.start(ADA);
    assert_eq!(world.boxes[0].tokens.len(), 2, "Bob's token and the code's");
    assert_eq!(world.boxes[0].bundles.len(), 1);
    world.start(BOB);
    world.send(BOB, "ada", "still there");
    assert_eq!(world.read(ADA), ["still there"]);
}

#[test]
fn a_device_that_was_away_for_long_says_so_and_gets_what_expired() {
    let mut world = acquainted();
    world.stop(ADA);
    world.send(BOB, "ada", "long ago");
    world.stop(BOB);
    world.pass(30 * HOUR);
    // Bob's program ran once in between and sent it again; that expired too.
    world.start(BOB);
    world.kill(BOB);
    world.pass(30 * HOUR);
    world.start(ADA);
    assert!(world.read(ADA).is_empty(), "the box forgot");
    world.stop(ADA);
    let backs = world.boxes[0].mail.iter().filter(|kept| !kept.acknowledged && kept.deadline_ms > world.now_ms);
    assert_eq!(backs.count(), 1, "one `back` waits for Bob");
    world.start(BOB);
    world.stop(BOB);
    world.start(ADA);
    assert_eq!(world.read(ADA), ["long ago"]);
}

#[test]
fn a_message_is_given_up_after_fourteen_days() {
    let mut world = acquainted();
    world.stop(ADA);
    let id = world.send(BOB, "ada", "anybody?");
    world.pass(13 * 24 * HOUR);
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Kept { .. })));
    world.pass(2 * 24 * HOUR);
    assert!(matches!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::GivenUp { .. })));
    let accepted = world.boxes[0].accepted.len();
    world.pass(24 * HOUR);
    assert_eq!(world.boxes[0].accepted.len(), accepted);
}

#[test]
fn view_once_is_never_sent_again() {
    let mut world = acquainted();
    world.stop(ADA);
    let options = SendOptions { view_once: true, ..SendOptions::default() };
    let id = world.send_with(BOB, "ada", "burn this", options);
    let accepted = world.boxes[0].accepted.len();
    world.pass(7 * HOUR);
    assert_eq!(world.boxes[0].accepted.len(), accepted);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Expired));
}

#[test]
fn a_full_mailbox_keeps_a_message_in_the_outbox_and_its_envelope_the_same() {
    let mut world = acquainted();
    world.boxes[0].refuse_submits = Some(Refused::for_now(Code::MailboxFull, Duration::from_secs(60)));
    let id = world.send(BOB, "ada", "no room");
    let waiting = world.devices[BOB].client.status_of(&id);
    let why = WaitReason::MailboxFull;
    assert!(matches!(waiting, Some(MessageStatus::Outbox { why: got, retry_at_ms: Some(_), .. }) if got == why));
    assert!(world.devices[BOB].client.everything_flushed(world.now_ms), "nothing can be done now");
    world.boxes[0].refuse_submits = None;
    world.pass(61_000);
    assert_eq!(world.read(ADA), ["no room"]);
}

#[test]
fn a_contact_who_took_the_token_back_refuses_for_good() {
    let mut world = acquainted();
    world.boxes[0].tokens.clear();
    let id = world.send(BOB, "ada", "hello?");
    let code = Code::NoSuchToken.number();
    let status = world.devices[BOB].client.status_of(&id);
    assert!(matches!(status, Some(MessageStatus::Refused { why }) if why.code == code));
    assert!(world.has_notice(BOB, |notice| matches!(notice, Notice::Refused { message, .. } if *message == id)));
}

#[test]
fn a_message_that_cannot_be_opened_is_asked_for_once_and_encrypted_afresh() {
    let mut world = acquainted();
    world.stop(ADA);
    let id = world.send(BOB, "ada", "sealed to a lost session");
    // Ada's sessions are gone: restored from an older copy, say.
    let mut ada = crate::Client::load(&world.devices[ADA].saved).unwrap();
    ada.state.peers[0].sessions.clear();
    world.devices[ADA].saved = ada.save().to_vec();
    world.start(ADA);
    world.pass(5_000);
    assert_eq!(world.read(ADA), ["sealed to a lost session"]);
    assert_eq!(world.devices[BOB].client.status_of(&id), Some(MessageStatus::Delivered));
    world.send(BOB, "ada", "and the next");
    assert_eq!(world.read(ADA), ["and the next"]);
}

#[test]
fn prekeys_rotate_while_online_and_messages_keep_coming() {
    let mut world = acquainted();
    let first = world.boxes[0].bundles.clone();
    world.pass(13 * HOUR);
    assert_ne!(world.boxes[0].bundles, first);
    world.send(BOB, "ada", "after a while");
    assert_eq!(world.read(ADA), ["after a while"]);
    world.pass(20 * 24 * HOUR);
    world.send(BOB, "ada", "after a new fallback key");
    assert_eq!(world.read(ADA), ["after a new fallback key"]);
}
