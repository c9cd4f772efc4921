//! What the box accepted, it delivers; and nothing is answered before it is durable.

use std::time::{Duration, Instant};

use hob_protocol::frame::{ClientBody, ServerBody, TokenKind};
use hob_tests::boxes::{HobBox, Start, tool, wait_for, wait_within};
use hob_tests::people::{Device, drain, envelope, pushed, reachable, submit, submit_new};
use hob_tests::wire::Wire;

#[tokio::test]
async fn the_answer_to_a_submit_waits_for_the_sync() {
    const DELAY: Duration = Duration::from_millis(1500);
    let strace = tool("strace", "strace");
    let strace = strace.to_str().unwrap();
    // To a file: else strace's own words would be taken for the box's.
    let trace = tempfile::NamedTempFile::new().unwrap();
    let inject = "inject=fdatasync,fsync:delay_enter=1500000";
    let path = trace.path().to_str().unwrap();
    let wrapper = [strace, "-f", "-qq", "-o", path, "-e", "trace=fsync,fdatasync", "-e", inject];
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    assert!(hob.stop().success());
    // Only now are syncs slow: a first start has dozens of them.
    hob.start_again_as(&Start::default().wrapped(&wrapper));
    let mut sender = Wire::connect(hob.address).await;
    let before = Instant::now();
    submit_new(&mut sender, &token, envelope(2048)).await;
    let took = before.elapsed();
    assert!(took >= DELAY, "answered after {took:?}, before the sync could be done");
    let traced = std::fs::read_to_string(trace.path()).unwrap();
    assert!(traced.contains("fdatasync("), "strace saw the sync: {traced}");
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
    hob.kill();
}

#[tokio::test]
async fn every_envelope_that_was_accepted_before_a_crash_is_pushed_after_it_oldest_first() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let mut accepted = Vec::new();
    for round in 0..5 {
        let mut sender = Wire::connect(hob.address).await;
        for size in [2048, 4096, 65_536] {
            let envelope = envelope(size);
            accepted.push(envelope.id_in(&device.mailbox));
            submit_new(&mut sender, &token, envelope).await;
        }
        // Under way and never answered: it may arrive or not, and the others arrive all the same.
        sender.send(submit(&token, envelope(8192))).await;
        hob.kill();
        hob.start_again();
        assert!(hob.status("pending") >= 3 * (round + 1), "round {round}");
    }
    let got = drain(&mut device.prove().await).await;
    let got: Vec<_> = got.into_iter().filter(|id| accepted.contains(id)).collect();
    assert_eq!(got, accepted);
    hob.assert_well();
}

#[tokio::test]
async fn what_was_not_acknowledged_is_pushed_again_and_what_was_is_not() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    let (first, second) = (pushed(&mut owner).await, pushed(&mut owner).await);
    owner.ask(ClientBody::Acknowledge { ids: vec![first] }).await;
    drop(owner);
    assert_eq!(drain(&mut device.prove().await).await, [second]);
    assert_eq!(drain(&mut device.prove().await).await, []);
    assert!(hob.stop().success());
    hob.start_again();
    assert_eq!(hob.status("pending"), 0);
    assert_eq!(drain(&mut device.prove().await).await, []);
    hob.assert_well();
}

#[tokio::test]
async fn a_crash_brings_back_at_most_what_was_acknowledged_since_the_last_commit_and_never_anything_else() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    let first = pushed(&mut owner).await;
    owner.ask(ClientBody::Acknowledge { ids: vec![first] }).await;
    // The acknowledgement rides with this one's commit.
    submit_new(&mut sender, &token, envelope(2048)).await;
    let second = pushed(&mut owner).await;
    owner.ask(ClientBody::Acknowledge { ids: vec![second] }).await;
    hob.kill();
    hob.start_again();
    let again = drain(&mut device.prove().await).await;
    assert!(again.is_empty() || again == [second], "a repeated push is what the message ids are for: {again:?}");
    hob.assert_well();
}

