//! Frames that are none.

use bytes::Bytes;
use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ClientFrame, ServerBody};
use hob_protocol::limits::FRAME_BYTES_MAX;
use hob_protocol::wire;
use hob_tests::boxes::HobBox;
use hob_tests::measure::resident_kib;
use hob_tests::people::{Device, drain, envelope, reachable, submit, submit_new};
use hob_tests::wire::{Wire, code_of};
use prost::Message;

/// Bad frames that one connection may say before it is closed; the box's limit is 64.
const BAD_FRAMES_SAFELY: usize = 60;

/// A box with one envelope waiting: what must still be there in the end.
async fn with_mail() -> (HobBox, Device) {
    let hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    (hob, device)
}

async fn assert_nothing_lost(mut hob: HobBox, device: &Device) {
    assert_eq!(hob.status("accepted"), 1, "nothing bad was taken for an envelope");
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
}

/// Sends a message and expects this refusal; the connection goes on.
async fn refused(wire: &mut Wire, bytes: Bytes, code: Code) -> u64 {
    wire.raw(bytes).await;
    let frame = wire.frame().await.expect("an answer");
    assert_eq!(code_of(&frame.body), Some(code), "{:?}", frame.body);
    wire.assert_open().await;
    frame.request
}

#[tokio::test]
async fn an_empty_frame_is_answered_as_one_of_an_unknown_version_and_the_connection_goes_on() {
    let (hob, device) = with_mail().await;
    let mut wire = Wire::connect(hob.address).await;
    // Nothing at all reads as version 0.
    refused(&mut wire, Bytes::new(), Code::UnsupportedVersion).await;
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_frame_that_is_cut_at_any_byte_is_refused_and_never_taken_for_another() {
    let hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let whole = ClientFrame { request: 1, body: submit(&token, envelope(2048)) }.encode();
    let cuts: Vec<usize> = (0..whole.len()).collect();
    for cuts in cuts.chunks(BAD_FRAMES_SAFELY) {
        let mut wire = Wire::connect(hob.address).await;
        for &end in cuts {
            wire.raw(whole.slice(..end)).await;
        }
        for end in cuts {
            let answer = wire.frame().await.expect("an answer").body;
            assert!(code_of(&answer).is_some(), "cut at {end}: {answer:?}");
        }
        wire.assert_open().await;
    }
    let mut wire = Wire::connect(hob.address).await;
    wire.raw(whole).await;
    assert!(
        matches!(wire.frame().await.unwrap().body, ServerBody::Accepted { duplicate: false, .. }),
        "whole it is good"
    );
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_connection_that_breaks_off_within_a_frame_leaves_nothing_behind() {
    let (hob, device) = with_mail().await;
    let whole = ClientFrame { request: 1, body: ClientBody::Ping }.encode();
    let bytes = masked(0x82, &whole);
    for end in 0..bytes.len() {
        let mut wire = Wire::connect(hob.address).await;
        wire.bare(&bytes[..end]).await;
    }
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn an_unknown_kind_or_version_is_answered_by_its_own_code_and_request() {
    let (hob, device) = with_mail().await;
    let mut wire = Wire::connect(hob.address).await;
    let newer = wire::ClientFrame { version: 2, request: 6, body: None }.encode_to_vec();
    assert_eq!(refused(&mut wire, newer.into(), Code::UnsupportedVersion).await, 6);
    let mut unknown = wire::ClientFrame { version: 1, request: 5, body: None }.encode_to_vec();
    assert_eq!(refused(&mut wire, unknown.clone().into(), Code::UnknownFrame).await, 5);
    // Field 31, a reserved one, with three bytes: what a newer client would say.
    unknown.extend_from_slice(&[0xfa, 0x01, 3, 1, 2, 3]);
    assert_eq!(refused(&mut wire, unknown.into(), Code::UnknownFrame).await, 5);
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn fields_of_the_wrong_shape_are_refused_one_by_one() {
    use wire::client_frame::Body;
    let (hob, device) = with_mail().await;
    let mut wire = Wire::connect(hob.address).await;
    let short = Bytes::from_static(&[1; 31]);
    let submit = |token: Bytes, envelope: Vec<u8>, urgency| {
        Body::Submit(wire::Submit { token, envelope: envelope.into(), ttl_s: 600, urgency, online_only: false })
    };
    let redeem = |label: String, binding| {
        let (invitation, device_key) = (Bytes::from_static(&[1; 16]), Bytes::from_static(&[1; 32]));
        Body::Redeem(wire::Redeem { invitation, device_key, label, binding, mac: Bytes::from_static(&[1; 32]) })
    };
    let token = Bytes::from_static(&[1; 32]);
    let bad = [
        (submit(short.clone(), vec![0; 2048], 0), Code::BadFrame),
        (submit(token.clone(), vec![0; 2047], 0), Code::NotAnEnvelope),
        (submit(token.clone(), Vec::new(), 0), Code::NotAnEnvelope),
        (submit(token, vec![0; 2048], 7), Code::BadFrame),
        (redeem("l".repeat(65), 1), Code::BadFrame),
        (redeem("tester".to_owned(), 0), Code::BadFrame),
        (Body::BundleFetch(wire::BundleFetch { token: short.clone() }), Code::BadFrame),
        (Body::TokenRevoke(wire::TokenRevoke { token_hash: short.clone() }), Code::BadFrame),
        (Body::Acknowledge(wire::Acknowledge { ids: vec![short] }), Code::BadFrame),
        (Body::BundlePublish(wire::BundlePublish { bundle: Bytes::new(), ttl_s: 60 }), Code::BadBundle),
    ];
    for (request, (body, code)) in (1..).zip(bad) {
        let frame = wire::ClientFrame { version: 1, request, body: Some(body) };
        assert_eq!(refused(&mut wire, frame.encode_to_vec().into(), code).await, request);
    }
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn an_envelope_of_65537_bytes_is_refused_by_its_size_and_the_connection_goes_on() {
    use wire::client_frame::Body;
    let (hob, device) = with_mail().await;
    let mut wire = Wire::connect(hob.address).await;
    let token = Bytes::from_static(&[1; 32]);
    let submit = wire::Submit { token, envelope: vec![0; 65_537].into(), ttl_s: 600, urgency: 0, online_only: false };
    let frame = wire::ClientFrame { version: 1, request: 3, body: Some(Body::Submit(submit)) };
    assert_eq!(refused(&mut wire, frame.encode_to_vec().into(), Code::NotAnEnvelope).await, 3);
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_frame_one_byte_too_large_is_named_and_ends_its_connection_only() {
    let (hob, device) = with_mail().await;
    let mut other = Wire::connect(hob.address).await;
    for bytes in [FRAME_BYTES_MAX + 1, 1 << 20] {
        let mut wire = Wire::connect(hob.address).await;
        wire.bare(&masked(0x82, &vec![0; bytes])).await;
        // All of it was sent to a box that had stopped listening: why still arrives (RFC 6455, section 7.4.1).
        assert_eq!((wire.closed().await, wire.close_code), (Some(Code::TooLarge), Some(1009)), "{bytes} bytes");
    }
    other.assert_open().await;
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_length_of_four_gigabytes_is_refused_before_anything_is_allocated() {
    let (hob, device) = with_mail().await;
    let before = resident_kib(hob.pid());
    for length in [4_u64 << 30, (1 << 63) - 1, FRAME_BYTES_MAX as u64 + 1] {
        let mut wire = Wire::connect(hob.address).await;
        let mut header = vec![0x82, 0xff];
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&[1, 2, 3, 4]);
        wire.bare(&header).await;
        assert_eq!(wire.closed().await, Some(Code::TooLarge), "{length} bytes were announced");
    }
    let grown = resident_kib(hob.pid()).saturating_sub(before);
    assert!(grown < 4096, "the box grew by {grown} KiB");
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_text_frame_ends_its_connection_as_data_that_is_not_taken() {
    let (hob, device) = with_mail().await;
    let mut wire = Wire::connect(hob.address).await;
    wire.bare(&masked(0x81, b"hello")).await;
    let told = wire.closed().await;
    // Told by a frame, and by the WebSocket's own number for it (RFC 6455, section 7.4.1).
    assert_eq!((told, wire.close_code), (Some(Code::BadFrame), Some(1003)));
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn what_the_websocket_forbids_ends_the_connection_as_a_protocol_error() {
    let (hob, device) = with_mail().await;
    let ping = ClientFrame { request: 1, body: ClientBody::Ping }.encode();
    let mut unmasked = vec![0x82, u8::try_from(ping.len()).unwrap()];
    unmasked.extend_from_slice(&ping);
    let reserved_bit = masked(0xc2, &ping);
    let unknown_opcode = masked(0x83, &ping);
    let stray_continuation = masked(0x80, &ping);
    let long_control = masked(0x89, &[0; 126]);
    for bytes in [unmasked, reserved_bit, unknown_opcode, stray_continuation, long_control] {
        let mut wire = Wire::connect(hob.address).await;
        wire.bare(&bytes).await;
        wire.closed().await;
        assert_eq!(wire.close_code, Some(1002), "{:?}", &bytes[..2]);
    }
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_own_code_and_a_wrong_one_as_a_protocol_error() {
    let (hob, device) = with_mail().await;
    let reason = [&4321_u16.to_be_bytes()[..], "bis später".as_bytes()].concat();
    let no_text = [&1000_u16.to_be_bytes()[..], &[0xed, 0xa0, 0x80]].concat();
    let of = |code: u16| code.to_be_bytes().to_vec();
    let cases =
        [(of(1000), 1000), (of(1001), 1001), (reason, 4321), (of(1005), 1002), (of(999), 1002), (no_text, 1007)];
    for (payload, code) in cases.into_iter().chain([(Vec::new(), 1000), (vec![3], 1002)]) {
        let mut wire = Wire::connect(hob.address).await;
        wire.bare(&masked(0x88, &payload)).await;
        wire.closed().await;
        assert_eq!(wire.close_code, Some(code), "{payload:?}");
    }
    assert_nothing_lost(hob, &device).await;
}

#[tokio::test]
async fn what_belongs_on_the_other_kind_of_connection_is_refused_there() {
    let hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    let answer = sender.ask(ClientBody::Credit { envelopes: 1 }).await;
    assert_eq!(code_of(&answer), Some(Code::NotProved));
    submit_new(&mut sender, &token, envelope(2048)).await;
    assert_eq!(code_of(&device.prove_on(&mut sender).await), Some(Code::NotAnonymous), "a sender stays anonymous");
    let answer = owner.ask(submit(&token, envelope(2048))).await;
    assert_eq!(code_of(&answer), Some(Code::NotAnonymous), "an owner does not submit");
    owner.assert_open().await;
    drop(owner);
    assert_nothing_lost(hob, &device).await;
}

/// A client's WebSocket frame (RFC 6455, section 5.2) with this first byte.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 11, 13, 17];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
