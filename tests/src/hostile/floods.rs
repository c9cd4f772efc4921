//! Too many, too slow, too large a crowd.

use std::time::{Duration, Instant};

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ClientFrame};
use hob_tests::boxes::{HobBox, Start, wait_within};
use hob_tests::chat::Person;
use hob_tests::measure::resident_kib;
use hob_tests::people::{Device, drain, envelope, reachable, submit_new};
use hob_tests::wire::{Wire, client_hello, handshake};
use rustix::process::Resource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a member waits for anything at most, whatever strangers do.
const RESPONSIVE: Duration = Duration::from_secs(2);

/// A member is served: connects, proves, gets an envelope.
async fn assert_responsive(device: &Device, token: &hob_protocol::ids::DeliveryToken) {
    let before = Instant::now();
    submit_new(&mut Wire::connect(device.address).await, token, envelope(2048)).await;
    assert!(!drain(&mut device.prove().await).await.is_empty());
    let took = before.elapsed();
    assert!(took < RESPONSIVE, "a member waited {took:?}");
}

/// `count` WebSocket frames without payload.
fn tiny(first: u8, count: usize) -> Vec<u8> {
    [first, 0x80, 1, 2, 3, 4].repeat(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_tiny_frames_of_a_stranger_end_its_connection_and_nobody_else_waits() {
    const AT_ONCE: usize = 10_000;
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let before = resident_kib(hob.pid());
    let mut wire = Wire::connect(hob.address).await;
    let flooding = tokio::spawn(async move {
        let frames = tiny(0x82, AT_ONCE);
        for _ in 0..1_000_000 / AT_ONCE {
            if wire.socket.get_mut().write_all(&frames).await.is_err() {
                break;
            }
        }
        wire
    });
    assert_responsive(&device, &token).await;
    let mut wire = flooding.await.unwrap();
    // The error may be lost on a connection that was closed while we still wrote; that it is closed may not.
    let told = wire.closed().await;
    assert!(matches!(told, Some(Code::TooFast | Code::UnsupportedVersion) | None), "{told:?}");
    assert_responsive(&device, &token).await;
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "the box grew by {grown} KiB");
    hob.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_tiny_pongs_and_fragments_cost_nobody_else_anything() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let before = resident_kib(hob.pid());
    let mut wire = Wire::connect(hob.address).await;
    let flooding = tokio::spawn(async move {
        let (pongs, fragments) = (tiny(0x8a, 10_000), tiny(0x00, 10_000));
        for _ in 0..50 {
            wire.bare(&pongs).await;
        }
        wire.bare(&tiny(0x02, 1)).await;
        for _ in 0..50 {
            wire.bare(&fragments).await;
        }
        wire
    });
    assert_responsive(&device, &token).await;
    drop(flooding.await.unwrap());
    assert_responsive(&device, &token).await;
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "the box grew by {grown} KiB");
    hob.assert_well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_sends_tiny_frames_without_end_keeps_nobody_waiting() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let (_, mut flooder, _) = reachable(&hob).await;
    let before = resident_kib(hob.pid());
    let flooding = tokio::spawn(async move {
        let ping = ClientFrame { request: 0, body: ClientBody::Ping }.encode();
        let mut frame = vec![0x82, 0x80 | u8::try_from(ping.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(&ping);
        let frames = frame.repeat(1000);
        // Answers are not read: the box has to stop listening by itself.
        let writing = async {
            for _ in 0..1000 {
                flooder.bare(&frames).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), writing).await;
        flooder
    });
    for _ in 0..3 {
        assert_responsive(&device, &token).await;
    }
    drop(flooding.await.unwrap());
    assert_responsive(&device, &token).await;
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 32 << 10, "the box grew by {grown} KiB");
    hob.assert_well();
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_let_go_and_loses_nothing() {
    const ENVELOPES: usize = 100;
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let (other, other_owner, other_token) = reachable(&hob).await;
    drop(other_owner);
    // As much as may be under way, so that the pushes fill every buffer between.
    owner.send(ClientBody::Credit { envelopes: 1000 }).await;
    let before = resident_kib(hob.pid());
    let mut sender = Wire::connect(hob.address).await;
    for _ in 0..ENVELOPES {
        submit_new(&mut sender, &token, envelope(65_536)).await;
    }
    assert_responsive(&other, &other_token).await;
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 24 << 10, "the box grew by {grown} KiB");
    wait_within(Duration::from_secs(60), "the box lets the reader go", || hob.status("connected") == 0);
    drop(owner);
    assert_eq!(drain(&mut device.prove().await).await.len(), ENVELOPES);
    hob.assert_well();
}

#[tokio::test]
async fn who_dawdles_with_its_handshake_or_its_headers_is_let_go() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let mut silent = TcpStream::connect(hob.address).await.unwrap();
    let mut dripping = handshake(hob.address).await.unwrap();
    dripping.write_all(b"GET /v1/socket HTTP/1.1\r\nHost: hob\r\n").await.unwrap();
    dripping.flush().await.unwrap();
    assert_responsive(&device, &token).await;
    let limit = Duration::from_secs(20);
    let drip = async {
        // One header line a second never ends the request: the time counts for all of them.
        let mut every = tokio::time::interval(Duration::from_secs(1));
        let mut answer = Vec::new();
        loop {
            tokio::select! {
                _ = every.tick() => {
                    if dripping.write_all(b"X-Drip: 1\r\n").await.is_err() || dripping.flush().await.is_err() {
                        return answer;
                    }
                }
                read = dripping.read_buf(&mut answer) => if !matches!(read, Ok(1..)) {
                    return answer;
                },
            }
        }
    };
    let answer = tokio::time::timeout(limit, drip).await.expect("slow headers end the connection");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    let gone = tokio::time::timeout(limit, silent.read(&mut [0; 1])).await.expect("silence ends the connection");
    assert!(matches!(gone, Ok(0) | Err(_)), "{gone:?}");
    hob.assert_well();
}

