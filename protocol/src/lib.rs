//! What goes over the wire between a Hob box and its clients, and what it means.
//!
//! Pure: no I/O, no clock, no random source; builds for `wasm32-unknown-unknown`. `docs/protocol.md` says the same in
//! prose, for those who write a client in another language.
//!
//! # Layout
//! - [`frame`]: each frame as a checked type; the generated ones stay inside [`wire`].
//! - [`ids`]: mailbox, envelope and token ids, keys, and how each is derived.
//! - [`envelope`]: sealed bytes of one of six sizes.
//! - [`limits`]: every bound and duration of the protocol, checked against each other.
//! - [`code`]: the error codes, whether to try again, and the refusal that carries them.
//! - [`transcript`]: every signature and MAC of the protocol, each with its own context string.
//! - [`invitation`]: the one-time ticket; [`contact`]: its sister between devices; [`device_code`]: both, for a further
//!   device of a member; [`revocation`]: what cuts a member's devices off; [`recovery`]: what opens a box's backup;
//!   [`printed`]: the text form of all five.
//! - [`address`]: where a box can be reached, signed.
//! - [`planted!`]: faults that a test build can switch on, to show that the checks catch them.

// No panic is reachable from outside: an index that may be out of bounds is one. Generated code and tests may.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

pub mod address;
pub mod code;
pub mod contact;
pub mod device_code;
pub mod envelope;
pub mod frame;
pub mod ids;
pub mod invitation;
pub mod limits;
pub mod printed;
pub mod recovery;
pub mod revocation;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod transcript;

/// The frames as `prost` generates them from `proto/hob.proto`: unchecked, for codecs and tests.
#[allow(missing_docs, clippy::doc_markdown, reason = "generated code")]
pub mod wire {
    include!(concat!(env!("OUT_DIR"), "/hob.v1.rs"));
}

/// The frames' own description (Protocol Buffers source), for tools and for the tests that hold the docs to it.
pub const PROTO_SOURCE: &str = include_str!("../proto/hob.proto");

/// Whether a planted fault is switched on: `planted!("answer-before-sync")`. The constant `false` in everything that is
/// shipped; see the module `sabotage`, which only the feature of that name compiles.
#[cfg(feature = "sabotage")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::sabotage::is_planted($name)
    };
}

/// Whether a planted fault is switched on: the constant `false`, since this build knows none.
#[cfg(not(feature = "sabotage"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}
