//! What somebody tried is told to the keeper in a sentence; from where it came leaves the box's memory nowhere.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use hob_protocol::code::Code;
use hob_protocol::frame::ClientBody;
use hob_protocol::ids::DeliveryToken;
use hob_protocol::invitation::Invitation;
use hob_tests::boxes::{HobBox, Start};
use hob_tests::people::{Device, envelope, random, reachable, redeem, submit, submit_new};
use hob_tests::wire::{Wire, code_of};
use serde_json::Value;

/// An address of this machine that nothing else uses.
const STRANGER: [u8; 4] = [127, 77, 41, 203];

async fn try_invitations(hob: &HobBox, how_many: usize) {
    let mut invitation = Invitation::parse(&hob.invite()).unwrap();
    for _ in 0..how_many {
        invitation.id.0 = random();
        let answer =
            redeem(&mut Wire::connect_from(STRANGER, hob.address).await, &invitation, &Device::random_key()).await;
        assert_eq!(code_of(&answer), Some(Code::NoSuchInvitation));
    }
}

fn status(hob: &HobBox) -> (String, Value) {
    let text = String::from_utf8(hob.hob(&["status"]).stdout).unwrap();
    (text, hob.json(&["status", "--json"])["unusual"].clone())
}

#[tokio::test]
async fn the_keeper_reads_of_tried_invitations_and_the_address_is_nowhere() {
    let hob = Start::default().env("HOB_LOG_LEVEL", "trace").arg("--metrics-listen").arg("127.0.0.1:0").fresh();
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect_from(STRANGER, hob.address).await, &token, envelope(2048)).await;
    let (well, nothing) = status(&hob);
    assert!(well.contains("; nothing unusual\n") && nothing == Value::Array(Vec::new()), "{well}{nothing}");
    try_invitations(&hob, 25).await;
    let (text, unusual) = status(&hob);
    assert!(text.contains("In the last hour 25 wrong invitations came from one place"), "{text}");
    assert_eq!((&unusual[0]["kind"], &unusual[0]["last_hour"]), (&"join".into(), &25.into()));
    let figures = ask_control(&hob.data, "/metrics");
    let asked = [text, unusual.to_string(), figures, hob.json(&["doctor", "--json"]).to_string(), hob.said()];
    for place in forms() {
        for said in &asked {
            assert!(!contains(said.as_bytes(), &place), "{place:?} in {said}");
        }
        assert_nowhere(&hob.data, &place);
    }
}

/// The address in every form in which somebody might write it down.
fn forms() -> Vec<Vec<u8>> {
    let [a, b, c, d] = STRANGER;
    let dotted = format!("{a}.{b}.{c}.{d}");
    let hex = format!("{a:02x}{b:02x}{c:02x}{d:02x}");
    let number = u32::from_be_bytes(STRANGER);
    let reversed = [d, c, b, a].to_vec();
    vec![dotted.into(), hex.to_uppercase().into(), hex.into(), number.to_string().into(), STRANGER.to_vec(), reversed]
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn assert_nowhere(folder: &Path, word: &[u8]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, word);
        } else if path.is_file() {
            // Four bytes that are there by chance in some MiB of ciphertext would be one in a thousand runs: only what
            // could be read by somebody is searched for them.
            let is_sealed =
                path.ends_with("journal") || path.parent().unwrap().ends_with("events") || path.ends_with("log.keys");
            if word.len() > 4 || !is_sealed {
                assert!(!contains(&fs::read(&path).unwrap(), word), "{word:?} in {}", path.display());
            }
        }
    }
}

fn ask_control(data: &Path, path: &str) -> String {
    let mut socket = std::os::unix::net::UnixStream::connect(data.join("control.sock")).unwrap();
    write!(socket, "GET {path} HTTP/1.0\r\nHost: hob\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    answer
}

#[tokio::test]
async fn wrong_tokens_proofs_and_broken_handshakes_are_counted_each_as_what_it_is() {
    let hob = Start::default().env("HOB_GATE_BURST", "2000").env("HOB_GATE_HALF_OPEN", "2000").fresh();
    let (device, owner, _) = reachable(&hob).await;
    drop(owner);
    for _ in 0..6 {
        let mut wire = Wire::connect_from(STRANGER, hob.address).await;
        for _ in 0..10 {
            let answer = wire.ask(submit(&DeliveryToken(random()), envelope(2048))).await;
            assert_eq!(code_of(&answer), Some(Code::NoSuchToken));
            let mut proof = device.proof(&wire);
            if let ClientBody::Prove { signature, .. } = &mut proof {
                signature[0] ^= 1;
            }
            wire.send(proof).await;
            assert_eq!(code_of(&wire.unasked_error().await), Some(Code::BadProof));
        }
    }
    for _ in 0..250 {
        break_off(hob.address);
    }
    hob_tests::boxes::wait_for("all are counted", || status(&hob).1.as_array().unwrap().len() == 3);
    let (text, unusual) = status(&hob);
    let of = |kind: &str| unusual.as_array().unwrap().iter().find(|one| one["kind"] == kind).cloned().unwrap();
    assert_eq!((of("token")["last_hour"].clone(), of("proof")["last_hour"].clone()), (60.into(), 60.into()));
    assert!(of("handshake")["last_hour"].as_u64().unwrap() >= 200, "{unusual}");
    let told = text.lines().filter(|line| line.starts_with("In the last hour ")).count();
    assert!(told == 3 && text.contains("some things are unusual:"), "{text}");
}

/// Speaks, but no TLS.
fn break_off(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[0xff; 32]).unwrap();
    // The box ends it; how does not matter here.
    let _ = stream.read(&mut [0; 64]);
}

#[tokio::test]
async fn somebody_who_only_looks_whether_the_port_is_open_is_not_told_of() {
    let hob = HobBox::fresh();
    for _ in 0..250 {
        drop(TcpStream::connect(hob.address).unwrap());
    }
    Wire::connect(hob.address).await.assert_open().await;
    assert_eq!(status(&hob).1, Value::Array(Vec::new()));
}
