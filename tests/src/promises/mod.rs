//! What users buy: each test is a promise of Hob, kept by the real programs.
//!
//! # Layout
//! - `talking`: two people and a box, with `hob-chat`.
//! - `keeping`: what the box accepted, it delivers; and nothing is answered before it is durable.
//! - `doctor`: what the keeper is told when something is wrong, each thing provoked.
//! - `certificates`: the keeper's own, for browsers; nobody who pins the box notices.
//! - `dashboard`: what the keeper does in a browser.
//! - `json`: the same for those who cannot hold a socket.
//! - `backups`: a box that is lost and comes back elsewhere; two boxes with one identity.
//! - `formats`: data folders that earlier boxes made, and one that a later box made.
//! - `other_boxes`: contacts elsewhere: boxes that are down, that move, and others in their place.
//! - `running`: the box as a service: ports handed over, the watchdog, restarting in place.
//! - `telling`: it says so: quotas, restarts, figures; `unusual`: what somebody tried, and no address.

mod backups;
mod certificates;
mod dashboard;
mod devices;
mod doctor;
mod formats;
mod json;
mod keeping;
mod other_boxes;
mod running;
mod talking;
mod telling;
mod unusual;
