//! The keeper's dashboard in a real Chromium, as a keeper meets it: by what stands on the page.
//!
//! # Layout
//! - [`driver`]: ChromeDriver and windows of all kinds (phone, dark, without script).
//! - [`page`]: what a person does on a page: read, type, press, scan.
//! - [`judges`]: axe-core and html-validate, over every page that is shown to them.
//!
//! `examples/browser` is the proof; the recipe of the same name runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a proof that cannot go on stops and says where"
)]

pub mod driver;
pub mod judges;
pub mod page;
