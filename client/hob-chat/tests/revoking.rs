//! The recovery sheet: the key that comes back from it, and the certificate that cuts devices off.

use std::path::PathBuf;

use crate::people::{Person, ada_and_bob};
use crate::small_box::SmallBox;

/// Writes the sheet into a file; gives where it is, and what it says.
fn sheet(person: &Person) -> (PathBuf, String) {
    let path = person.home().join("sheet.txt");
    let said = person.run(&["device", "sheet", "--to", path.to_str().unwrap()]).fine();
    assert!(said.contains("print it"), "{said}");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The lines of the certificate, as they stand on the sheet.
fn certificate(sheet: &str) -> Vec<&str> {
    sheet[sheet.find("hob://revoked/").unwrap()..].split_whitespace().collect()
}

#[test]
fn who_lost_every_device_is_cut_off_by_the_certificate_and_comes_back_by_sheet_and_fresh_code() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let (path, text) = sheet(&ada);
    let lines = certificate(&text);
    let with = |lines: &[&str], more: &[&str]| -> Vec<String> {
        ["contact", "revoked"].iter().chain(lines).chain(more).map(|word| (*word).to_owned()).collect()
    };
    let run = |words: &[String], stdin: &[u8]| {
        bob.run_with_stdin(&words.iter().map(String::as_str).collect::<Vec<_>>(), stdin)
    };
    let cut = run(&with(&lines[..lines.len() - 1], &["--yes"]), b"").failed(1);
    assert!(cut.contains("changed or cut") || cut.contains("damaged"), "{cut}");
    let unsure = run(&with(&lines, &[]), b"no\n").failed(1);
    assert!(unsure.contains("fresh code") && unsure.contains("nothing was done"), "{unsure}");
    assert_eq!(bob.run(&["contacts", "--json"]).objects()[0]["revoked"], false);
    let taken = run(&with(&lines, &[]), b"yes\n");
    assert!(taken.stderr.contains("exchange new codes") && taken.stderr.contains("on each"), "{taken:?}");
    assert!(taken.fine().contains("ada is revoked"));
    assert!(bob.run(&["contacts"]).fine().contains("revoked: exchange new codes"));
    assert!(run(&with(&lines, &["--yes"]), b"").failed(1).contains("revoked already"));
    assert!(bob.run(&["send", "ada", "hi"]).failed(1).contains("exchange new codes"));
    assert!(ada.run(&["send", "bob", "thief", "--wait", "0s"]).failed(3).contains("refused"));
    assert!(bob.receives().is_empty());
    assert!(bob.run(&["history", "ada"]).fine().contains("hello yourself"), "the conversation stays");

    let anew = Person::member_of(&small_box, "ada");
    let recovered = anew.run(&["device", "recover", path.to_str().unwrap(), "--json"]).objects();
    assert_eq!(recovered[0]["recovered"], true);
    assert_eq!(recovered[0]["devices"].as_array().unwrap().len(), 1);
    bob.run(&["contact", "add", &anew.code(), "--as", "ada"]).fine();
    assert_eq!(bob.run(&["contacts", "--json"]).objects()[0]["revoked"], false);
    bob.run(&["send", "ada", "you again?", "--wait", "0s"]).fine();
    assert_eq!(anew.receives(), ["you again?"]);
    assert!(ada.receives().is_empty(), "the lost device hears nothing");
    anew.run(&["send", "bob", "me again", "--wait", "0s"]).fine();
    assert_eq!(bob.receives(), ["me again"]);
}

#[test]
fn a_certificate_of_somebody_else_changes_nothing() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let eve = Person::member_of(&small_box, "eve");
    let (_, text) = sheet(&eve);
    let code = certificate(&text).concat();
    assert!(bob.run(&["contact", "revoked", &code, "--yes"]).failed(1).contains("nobody who is a contact"));
    assert!(eve.run(&["contact", "revoked", &code, "--yes"]).failed(1).contains("your own"));
    bob.run(&["send", "ada", "still here", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["still here"]);
}
