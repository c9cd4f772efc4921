//! Each page as it was last looked at. `HOB_TEST_BLESS=1` takes what is rendered now for right.

use std::fs;
use std::path::PathBuf;

use crate::samples::{Make, all};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

#[test]
fn every_page_looks_as_it_was_last_looked_at() {
    let bless = std::env::var_os("HOB_TEST_BLESS").is_some();
    let mut differ = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for sample in all(&Make::english()) {
        // The list of libraries has a test of its own.
        if matches!(sample.name, "notices" | "about") {
            continue;
        }
        assert!(names.insert(format!("{}.html", sample.name)), "two samples are called {}", sample.name);
        let path = folder().join(format!("{}.html", sample.name));
        // The names of the assets change with every word in them; that is no news here.
        let html = without_hashes(&sample.html);
        if bless {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &html).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != html {
            differ.push(sample.name);
        }
    }
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        if !names.contains(&entry.file_name().to_string_lossy().into_owned()) {
            assert!(bless, "{} is of no page: take it away", entry.path().display());
            fs::remove_file(entry.path()).unwrap();
        }
    }
    assert!(
        differ.is_empty(),
        "these pages changed: {differ:?}; look at them (cargo run -p hob-admin-ui --example gallery), then bless them \
         with HOB_TEST_BLESS=1"
    );
}

fn without_hashes(html: &str) -> String {
    let mut html = html.to_owned();
    for asset in hob_admin_ui::assets() {
        if let [start, hash, _] = asset.path.split('.').collect::<Vec<_>>()[..] {
            html = html.replace(&format!("{start}.{hash}."), &format!("{start}.HASH."));
        }
    }
    html
}
