//! Envelopes, layer by layer: each layer is given what a sender could have put there behind the layers before it.
#![no_main]

use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use hob_client::seal::outer::{Prekey, PrekeySecret};
use hob_client::seal::{inner, middle, olm, outer, padding};
use hob_protocol::envelope::Envelope;
use hob_protocol::ids::DeviceKey;
use libfuzzer_sys::fuzz_target;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use vodozemac::olm::Account;

const ME: DeviceKey = DeviceKey([1; 32]);

static PREKEY: LazyLock<(PrekeySecret, Prekey)> =
    LazyLock::new(|| outer::generate_prekey(&mut ChaCha20Rng::seed_from_u64(1)));

static ACCOUNT: LazyLock<Mutex<Account>> = LazyLock::new(|| {
    let mut account = Account::new();
    account.generate_fallback_key();
    Mutex::new(account)
});

fuzz_target!(|bytes: &[u8]| {
    let Some((layer, bytes)) = bytes.split_first() else { return };
    match layer % 4 {
        0 => whole(bytes),
        1 => padded(bytes),
        2 => sealed(bytes),
        _ => plain(bytes),
    }
});

/// Anything of an envelope's size.
fn whole(bytes: &[u8]) {
    let Some(size) = Envelope::size_for(bytes.len()) else { return };
    let mut padded = bytes.to_vec();
    padded.resize(size, 0);
    let envelope = Envelope::new(Bytes::from(padded)).expect("one of the six sizes");
    // Only the seed opens: a good envelope for this very prekey.
    if let Ok(opened) = outer::open_envelope(&ME, |_| Some(PREKEY.0.clone()), &envelope) {
        sealed(&opened);
    }
}

/// Any padding.
fn padded(bytes: &[u8]) {
    if let Ok(content) = padding::unpad(bytes) {
        assert_eq!(padding::pad(content, bytes.len()).as_deref().map(Vec::as_slice), Some(bytes));
    }
}

/// Any middle layer, properly sealed.
fn sealed(bytes: &[u8]) {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let Ok(envelope) = outer::seal_envelope(&ME, &PREKEY.1, bytes, &mut rng) else { return };
    let opened = outer::open_envelope(&ME, |_| Some(PREKEY.0.clone()), &envelope).expect("what was sealed opens");
    assert_eq!(&opened[..], bytes);
    let Ok(layer) = middle::Middle::decode(&opened) else { return };
    assert_eq!(layer.encode(), bytes);
    let Ok(message) = olm::read_prekey(&layer.inner) else { return };
    let mut account = ACCOUNT.lock().expect("no target panics");
    let claimed = message.identity_key().to_bytes();
    assert!(olm::inbound(&mut account, &claimed, &message).is_err(), "nobody encrypted this");
}

/// Any inner plaintext: a contact may be hostile.
fn plain(bytes: &[u8]) {
    if let Ok(plaintext) = inner::Inner::decode(bytes) {
        assert!(inner::Inner::decode(&plaintext.encode()).as_ref() == Ok(&plaintext));
        if let inner::Body::Text { text, .. } = &plaintext.body {
            let shown = hob_client::display::escape_line(text);
            assert!(!shown.chars().any(char::is_control));
        }
        if let inner::Body::Text { quote: Some(quote), .. } = &plaintext.body {
            assert!(quote.excerpt.len() <= hob_client::seal::quote::EXCERPT_BYTES_MAX);
        }
    }
}
