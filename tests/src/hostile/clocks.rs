//! The wall clock: back to 1970, forward ten years, seven hours later; while the box runs and while it is off.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::chat::{Person, ada_and_bob};
use hob_tests::clock::{HOUR, TEN_YEARS, WallClock};
use hob_tests::people::{Device, drain, envelope, reachable, submit_new};
use hob_tests::wire::Wire;

async fn submit_some(hob: &HobBox, token: &hob_protocol::ids::DeliveryToken) {
    submit_new(&mut Wire::connect(hob.address).await, token, envelope(2048)).await;
}

#[tokio::test]
async fn a_clock_that_jumps_while_the_box_runs_loses_no_envelope_token_or_invitation() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let invitation = hob.invite();
    submit_some(&hob, &token).await;
    clock.to_1970();
    submit_some(&hob, &token).await;
    let made_in_1970 = hob.invite();
    clock.off_by(TEN_YEARS);
    submit_some(&hob, &token).await;
    assert_eq!((hob.status("pending"), hob.status("expired")), (3, 0));
    assert_eq!(drain(&mut device.prove().await).await.len(), 3);
    for link in [invitation, made_in_1970] {
        Device::join(hob.address, &link).await;
    }
    clock.off_by(0);
    submit_some(&hob, &token).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
}

#[tokio::test]
async fn a_box_that_starts_in_1970_still_delivers_what_it_accepted() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let invitation = hob.invite();
    submit_some(&hob, &token).await;
    hob.kill();
    clock.to_1970();
    hob.start_again();
    assert_eq!(hob.status("pending"), 1);
    submit_some(&hob, &token).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 2);
    Device::join(hob.address, &invitation).await;
    // And the time that it knew does not go back with the next start either.
    assert!(hob.stop().success());
    hob.start_again();
    submit_some(&hob, &token).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
}

#[test]
fn an_invitation_that_a_box_makes_in_1970_is_good_for_people_with_a_right_clock() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    assert!(hob.stop().success());
    clock.to_1970();
    hob.start_again();
    let ada = Person::joined(&hob.invite(), "ada");
    assert_eq!(ada.texts(), [] as [&str; 0]);
    hob.assert_well();
}

#[tokio::test]
async fn a_box_that_starts_ten_years_ahead_forgets_its_windows_and_keeps_members_and_tokens() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_some(&hob, &token).await;
    assert!(hob.stop().success());
    clock.off_by(TEN_YEARS);
    hob.start_again();
    assert_eq!(hob.status("pending"), 0, "it errs to forgetting, and the senders remember");
    submit_some(&hob, &token).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 1, "the token lives");
    clock.off_by(0);
    assert!(hob.stop().success());
    hob.start_again();
    submit_some(&hob, &token).await;
    assert_eq!(drain(&mut device.prove().await).await.len(), 1, "and after the clock was set right");
    hob.assert_well();
}

#[tokio::test]
async fn seven_hours_later_the_old_window_is_gone_before_the_port_opens() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_some(&hob, &token).await;
    let before = window_folders(&hob.data);
    assert!(!before.is_empty(), "there is a window");
    assert!(hob.stop().success());
    clock.off_by(7 * HOUR);
    hob.start_again();
    let after = window_folders(&hob.data);
    assert!(before.is_disjoint(&after), "{before:?} and {after:?}");
    assert_eq!(drain(&mut device.prove().await).await.len(), 0);
    hob.assert_well();
}

/// The folders of the log's windows.
fn window_folders(data: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut to_visit = vec![data.to_path_buf()];
    while let Some(folder) = to_visit.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_in_windows = path.parent().is_some_and(|parent| parent.ends_with("windows"));
            if path.is_dir() && is_in_windows {
                found.insert(path);
            } else if path.is_dir() {
                to_visit.push(path);
            }
        }
    }
    found
}

#[test]
fn what_the_box_had_to_forget_the_senders_device_sends_again_and_it_comes_once() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let (ada, bob) = (clock.given_to(ada), clock.given_to(bob));
    bob.ok(&["send", "ada", "supper at eight", "--wait", "0s"]);
    assert!(hob.stop().success());
    clock.off_by(7 * HOUR);
    hob.start_again();
    assert_eq!(ada.texts(), [] as [&str; 0], "the box forgot it");
    bob.ok(&["receive"]);
    assert_eq!(ada.texts(), ["supper at eight"]);
    bob.ok(&["receive"]);
    assert_eq!(ada.texts(), [] as [&str; 0]);
    assert_eq!(bob.json(&["history", "ada"]).last().unwrap()["status"], "delivered");
    hob.assert_well();
}

#[test]
fn a_device_with_a_wrong_clock_loses_nothing_and_sends_once_the_clock_is_right() {
    let clock = WallClock::right();
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let bob = clock.given_to(bob);
    let mut texts = Vec::new();
    for (offset, text) in [(TEN_YEARS, "from the future"), (-TEN_YEARS, "from the past")] {
        clock.off_by(offset);
        // Sent or kept back, but never refused for good: keys that look expired may only look so.
        let output = bob.run(&["send", "ada", text, "--wait", "0s"]);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
        texts.extend(ada.texts());
    }
    clock.off_by(0);
    // The box of a contact is asked again after a while; a new message asks now.
    wait_for("what was kept back goes out", || {
        bob.run(&["send", "ada", "the clock is right", "--wait", "0s"]).status.success()
    });
    texts.extend(ada.texts());
    assert_eq!(texts[..2], ["from the future", "from the past"], "{texts:?}");
    assert!(texts.len() > 2 && texts[2..].iter().all(|text| text == "the clock is right"), "{texts:?}");
    hob.assert_well();
}

#[test]
fn the_first_invitation_of_a_box_without_a_clock_lets_somebody_with_one_in() {
    let clock = WallClock::right();
    clock.to_1970();
    let mut hob = clock.on(Start::default()).fresh();
    let ada = Person::joined(hob.invitation.as_ref().unwrap(), "ada");
    assert_eq!(ada.texts(), [] as [&str; 0]);
    hob.assert_well();
}
