//! It says so: quotas, restarts, figures.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::chat::ada_and_bob;
use hob_tests::people::{Device, envelope, reachable, submit, submit_new};
use hob_tests::wire::{Wire, code_of};

#[tokio::test]
async fn the_status_has_the_fields_that_others_rely_on_and_they_count() {
    let hob = HobBox::fresh();
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    let status = hob.json(&["status", "--json"]);
    for name in ["pending", "accepted", "delivered", "expired", "windows", "generation", "bytes_on_disk", "uptime_s"] {
        assert!(status[name].is_u64(), "{name} in {status}");
    }
    assert_eq!((&status["pending"], &status["accepted"], &status["windows"]), (&1.into(), &1.into(), &1.into()));
    assert!(status["bytes_on_disk"].as_u64().unwrap() > 2048);
    let text = String::from_utf8(hob.hob(&["status"]).stdout).unwrap();
    let (status, reminder) = text.split_once('\n').expect("a line, and what is still to be done");
    assert!(status.contains("1 pending") && status.ends_with("nothing unusual"), "{text}");
    assert!(reminder.contains("`hob backup FILE`") && reminder.lines().count() == 1, "{text}");
}

#[tokio::test]
async fn quotas_are_told_in_the_hello_and_every_refusal_says_when_to_come_back() {
    let hob = Start::default()
        .env("HOB_QUOTA_TOKEN_BURST", "6")
        .env("HOB_QUOTA_TOKEN_PER_SECOND", "1")
        .env("HOB_QUOTA_MAILBOX_ENVELOPES", "16")
        .env("HOB_QUOTA_MAILBOX_SMALL_PLACES", "0")
        .env("HOB_RETENTION", "2h")
        .fresh();
    let (_, mut owner, token) = reachable(&hob).await;
    let limits = owner.hello.limits;
    assert_eq!((limits.token_burst, limits.token_per_second, limits.mailbox_envelopes), (6, 1, 16));
    assert_eq!(limits.ttl_max, Duration::from_secs(90 * 60), "the retention less half an hour");
    let mut sender = Wire::connect(hob.address).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(sender.ask(submit(&token, envelope(2048))).await);
    }
    let told = |answer: &ServerBody| match answer {
        ServerBody::Accepted { .. } => None,
        ServerBody::Error { code, retry_after: Some(after), .. } => Some((*code, *after)),
        other => panic!("a refusal without a time: {other:?}"),
    };
    let refusals: Vec<_> = answers.iter().filter_map(told).collect();
    assert_eq!(answers.len() - refusals.len(), 4, "a quarter of the places for one token");
    let codes: Vec<u32> = refusals.iter().map(|(code, _)| *code).collect();
    assert!(codes.contains(&Code::MailboxFull.number()) && codes.contains(&Code::TooFast.number()), "{codes:?}");
    // The owner took everything, so that there is room again, and is told that some was turned away.
    let mut was_full = 0;
    let mut pushes = 0;
    while was_full == 0 || pushes < 4 {
        match owner.unasked().await {
            ServerBody::Push { id, .. } => {
                pushes += 1;
                owner.send(ClientBody::Acknowledge { ids: vec![id] }).await;
            }
            ServerBody::MailboxWasFull { refused } => was_full += refused,
            ServerBody::Done | ServerBody::CaughtUp => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(was_full as usize, codes.iter().filter(|&&code| code == Code::MailboxFull.number()).count());
}

#[tokio::test]
async fn a_box_that_goes_down_says_when_it_is_back_and_ends_well() {
    let mut hob = HobBox::fresh();
    let (_, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    hob.tell_to_stop();
    let mut told = None;
    while let Some(frame) = owner.frame().await {
        if let ServerBody::Restarting { back_in } = frame.body {
            told = Some(back_in);
        }
    }
    assert!(told.is_some_and(|back_in| back_in > Duration::ZERO), "{told:?}");
    assert!(hob.ended().success(), "exit 0 within 5 s");
    assert!(!hob.said().contains("panic"), "{}", hob.said());
    hob.start_again();
    assert_eq!(hob.status("pending"), 1);
}

#[test]
fn who_follows_gets_what_comes_after_the_box_was_away() {
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let mut following =
        ada.command(&["receive", "--follow"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("Ada's device is connected", || hob.status("connected") == 1);
    assert!(hob.stop().success());
    hob.start_again();
    bob.ok(&["send", "ada", "back again", "--wait", "0s"]);
    let mut line = String::new();
    BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("  back again\n"), "{line:?}");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn a_second_box_on_the_same_folder_is_refused_with_the_first_ones_pid() {
    let mut hob = HobBox::fresh();
    let said = Start::default().over(&hob.data).err().unwrap();
    assert!(said.contains("exit status: 1"), "{said}");
    assert!(said.contains(&hob.pid().to_string()), "{said}");
    hob.assert_well();
    assert_eq!(hob.status("pending"), 0, "and the first goes on");
}

#[tokio::test]
async fn no_level_of_the_log_names_an_address_a_token_a_mailbox_or_a_label() {
    let hob = Start::default().env("HOB_LOG_LEVEL", "trace").fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let introduction = device.grant(&mut owner, TokenKind::Introduction).await;
    let mut sender = Wire::connect(hob.address).await;
    let from = sender.socket.get_ref().get_ref().0.local_addr().unwrap();
    submit_new(&mut sender, &token, envelope(2048)).await;
    submit_new(&mut sender, &introduction, envelope(2048)).await;
    let stranger = Device { key: device.key.clone(), mailbox: device.mailbox, address: hob.address };
    drop(stranger.prove().await);
    let refused = sender.ask(submit(&hob_protocol::ids::DeliveryToken([7; 32]), envelope(2048))).await;
    assert_eq!(code_of(&refused), Some(Code::NoSuchToken));
    wait_for("the box has noticed", || hob.status("connected") == 0);
    let said = hob.said();
    assert!(!said.is_empty(), "the log is on");
    let forbidden = [
        from.port().to_string(),
        "tester".to_owned(),
        device.mailbox.to_string(),
        device.public().to_string(),
        token.hash().to_string(),
        data_encoding::HEXLOWER.encode(token.expose()),
        data_encoding::HEXLOWER.encode(introduction.expose()),
    ];
    for word in forbidden {
        assert!(!said.contains(&word) && !said.contains(&word.to_uppercase()), "{word} in {said}");
    }
}
