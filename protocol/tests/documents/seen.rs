//! `docs/what-the-box-sees.md` names everything that goes over the wire or into the log.

use std::collections::BTreeSet;

use crate::proto;
use crate::repository::{quoted, read};

const DOCUMENT: &str = "docs/what-the-box-sees.md";

/// `Message.field` of every frame, and `log.Message.field` of every event.
fn everything() -> BTreeSet<String> {
    let frames = proto::fields(&proto::frames()).into_iter().map(|(message, field)| format!("{message}.{field}"));
    let events = proto::fields(&proto::events()).into_iter().map(|(message, field)| format!("log.{message}.{field}"));
    frames.chain(events).collect()
}

#[test]
fn every_field_of_a_frame_and_of_a_log_event_is_named_in_what_the_box_sees() {
    let named = quoted(&read(DOCUMENT));
    let all = everything();
    assert!(all.len() > 100, "the descriptions were read: {}", all.len());
    let missing: Vec<_> = all.difference(&named).collect();
    assert!(missing.is_empty(), "say in {DOCUMENT} who sees these: {missing:#?}");
}

#[test]
fn what_the_box_sees_names_no_field_that_does_not_exist() {
    let all = everything();
    let messages: BTreeSet<&str> =
        all.iter().filter_map(|field| field.rsplit_once('.')).map(|(name, _)| name).collect();
    let named = quoted(&read(DOCUMENT));
    let looks_like_a_field = |name: &&String| name.rsplit_once('.').is_some_and(|(name, _)| messages.contains(name));
    let stale: Vec<_> = named.iter().filter(looks_like_a_field).filter(|name| !all.contains(*name)).collect();
    assert!(stale.is_empty(), "{DOCUMENT} speaks of what is not there (any more): {stale:#?}");
}
