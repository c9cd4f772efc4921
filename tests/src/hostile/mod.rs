//! Bad input and bad days: each has a test, against the real programs.
//!
//! Every test says what is answered, what becomes of the connection and of the box, and that nothing accepted is lost.
//!
//! # Layout
//! - `frames`: frames that are none; `floods`: too many, too slow, too large a crowd.
//! - `api`: JSON: forged sessions, other peoples cursors, bodies that are none.
//! - `dashboard`: foreign names, sites and addresses, stale forms, guesses, forms that are none.
//! - `doors`: TLS, HTTP and a box that is another one.
//! - `invitations`, `codes`, `tokens`, `proofs`: what admits people, and how it is misused.
//! - `disk`: full, read-only, gone; `clocks`: back to 1970, ten years ahead.

mod api;
mod clocks;
mod codes;
mod dashboard;
mod disk;
mod doors;
mod floods;
mod frames;
mod invitations;
mod proofs;
mod tokens;
