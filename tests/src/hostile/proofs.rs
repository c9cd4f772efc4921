//! Proofs of a mailbox: wrong key, replayed challenge, exporter missing.

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::ids::BoxIdentity;
use hob_protocol::transcript::{BoundTo, Exporter, prove};
use hob_tests::boxes::HobBox;
use hob_tests::people::{Device, drain, envelope, reachable, submit_new};
use hob_tests::wire::{Wire, code_of};

fn proof(device: &Device, signature: [u8; 64]) -> ClientBody {
    ClientBody::Prove { device_key: device.public(), signature, origin: None, clock_ms: 0 }
}

/// A refused proof is followed by another challenge: one nonce, one proof.
async fn refused(wire: &mut Wire, proof: ClientBody, code: Code) {
    let before = wire.nonce;
    assert_eq!(code_of(&wire.ask(proof).await), Some(code));
    match wire.unasked().await {
        ServerBody::Challenge { nonce } => wire.nonce = nonce,
        other => panic!("another challenge, not {other:?}"),
    }
    assert_ne!(wire.nonce, before, "a challenge is good for one proof");
}

#[tokio::test]
async fn a_wrong_key_a_wrong_box_and_a_missing_exporter_prove_nothing() {
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    let mut wire = Wire::connect(hob.address).await;
    let (identity, exporter) = (wire.hello.identity, wire.exporter);
    let bound = BoundTo::Exporter(&exporter);

    let wrong_key = prove(&wire.nonce, &identity, bound).sign(&Device::random_key());
    refused(&mut wire, proof(&device, wrong_key), Code::BadProof).await;
    let other_box = prove(&wire.nonce, &BoxIdentity([9; 32]), bound).sign(&device.key);
    refused(&mut wire, proof(&device, other_box), Code::BadProof).await;
    let zeros = prove(&wire.nonce, &identity, BoundTo::Exporter(&Exporter([0; 32]))).sign(&device.key);
    refused(&mut wire, proof(&device, zeros), Code::BadProof).await;
    // What a web device would sign: a native one may not leave the exporter out.
    let origin = "https://hob.example";
    let web = prove(&wire.nonce, &identity, BoundTo::Origin(origin)).sign(&device.key);
    let web =
        ClientBody::Prove { device_key: device.public(), signature: web, origin: Some(origin.to_owned()), clock_ms: 0 };
    refused(&mut wire, web, Code::BadProof).await;
    refused(&mut wire, proof(&device, [0; 64]), Code::BadProof).await;

    let answer = device.prove_on(&mut wire).await;
    assert!(matches!(answer, ServerBody::Proved { .. }), "the connection is still good: {answer:?}");
    assert_eq!(drain(&mut wire).await.len(), 1, "and nobody took the mail meanwhile");
    hob.assert_well();
}

#[tokio::test]
async fn a_replayed_challenge_proves_nothing_neither_here_nor_on_another_connection() {
    let mut hob = HobBox::fresh();
    let (device, owner, _) = reachable(&hob).await;
    drop(owner);
    let mut wire = Wire::connect(hob.address).await;
    let good = device.proof(&wire);
    let mut elsewhere = Wire::connect(hob.address).await;
    refused(&mut elsewhere, good.clone(), Code::BadProof).await;
    // Used up by a bad proof, the challenge is good for nothing any more.
    refused(&mut wire, proof(&device, [0; 64]), Code::BadProof).await;
    refused(&mut wire, good.clone(), Code::BadProof).await;
    let fresh = device.proof(&wire);
    assert!(matches!(wire.ask(fresh.clone()).await, ServerBody::Proved { .. }));
    assert_eq!(code_of(&wire.ask(fresh).await), Some(Code::BadProof), "nor is it good twice");
    hob.assert_well();
}

#[tokio::test]
async fn a_stranger_with_a_good_signature_is_no_member() {
    let mut hob = HobBox::fresh();
    let member = Device::join(hob.address, &hob.invite()).await;
    let key = Device::random_key();
    let stranger = Device { key, mailbox: member.mailbox, address: hob.address };
    let mut wire = Wire::connect(hob.address).await;
    let proof = stranger.proof(&wire);
    refused(&mut wire, proof, Code::NotAMember).await;
    wire.assert_open().await;
    hob.assert_well();
}

#[tokio::test]
async fn a_second_connection_of_a_device_takes_over_and_the_first_is_told() {
    let mut hob = HobBox::fresh();
    let (device, mut first, token) = reachable(&hob).await;
    let mut second = device.prove().await;
    assert_eq!(first.closed().await, Some(Code::Superseded));
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    hob_tests::people::pushed(&mut second).await;
    hob.assert_well();
}

#[tokio::test]
async fn who_tries_proof_after_proof_is_let_go() {
    let mut hob = HobBox::fresh();
    let device = Device::join(hob.address, &hob.invite()).await;
    let mut wire = Wire::connect(hob.address).await;
    for _ in 0..100 {
        wire.send(proof(&device, [0; 64])).await;
    }
    assert!(matches!(wire.closed().await, Some(Code::TooFast | Code::BadProof)));
    drop(device.prove().await);
    hob.assert_well();
}
