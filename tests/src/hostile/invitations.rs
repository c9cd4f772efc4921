//! Invitations: expired, used twice, redeemed again, of another box, changed by a character.

use ed25519_dalek::SigningKey;
use hob_protocol::code::Code;
use hob_protocol::frame::ServerBody;
use hob_protocol::ids::{InvitationId, InvitationSecret};
use hob_protocol::invitation::Invitation;
use hob_tests::boxes::{HobBox, Start};
use hob_tests::chat::Person;
use hob_tests::clock::{HOUR, TEN_YEARS, WallClock};
use hob_tests::people::{Device, redeem};
use hob_tests::wire::{Wire, code_of};

fn fresh_key() -> SigningKey {
    Device::random_key()
}

fn invitation(hob: &HobBox) -> Invitation {
    Invitation::parse(&hob.invite()).unwrap()
}

async fn redeem_anew(hob: &HobBox, invitation: &Invitation, key: &SigningKey) -> ServerBody {
    redeem(&mut Wire::connect(hob.address).await, invitation, key).await
}

#[tokio::test]
async fn an_invitation_is_used_once_and_the_second_device_is_refused() {
    let mut hob = HobBox::fresh();
    let invitation = invitation(&hob);
    let first = redeem_anew(&hob, &invitation, &fresh_key()).await;
    assert!(matches!(first, ServerBody::Admitted { .. }), "{first:?}");
    let mut wire = Wire::connect(hob.address).await;
    let second = redeem(&mut wire, &invitation, &fresh_key()).await;
    assert_eq!(code_of(&second), Some(Code::NoSuchInvitation));
    wire.assert_open().await;
    assert_eq!(hob.status("members"), 1);
    // And no crash brings it back.
    hob.kill();
    hob.start_again();
    let third = redeem_anew(&hob, &invitation, &fresh_key()).await;
    assert_eq!(code_of(&third), Some(Code::NoSuchInvitation));
    hob.assert_well();
}

#[tokio::test]
async fn the_same_key_redeems_again_after_a_lost_answer_even_if_the_box_crashed_meanwhile() {
    let mut hob = HobBox::fresh();
    let (invitation, key) = (invitation(&hob), fresh_key());
    let first = redeem_anew(&hob, &invitation, &key).await;
    assert!(matches!(first, ServerBody::Admitted { .. }), "{first:?}");
    assert_eq!(redeem_anew(&hob, &invitation, &key).await, first, "the same member and mailbox");
    hob.kill();
    hob.start_again();
    assert_eq!(redeem_anew(&hob, &invitation, &key).await, first);
    assert_eq!(hob.status("members"), 1);
    hob.assert_well();
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_invitation_are_answered_alike() {
    let mut hob = HobBox::fresh();
    let good = invitation(&hob);
    let wrong = Invitation { secret: InvitationSecret([0xee; 16]), ..good.clone() };
    let unknown = Invitation { id: InvitationId([0xee; 16]), ..good.clone() };
    let (mut first, mut second) = (Wire::connect(hob.address).await, Wire::connect(hob.address).await);
    let answers = (redeem(&mut first, &wrong, &fresh_key()).await, redeem(&mut second, &unknown, &fresh_key()).await);
    assert_eq!(code_of(&answers.0), Some(Code::NoSuchInvitation));
    assert_eq!(answers.0, answers.1);
    first.assert_open().await;
    let answer = redeem(&mut first, &good, &fresh_key()).await;
    assert!(matches!(answer, ServerBody::Admitted { .. }), "the connection and the invitation are still good");
    hob.assert_well();
}

#[tokio::test]
async fn an_invitation_past_its_expiry_is_refused_once_the_time_is_confirmed_and_not_before() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (ada, bob) = (Device::join(hob.address, &hob.invite()).await, Device::join(hob.address, &hob.invite()).await);
    let short =
        Invitation::parse(hob.json(&["invite", "--json", "--expires", "1h"])["link"].as_str().unwrap()).unwrap();
    assert!(hob.stop().success());
    clock.off_by(2 * HOUR);
    hob.start_again();
    for device in [&ada, &bob] {
        device.prove_at(short.expires_at_s + 3600).await;
    }
    let mut wire = Wire::connect(hob.address).await;
    let answer = redeem(&mut wire, &short, &fresh_key()).await;
    assert_eq!(code_of(&answer), Some(Code::InvitationExpired), "{}", hob.said());
    wire.assert_open().await;
    hob.assert_well();
}

#[tokio::test]
async fn a_clock_ten_years_ahead_that_nobody_confirms_expires_no_invitation() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let invitation = invitation(&hob);
    assert!(hob.stop().success());
    clock.off_by(TEN_YEARS);
    hob.start_again();
    let answer = redeem_anew(&hob, &invitation, &fresh_key()).await;
    assert!(matches!(answer, ServerBody::Admitted { .. }), "{answer:?}");
    hob.assert_well();
}

#[test]
fn hob_chat_refuses_an_expired_invitation_by_its_own_clock() {
    let hob = HobBox::fresh();
    let mut old = invitation(&hob);
    old.expires_at_s = 1_000_000_000;
    let ada = Person::new();
    let said = ada.fails(1, &["join", &old.to_link()]);
    assert!(said.contains("expired"), "{said}");
    assert_eq!(hob.status("members"), 0);
    ada.ok(&["join", &hob.invite()]);
}

#[test]
fn an_invitation_to_another_box_is_noticed_before_anything_is_sent() {
    let (hob, mut other) = (HobBox::fresh(), HobBox::fresh());
    let there = invitation(&other);
    let misled = Invitation { addresses: there.addresses, ..invitation(&hob) };
    let said = Person::new().fails(1, &["join", &misled.to_link()]);
    assert!(said.contains("NOT THE ONE") || said.contains("not the one"), "{said}");
    assert_eq!((hob.status("members"), other.status("members")), (0, 0));
    other.assert_well();
}

#[tokio::test]
async fn a_box_does_not_know_another_boxs_invitations() {
    let (hob, mut other) = (HobBox::fresh(), HobBox::fresh());
    let answer = redeem_anew(&other, &invitation(&hob), &fresh_key()).await;
    assert_eq!(code_of(&answer), Some(Code::NoSuchInvitation));
    other.assert_well();
}

#[test]
fn one_changed_character_is_noticed_by_hob_chat_and_the_right_link_still_works() {
    let hob = HobBox::fresh();
    let link = hob.invite();
    let ada = Person::new();
    for at in ["hob://join/".len(), link.len() / 2, link.len() - 1] {
        let mut changed = link.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let output = ada.run(&["join", &String::from_utf8(changed).unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("copy it whole"), "character {at}: {said}");
    }
    for cut in ["hob://join/", &link[..link.len() / 2]] {
        assert!(!ada.run(&["join", cut]).status.success(), "{cut}");
    }
    ada.ok(&["join", &link]);
    assert_eq!(hob.status("members"), 1);
}

#[test]
fn an_invitation_is_good_for_a_minute_to_thirty_days() {
    let hob = HobBox::fresh();
    for bad in ["0s", "59s", "31d", "-1h", "soon", "24"] {
        let output = hob.hob(&["invite", "--json", "--expires", bad]);
        assert_eq!(output.status.code(), Some(2), "{bad}");
        assert!(output.stdout.is_empty(), "{bad}");
    }
}
