//! Device codes, from the text or, past the checksum, from the bytes inside.
#![no_main]

use hob_protocol::device_code::DeviceCode;
use libfuzzer_sys::fuzz_target;

mod printed;

fuzz_target!(|bytes: &[u8]| {
    let text = printed::text("hob://device/", bytes);
    if let Ok(code) = DeviceCode::parse(&text) {
        assert!((1..=3).contains(&code.addresses.len()));
        assert_eq!(DeviceCode::parse(&code.to_code()), Ok(code));
    }
});
