//! Delivery tokens: unknown, revoked, of a mailbox that is gone.

use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody, ServerFrame, TokenKind};
use hob_protocol::ids::DeliveryToken;
use hob_protocol::limits::INTRODUCTION_PENDING_MAX;
use hob_tests::boxes::HobBox;
use hob_tests::people::{Device, drain, envelope, random, reachable, submit, submit_new};
use hob_tests::wire::{Wire, code_of};

/// The answers to a submit and a bundle fetch with a token, byte for byte.
async fn answers(hob: &HobBox, token: &DeliveryToken) -> [Bytes; 2] {
    let mut wire = Wire::connect(hob.address).await;
    let envelope = envelope(2048);
    wire.send(submit(token, envelope)).await;
    let submitted = wire.raw_frame().await.unwrap();
    wire.send(ClientBody::BundleFetch { token: token.clone() }).await;
    let fetched = wire.raw_frame().await.unwrap();
    wire.assert_open().await;
    [submitted, fetched]
}

fn assert_refused(answers: &[Bytes]) {
    for answer in answers {
        let frame = ServerFrame::decode(answer.clone()).unwrap();
        assert_eq!(code_of(&frame.body), Some(Code::NoSuchToken), "{:?}", frame.body);
    }
}

#[tokio::test]
async fn unknown_revoked_and_orphaned_tokens_are_answered_alike_byte_for_byte() {
    let mut hob = HobBox::fresh();
    let (_, mut owner, revoked) = reachable(&hob).await;
    let (gone, gone_owner, orphaned) = reachable(&hob).await;
    drop(gone_owner);
    submit_new(&mut Wire::connect(hob.address).await, &revoked, envelope(2048)).await;
    assert_eq!(owner.ask(ClientBody::TokenRevoke { token_hash: revoked.hash() }).await, ServerBody::Done);
    let output = hob.hob(&["revoke", &gone.mailbox.to_string(), "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let unknown = answers(&hob, &DeliveryToken(random())).await;
    assert_refused(&unknown);
    assert_eq!(answers(&hob, &revoked).await, unknown, "revoked");
    assert_eq!(answers(&hob, &orphaned).await, unknown, "of a deleted mailbox");
    hob.kill();
    hob.start_again();
    for token in [&revoked, &orphaned] {
        assert_eq!(answers(&hob, token).await, unknown, "and no crash brings it back");
    }
    assert_eq!(hob.status("accepted"), 0, "since this start");
    assert_eq!(hob.status("pending"), 1, "what the revoked token brought before");
    hob.assert_well();
}

#[tokio::test]
async fn a_device_that_was_revoked_is_told_and_its_mail_is_destroyed_with_it() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    let output = hob.hob(&["revoke", &device.mailbox.to_string(), "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(owner.closed().await, Some(Code::Revoked));
    let mut again = Wire::connect(hob.address).await;
    assert_eq!(code_of(&device.prove_on(&mut again).await), Some(Code::NotAMember));
    assert_eq!(hob.status("pending"), 0);
    sender.assert_open().await;
    hob.assert_well();
}

#[tokio::test]
async fn who_guesses_tokens_is_slowed_down_and_let_go() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let mut guesser = Wire::connect(hob.address).await;
    for _ in 0..40 {
        guesser.send(submit(&DeliveryToken(random()), envelope(2048))).await;
    }
    assert!(matches!(guesser.closed().await, Some(Code::TooFast | Code::NoSuchToken)));
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
}

#[tokio::test]
async fn an_introduction_token_holds_no_more_than_its_few_envelopes() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, _) = reachable(&hob).await;
    let introduction = device.grant(&mut owner, TokenKind::Introduction).await;
    drop(owner);
    let mut sender = Wire::connect(hob.address).await;
    for _ in 0..INTRODUCTION_PENDING_MAX {
        submit_new(&mut sender, &introduction, envelope(2048)).await;
    }
    let answer = sender.ask(submit(&introduction, envelope(2048))).await;
    assert_eq!(code_of(&answer), Some(Code::MailboxFull));
    assert_eq!(drain(&mut device.prove().await).await.len() as u32, INTRODUCTION_PENDING_MAX);
    submit_new(&mut sender, &introduction, envelope(2048)).await;
    hob.assert_well();
}

#[tokio::test]
async fn nobody_can_grant_or_revoke_a_token_of_somebody_elses_mailbox() {
    let mut hob = HobBox::fresh();
    let (victim, victims_owner, token) = reachable(&hob).await;
    drop(victims_owner);
    let mallory = Device::join(hob.address, &hob.invite()).await;
    let mut owner = mallory.prove().await;
    let grant = hob_protocol::frame::Grant { token_hash: token.hash(), kind: TokenKind::Contact };
    assert_eq!(code_of(&owner.ask(ClientBody::TokenGrant(grant)).await), Some(Code::NoSuchToken));
    // Whether a token is there is not told, so the answer to a revocation is always the same.
    owner.ask(ClientBody::TokenRevoke { token_hash: token.hash() }).await;
    owner.ask(ClientBody::TokenList { grants: Vec::new() }).await;
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    assert_eq!(drain(&mut victim.prove().await).await.len(), 1);
    hob.assert_well();
}
