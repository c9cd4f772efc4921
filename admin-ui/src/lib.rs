//! The keeper's dashboard: plain view models in, HTML out. It knows no socket, no file, no clock and nobody's secrets.
//!
//! A page is a struct of [`view`], filled with plain data; [`Chrome`] is what stands around each page. Rendering cannot
//! fail and asks nobody:
//!
//! ```
//! use hob_admin_ui::Chrome;
//! use hob_admin_ui::view::error::{Failed, Failure};
//!
//! let page = Failure { failed: Failed::NotFound, back: None };
//! assert!(page.render(&Chrome::default()).starts_with("<!DOCTYPE html>"));
//! ```
//!
//! # Layout
//! - [`view`]: a module a page.
//! - [`chrome`]: what stands around each page: who is signed in, where one is, what just happened.
//! - [`form`]: what was typed and what is wrong with it.
//! - [`chart`]: figures over time, drawn as SVG with a table behind.
//! - [`live`]: what the stream of live figures sends.
//! - [`mod@assets`]: stylesheet, script and icon, under names that change with their bytes.
//! - `texts`: the message catalogues, a folder of files a language; `fill`: what is filled into them; `notice`: what
//!   just happened, told; `plain`: names that deceive nobody; `ui`: texts, times, sizes and names as the templates ask
//!   for them; `markup`: pieces that are HTML already; `icons`, `qr`.
//!
//! Templates lie in `templates/`, texts in `locales/`. A text is never written into a template: a test renders every
//! page in a made-up language and finds what is left in English.

pub mod chart;
pub mod chrome;
mod fill;
pub mod form;
mod icons;
pub mod live;
mod markup;
mod notice;
mod plain;
mod qr;
mod texts;
mod ui;
pub mod view;

/// Stylesheet, script and icon.
pub mod assets;

pub use assets::{Asset, assets};
pub use chrome::{Chrome, Here, Notice, Role, SignedIn};
pub use form::{Errors, Wrong};
