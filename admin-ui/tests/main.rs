//! What all pages keep to, and what each of them looks like.

mod samples;

mod everywhere;
mod html;
mod snapshots;
