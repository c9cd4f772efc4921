//! A backup: the file as it may be found anywhere, its header with a checksum that fits, and its records without a seal.
//! What reads can be sealed and read again.
#![no_main]

use hob_log::backup::header::HEADER_BYTES;
use hob_log::backup::records::Reader;
use hob_log::backup::{Content, Cost, LockKind, Sealed, Secret, seal};
use hob_protocol::ids::RecoveryKey;
use libfuzzer_sys::fuzz_target;

const KEY: RecoveryKey = RecoveryKey([7; 32]);

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    match which % 3 {
        0 => file(bytes),
        1 => records(bytes, usize::from(which / 3)),
        _ => header(bytes),
    }
});

fn file(bytes: &[u8]) {
    let Ok(sealed) = Sealed::open(bytes) else { return };
    // Argon2id is somebody else's code, and slow on purpose.
    if sealed.lock() == LockKind::RecoveryKey
        && let Ok(content) = sealed.read(&Secret::RecoveryKey(&KEY), &mut |_| {})
    {
        reads_again(&content);
    }
}

fn header(bytes: &[u8]) {
    let mut fitting = [0; HEADER_BYTES];
    for (to, from) in fitting.iter_mut().zip(b"HOBBAK\r\n\x01".iter().chain(bytes)) {
        *to = *from;
    }
    let mut sum = [0; 8];
    let mut hasher = blake3::Hasher::new_derive_key("hob/1 backup header checksum");
    hasher.update(&fitting[..64]).finalize_xof().fill(&mut sum);
    fitting[64..72].copy_from_slice(&sum);
    file(&[&fitting[..], bytes].concat());
}

fn records(plain: &[u8], piece: usize) {
    let mut reader = Reader::default();
    for piece in plain.chunks(piece + 1) {
        if reader.take_in(piece).is_err() {
            return;
        }
    }
    if let Ok(content) = reader.finish() {
        reads_again(&content);
    }
}

fn reads_again(content: &Content) {
    let mut file = Vec::new();
    seal(content, &Secret::RecoveryKey(&KEY), Cost::DEFAULT, &mut file, &mut |_| {}).expect("it was small enough");
    let again = Sealed::open(&file[..]).expect("a header").read(&Secret::RecoveryKey(&KEY), &mut |_| {});
    assert!(again.expect("it was sealed") == *content);
}
