//! Revocation certificates, from the text or, past the checksum, from the bytes inside.
#![no_main]

use hob_protocol::revocation::Revocation;
use libfuzzer_sys::fuzz_target;

mod printed;

fuzz_target!(|bytes: &[u8]| {
    let text = printed::text("hob://revoked/", bytes);
    if let Ok(certificate) = Revocation::parse(&text) {
        assert_eq!(Revocation::parse(&certificate.to_code()), Ok(certificate));
    }
});
