//! Device lists, as they come; or, past the signature, any list that a member key signed.
#![no_main]

use ed25519_dalek::SigningKey;
use hob_client::devices::list::{DEVICES_MAX, DeviceList, LIST_BYTES_MAX, REVOKED_MAX, wire};
use hob_protocol::transcript::Transcript;
use libfuzzer_sys::fuzz_target;
use prost::Message;

/// No fuzzer guesses a signature: the list inside is signed by the key that the seeds use.
fn signed(list: &[u8]) -> Vec<u8> {
    let signature = Transcript::new("hob/1 device list").sized(list).sign(&SigningKey::from_bytes(&[1; 32]));
    wire::SignedDeviceList { list: list.to_vec(), signature: signature.to_vec() }.encode_to_vec()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let bytes = if kind % 2 == 0 { bytes.to_vec() } else { signed(bytes) };
    let _ = DeviceList::hash_of(&bytes);
    if let Ok(list) = DeviceList::open(&bytes) {
        assert!(bytes.len() <= LIST_BYTES_MAX);
        assert!((1..=DEVICES_MAX).contains(&list.devices.len()) && list.revoked.len() <= REVOKED_MAX);
        assert!(list.devices.iter().all(|listed| listed.record.member_key == list.member_key));
        assert!(list.devices.iter().all(|listed| !listed.name.is_empty()));
    }
});
