//! What two people wrote and saw, by the harness' own count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One direction.
#[derive(Default)]
pub struct Letters {
    /// Texts that the person gave to `send`, killed or not.
    pub written: BTreeSet<String>,
    /// Of them, those of which `send` said how they stand: they are the device's to deliver.
    pub promised: BTreeSet<String>,
    /// How often each was printed by a `receive` that ended by itself, and by one that was killed.
    pub shown: BTreeMap<String, (u32, u32)>,
}

impl Letters {
    /// A `receive` printed this.
    pub fn shows(&mut self, line: &Value, was_killed: bool) {
        let counts = self.shown.entry(line["text"].as_str().unwrap().to_owned()).or_default();
        if was_killed {
            counts.1 += 1;
        } else {
            counts.0 += 1;
            // A kill between printing and noting it prints a message again, which is better than never.
            assert!(counts.0 <= 1, "SHOWN TWICE: {line} by two commands that ended by themselves");
        }
    }

    /// Compares with both histories: what the writer's device has as sent, what the reader's has as received.
    pub fn compare(&self, sent: &[String], received: &[String]) {
        let got: BTreeSet<&String> = received.iter().collect();
        assert_eq!(got.len(), received.len(), "SHOWN TWICE: a text stands twice in the reader's history");
        let kept: BTreeSet<&String> = sent.iter().collect();
        assert_eq!(kept.len(), sent.len(), "a text stands twice in the writer's history");
        let unwritten: Vec<_> = got.iter().filter(|text| !self.written.contains(**text)).collect();
        assert!(unwritten.is_empty(), "nobody wrote {unwritten:?}");
        let lost: Vec<_> = self.promised.iter().filter(|text| !got.contains(text)).collect();
        assert!(lost.is_empty(), "LOST: {} texts that `send` took on: {lost:?}", lost.len());
        let unsent: Vec<_> = kept.difference(&got).collect();
        assert!(unsent.is_empty(), "LOST from the outbox: {unsent:?}");
        let unknown: Vec<_> = got.difference(&kept).collect();
        assert!(unknown.is_empty(), "the writer's device does not know that it sent {unknown:?}");
        for text in received {
            let (whole, killed) = self.shown.get(text).copied().unwrap_or_default();
            assert!(whole + killed >= 1, "LOST: {text} is in the history and was never shown");
        }
    }

    /// How many were printed again after a kill.
    pub fn printed_again(&self) -> usize {
        self.shown.values().filter(|(whole, killed)| whole + killed > 1).count()
    }
}
