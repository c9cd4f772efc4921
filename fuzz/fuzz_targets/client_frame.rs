//! What a client says to the box. A frame that is taken reads back as itself, and is no larger than any may be.
#![no_main]

use bytes::Bytes;
use hob_protocol::frame::ClientFrame;
use hob_protocol::limits::FRAME_BYTES_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = ClientFrame::decode(Bytes::copy_from_slice(bytes)) else { return };
    assert!(bytes.len() <= FRAME_BYTES_MAX);
    let again = ClientFrame::decode(frame.clone().encode());
    assert_eq!(again.as_ref(), Ok(&frame));
});
