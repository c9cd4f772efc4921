//! `hob-chat` as it is used: the program itself, run as people run it.
//!
//! One test binary; a module per story.
//! - [`manners`]: the command line, exit codes, unknown profiles.
//! - [`profiles`]: what lies on the disk, and what happens when it is damaged.
//! - [`pictures`]: codes in PNG and JPEG files, the hostile ones included.
//! - [`contacts`]: what becomes of contacts and of codes that were shown; a conversation as a file.
//! - [`revoking`]: the recovery sheet, and the certificate on it.
//! - [`desktop`]: what the desktop is told.
//! - [`talking`]: two people and a box. [`second`]: two processes on one profile.
//! - [`terminal`]: what is shown to somebody who sits at a terminal.
//! - [`screen`]: the full screen, on a terminal ([`pty`]). [`screenshots`] draws it for the documents ([`svg`]).
//! - [`people`] runs the program; [`small_box`] is a box as small as it can be: real TLS, real WebSocket, everything else in
//!   memory. The real one is tried by the whole-system tests.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is a test, its helpers too; the lints let off only functions that are tests themselves"
)]

mod contacts;
mod desktop;
mod manners;
mod people;
mod pictures;
mod profiles;
mod pty;
mod revoking;
mod screen;
mod screenshots;
mod second;
mod small_box;
mod svg;
mod talking;
mod terminal;
