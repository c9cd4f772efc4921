//! Invitations, from the text or, past the checksum, from the bytes inside.
#![no_main]

use hob_protocol::invitation::Invitation;
use libfuzzer_sys::fuzz_target;

mod printed;

fuzz_target!(|bytes: &[u8]| {
    let text = printed::text("hob://join/", bytes);
    if let Ok(invitation) = Invitation::parse(&text) {
        assert!((1..=3).contains(&invitation.addresses.len()));
        assert_eq!(Invitation::parse(&invitation.to_link()), Ok(invitation));
    }
});