#[tokio::test]
async fn a_repeated_submit_is_never_delivered_twice_not_even_after_a_crash() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let envelope = envelope(2048);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope.clone()).await;
    let id = pushed(&mut owner).await;
    owner.ask(ClientBody::Acknowledge { ids: vec![id] }).await;
    for _ in 0..2 {
        let answer = Wire::connect(hob.address).await.ask(submit(&token, envelope.clone())).await;
        assert!(matches!(answer, ServerBody::Accepted { duplicate: true, .. }), "{answer:?}");
        assert_eq!(drain(&mut device.prove().await).await, []);
        assert!(hob.stop().success());
        hob.start_again();
    }
    hob.assert_well();
}

#[tokio::test]
async fn an_envelope_past_its_deadline_is_forgotten_and_counted() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let ClientBody::Submit { token, envelope, urgency, online_only, .. } = submit(&token, envelope(2048)) else {
        unreachable!()
    };
    // The shortest that the protocol has.
    let ttl = hob_protocol::limits::TTL_MIN;
    let mut sender = Wire::connect(hob.address).await;
    let answer = sender.ask(ClientBody::Submit { token, envelope, ttl, urgency, online_only }).await;
    // In whole seconds, rounded down: nobody is promised more time than there is.
    let second = Duration::from_secs(1);
    assert!(
        matches!(answer, ServerBody::Accepted { ttl: left, duplicate: false } if left <= ttl && left + second >= ttl),
        "{answer:?}"
    );
    assert_eq!(hob.status("pending"), 1);
    wait_within(ttl * 2, "the envelope expires", || hob.status("expired") == 1);
    assert_eq!(hob.status("pending"), 0);
    assert_eq!(drain(&mut device.prove().await).await, []);
    hob.assert_well();
}

#[tokio::test]
async fn an_online_only_envelope_is_pushed_or_dropped_and_never_kept() {
    let hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let online = |envelope| match submit(&token, envelope) {
        ClientBody::Submit { token, envelope, ttl, urgency, .. } => {
            ClientBody::Submit { token, envelope, ttl, urgency, online_only: true }
        }
        other => other,
    };
    let mut sender = Wire::connect(hob.address).await;
    let answered = sender.ask(online(envelope(2048))).await;
    assert_eq!(pushed(&mut owner).await, hob_protocol::ids::EnvelopeId::ONLINE_ONLY);
    drop(owner);
    wait_for("the box noticed that the owner left", || hob.status("connected") == 0);
    assert_eq!(sender.ask(online(envelope(2048))).await, answered, "nobody learns who is there");
    assert_eq!(drain(&mut device.prove().await).await, []);
    assert_eq!((hob.status("accepted"), hob.status("online_only")), (0, 2));
}

#[tokio::test]
async fn what_a_revoked_token_brought_before_is_still_delivered() {
    let hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    owner.ask(ClientBody::TokenRevoke { token_hash: token.hash() }).await;
    drop(owner);
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
}

#[tokio::test]
async fn a_device_that_joins_again_keeps_its_mailbox_and_its_mail() {
    let hob = HobBox::fresh();
    let (device, mut owner, _) = reachable(&hob).await;
    let token = device.grant(&mut owner, TokenKind::Contact).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    let invitation = hob_protocol::invitation::Invitation::parse(&hob.invite()).unwrap();
    let answer = hob_tests::people::redeem(&mut Wire::connect(hob.address).await, &invitation, &device.key).await;
    assert!(matches!(answer, ServerBody::Admitted { mailbox, .. } if mailbox == device.mailbox), "{answer:?}");
    let again = Device { key: device.key.clone(), mailbox: device.mailbox, address: hob.address };
    assert_eq!(drain(&mut again.prove().await).await.len(), 1);
}

#[tokio::test]
async fn compacting_destroys_the_key_of_what_was_acknowledged_a_moment_before() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    for _ in 0..5 {
        submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
        assert_eq!(drain(&mut device.prove().await).await.len(), 1);
        let compacted = hob.json(&["compact", "--json"]);
        assert_eq!(compacted["windows_with_body_key"], 0, "{compacted}");
    }
    hob.assert_well();
}
