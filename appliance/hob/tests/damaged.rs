//! One flipped byte.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::running::{Running, new_data};
use crate::typed::{Typed, run};

fn journals(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(journals(&path));
        } else if path.ends_with("journal") {
            found.push(path);
        }
    }
    found
}

fn verify(data: &Path) -> Typed {
    run(&["verify-log", "--json", "--data", data.to_str().unwrap()])
}

fn damaged(typed: &Typed) -> u64 {
    let lines = typed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["damaged"].as_u64().unwrap()).sum()
}

#[test]
fn one_flipped_byte_of_a_journal_is_found_and_counted_and_nothing_is_changed() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    for _ in 0..3 {
        assert_eq!(running.keeper(&["invite", "--json"]).code, Some(0));
    }
    running.stop();
    let journal = journals(&data).pop().unwrap();
    let good = fs::read(&journal).unwrap();
    assert_eq!(verify(&data).code, Some(0));
    let end = good.iter().rposition(|byte| *byte != 0).unwrap();
    let mut bad = good.clone();
    bad[end / 2] ^= 1;
    fs::write(&journal, &bad).unwrap();
    let typed = verify(&data);
    assert_eq!(typed.code, Some(1), "{}", typed.stdout);
    assert!(damaged(&typed) >= 1, "{}", typed.stdout);
    assert_eq!(fs::read(&journal).unwrap(), bad, "looking changes nothing");
    fs::write(&journal, &good).unwrap();
    assert_eq!(verify(&data).code, Some(0));
}

#[test]
fn a_box_whose_ledger_has_a_flipped_byte_starts_all_the_same() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    assert_eq!(running.keeper(&["invite", "--json"]).code, Some(0));
    running.stop();
    let journal = journals(&data).pop().unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let again = Running::start(&data);
    assert_eq!(again.keeper(&["status"]).code, Some(0));
    let ended = again.stop();
    assert!(ended.stderr.contains("restored"), "the keeper is told: {}", ended.stderr);
    assert_eq!(verify(&data).code, Some(0), "its copy gave back what was damaged");
}