#[tokio::test]
async fn who_shows_neither_token_nor_proof_is_told_and_let_go() {
    let mut hob = Start::default().env("HOB_QUOTA_UNPROVEN_FOR", "1s").fresh();
    let (_, mut owner, _) = reachable(&hob).await;
    let mut idle = Wire::connect(hob.address).await;
    assert_eq!(idle.closed().await, Some(Code::TooSlow));
    owner.assert_open().await;
    hob.assert_well();
}

#[tokio::test]
async fn after_three_hundred_garbage_connections_a_member_joins_from_the_same_address_in_under_two_seconds() {
    let mut hob = HobBox::fresh();
    let (link, second_link) = (hob.invite(), hob.invite());
    let mut garbage = Vec::new();
    let hello = client_hello();
    for number in 0_u32..300 {
        let mut stream = TcpStream::connect(hob.address).await.unwrap();
        let nonsense: &[u8] = match number % 4 {
            0 => b"",
            1 => b"\x16\x03\x01\x02\x00\x01",
            2 => &hello,
            _ => b"\x00\xff garbage \xff\xff\xff\xff",
        };
        // Some are closed at once, which is what garbage deserves.
        let _ = stream.write_all(nonsense).await;
        garbage.push(stream);
    }
    let before = Instant::now();
    let device = Device::join(hob.address, &link).await;
    let took = before.elapsed();
    assert!(took < RESPONSIVE, "joining took {took:?}");
    let before = Instant::now();
    let ada = Person::joined(&second_link, "ada");
    let took = before.elapsed();
    assert!(took < RESPONSIVE, "joining with hob-chat took {took:?}");
    assert_eq!(ada.texts(), [] as [&str; 0]);
    drop(device.prove().await);
    drop(garbage);
    hob.assert_well();
}

#[tokio::test]
async fn without_descriptors_newcomers_wait_and_those_who_are_here_are_served() {
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    hob.limit(Resource::Nofile, Some(lowest_free_descriptor(hob.pid())));
    // Connections that were just left may still give theirs back, so the first newcomers may find one.
    let mut found_one = Vec::new();
    let waiting = loop {
        let address = hob.address;
        let mut newcomer = tokio::spawn(async move { Wire::connect(address).await });
        match tokio::time::timeout(Duration::from_millis(500), &mut newcomer).await {
            Ok(wire) => found_one.push(wire.unwrap()),
            Err(_) => break newcomer,
        }
        assert!(found_one.len() < 10, "the limit does not hold");
    };
    owner.assert_open().await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    assert!(hob.said().contains("open files"), "the keeper is told: {}", hob.said());
    hob.limit(Resource::Nofile, None);
    waiting.await.unwrap().assert_open().await;
    drop(owner);
    assert_eq!(drain(&mut device.prove().await).await.len(), 2);
    hob.assert_well();
}

/// A new descriptor has the lowest free number, so a limit of that number forbids any.
fn lowest_free_descriptor(pid: u32) -> u64 {
    let is_open = |number: &u64| std::fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    (0..).find(|number| !is_open(number)).unwrap()
}
