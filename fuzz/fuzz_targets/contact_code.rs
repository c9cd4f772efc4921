//! Contact codes, from the text or, past the checksum, from the bytes inside.
#![no_main]

use hob_protocol::contact::ContactCode;
use libfuzzer_sys::fuzz_target;

mod printed;

fuzz_target!(|bytes: &[u8]| {
    let text = printed::text("hob://contact/", bytes);
    if let Ok(code) = ContactCode::parse(&text) {
        assert!((1..=3).contains(&code.addresses.len()));
        // A code that something else made may be too long to be printed again; one that fits reads back as itself.
        if let Ok(printed) = code.to_code() {
            assert_eq!(ContactCode::parse(&printed), Ok(code));
        }
    }
});
