//! A client's saved state, as it is and with a checksum that fits. What loads can be saved, loaded again and used.
#![no_main]

use hob_client::{Client, Input};
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const NOW_MS: u64 = 1_790_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    use_state(bytes);
    let mut fitting = b"HOBC\x01".to_vec();
    fitting.extend_from_slice(blake3::hash(bytes).as_bytes());
    fitting.extend_from_slice(bytes);
    use_state(&fitting);
});

fn use_state(state: &[u8]) {
    let Ok(mut client) = Client::load(state) else { return };
    let saved = client.save();
    let again = Client::load(&saved).expect("what was saved loads");
    assert!(*again.save() == *saved);
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    drop(client.handle(NOW_MS, &mut rng, Input::Started));
    for contact in client.contacts() {
        let _ = client.history(NOW_MS, &contact.name, 20);
        let _ = client.safety_number(&contact.name);
    }
    let _ = (client.requests(), client.outbox(), client.summary(NOW_MS), client.unshown(NOW_MS));
    drop(client.hurry(NOW_MS, &mut rng));
    drop(client.handle(NOW_MS + 86_400_000, &mut rng, Input::Timeout));
}
