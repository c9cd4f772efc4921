//! The list of libraries on the page "About". `HOB_TEST_BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hob_admin_ui::view::about::Part;

/// What the box's program is built of, on the machines that it is built for: name, version and licence in a line.
fn asked_of_cargo() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        let told = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--package",
                "hob",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--target",
                target,
            ])
            .args(["--format", "{p}\t{l}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        lines.extend(String::from_utf8(told.stdout).unwrap().lines().filter_map(line));
    }
    lines
}

/// `rustls v0.23.46 (proc-macro)<tab>Apache-2.0 OR ISC OR MIT`; our own crates are no libraries of others.
fn line(told: &str) -> Option<String> {
    let (package, licence) = told.trim_end_matches(" (*)").split_once('\t')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
    (!package.contains("(/")).then(|| format!("{name}\t{version}\t{}", licence.replace('/', " OR ").replace("  ", " ")))
}

#[test]
fn the_page_about_names_every_library_that_the_box_is_built_of() {
    let asked: Vec<String> = asked_of_cargo().into_iter().collect();
    assert!(asked.len() > 100, "cargo told only {} libraries", asked.len());
    if std::env::var_os("HOB_TEST_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/view/libraries.tsv");
        std::fs::write(path, asked.join("\n") + "\n").unwrap();
        return;
    }
    let written: Vec<String> =
        Part::all().iter().map(|part| format!("{}\t{}\t{}", part.name, part.version, part.licence)).collect();
    assert_eq!(written, asked, "a library came or went: write the list anew with HOB_TEST_BLESS=1");
    assert!(Part::all().iter().all(|part| !part.licence.is_empty()), "a library without a licence");
}
