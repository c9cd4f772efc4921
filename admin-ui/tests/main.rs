//! What all pages keep to, and what each of them looks like.
//!
//! # Layout
//! - [`samples`]: every page in its main states; the gallery shows the same ones.
//! - [`everywhere`]: what holds on every page, read with [`html`].
//! - [`snapshots`]: each page as it was last looked at.
//! - [`libraries`]: the list on the page "About".
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may end wherever something is not as it must be"
)]

mod everywhere;
mod html;
mod libraries;
mod samples;
mod snapshots;
