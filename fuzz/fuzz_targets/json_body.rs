//! Bodies of JSON requests. The first byte says which operation; what is taken is within the protocol's bounds, and
//! makes a frame that reads back as itself.
#![no_main]

use bytes::Bytes;
use hob_protocol::frame::{ClientBody, ClientFrame};
use libfuzzer_sys::fuzz_target;

/// The box's own reader, and what its fields are made of; it needs nothing of the box around it.
#[path = "../../appliance/hob/src/net/api/shapes.rs"]
#[allow(dead_code)]
mod shapes;
#[path = "../../appliance/hob/src/net/api/bodies.rs"]
#[allow(dead_code)]
mod bodies;

use bodies::{
    Acknowledge, FetchBundle, GrantToken, LogIn, PublishBundle, Refresh, Register, RequestBody, Submit, TokenList, read,
};

/// Reads a body and the frame that it stands for.
fn framed<T: RequestBody + Into<ClientBody>>(json: &[u8]) -> Option<ClientBody> {
    read::<T>(json).ok().map(Into::into)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, json)) = bytes.split_first() else { return };
    let body = match which % 9 {
        0 => framed::<Register>(json),
        1 => read::<LogIn>(json).ok().and_then(|login| {
            let (device_key, signature) = (login.device_key.0, login.signature.0);
            assert!(login.origin.len() <= hob_protocol::limits::ORIGIN_BYTES_MAX);
            Some(ClientBody::Prove {
                device_key: hob_protocol::ids::DeviceKey(device_key),
                signature,
                origin: Some(login.origin).filter(|origin| !origin.is_empty()),
                clock_ms: login.clock_ms,
            })
        }),
        2 => {
            let _ = read::<Refresh>(json);
            None
        }
        3 => framed::<PublishBundle>(json),
        4 => framed::<GrantToken>(json),
        5 => framed::<TokenList>(json),
        6 => framed::<Acknowledge>(json),
        7 => read::<Submit>(json).ok().map(|body| {
            bodies::submit(&body.token, &body.envelope.0, body.treatment()).expect("what was checked is an envelope")
        }),
        _ => framed::<FetchBundle>(json),
    };
    let Some(body) = body else { return };
    let frame = ClientFrame { request: 1, body };
    let again = ClientFrame::decode(Bytes::from(frame.clone().encode()));
    assert_eq!(again.as_ref(), Ok(&frame));
});
