//! What the documents say is what the code does.
//!
//! # Layout
//! - [`repository`]: where the documents are, and how they are read.
//! - [`proto`]: the descriptions of frames and events, and a reader of bytes that knows nothing but them.
//! - [`vectors`]: `docs/vectors.json`, computed anew from the code.
//! - [`described`]: `docs/protocol.md` names every frame, field, code and vector.
//! - [`seen`]: `docs/what-the-box-sees.md` names everything that goes over the wire or into the log.
//! - [`links`]: links between the documents lead somewhere.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is a test binary: helpers fail the test that calls them")]

mod described;
mod links;
mod proto;
mod repository;
mod seen;
mod vectors;
