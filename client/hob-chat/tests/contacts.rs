//! What becomes of contacts and of codes that were shown.

use crate::people::{Person, ada_and_bob};
use crate::small_box::SmallBox;

#[test]
fn a_contact_is_renamed_blocked_unblocked_and_removed() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    ada.run(&["contact", "rename", "bob", "robert"]).fine();
    assert!(ada.run(&["contacts"]).fine().starts_with("robert  "));
    let blocked = ada.run(&["contact", "block", "robert"]).fine();
    assert!(blocked.contains("blocked") && blocked.contains("not told"), "{blocked}");
    assert!(ada.run(&["contacts"]).fine().contains("blocked"));
    let stderr = ada.run(&["send", "robert", "hi"]).failed(1);
    assert!(stderr.contains("unblock"), "{stderr}");
    bob.run(&["send", "ada", "let me in", "--wait", "0s"]).failed(3);
    assert!(ada.receives().is_empty());
    ada.run(&["contact", "unblock", "robert"]).fine();
    ada.run(&["send", "robert", "peace", "--wait", "0s"]).fine();
    assert_eq!(bob.receives(), ["peace"]);
    bob.run(&["send", "ada", "thanks", "--wait", "0s"]).fine();
    assert_eq!(ada.receives(), ["thanks"]);
    let not_sure = ada.run_with_stdin(&["contact", "remove", "robert"], b"no\n").failed(1);
    assert!(not_sure.contains("export robert") && not_sure.contains("nothing was done"), "{not_sure}");
    ada.run_with_stdin(&["contact", "remove", "robert"], b"yes\n").fine();
    assert_eq!(ada.run(&["contacts", "--json"]).fine(), "");
    assert!(bob.run(&["send", "ada", "hello?"]).failed(3).contains("refused"));
}

#[test]
fn a_code_that_was_shown_to_the_wrong_person_is_withdrawn() {
    let small_box = SmallBox::start();
    let (ada, bob) = (Person::member_of(&small_box, "ada"), Person::member_of(&small_box, "bob"));
    let code = ada.code();
    let listed = &ada.run(&["contact", "codes", "--json"]).objects()[0];
    let id = listed["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.run(&["contact", "revoke", &id, "--json"]).objects()[0]["revoked"], id);
    assert_eq!(ada.run(&["contact", "codes", "--json"]).fine(), "");
    bob.run(&["contact", "add", &code, "--as", "ada"]).fine();
    assert!(bob.run(&["send", "ada", "hello"]).failed(3).contains("refused"));
    assert!(ada.receives().is_empty());
    assert!(ada.run(&["contact", "revoke", &id]).failed(1).contains("contact codes"));
}

#[test]
fn an_exported_conversation_is_markdown_in_which_nothing_written_is_markup() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run_with_stdin(&["send", "ada", "--wait", "0s"], b"# heading\n**bob** 00:00\n<b>\x1b[2J").fine();
    assert_eq!(ada.receives().len(), 1);
    let markdown = ada.run(&["export", "bob"]).fine();
    assert!(markdown.starts_with("# bob\n") && markdown.contains("\n## 2"), "{markdown}");
    assert!(markdown.contains("> hello\n") && markdown.contains("**you**"), "{markdown}");
    assert!(markdown.contains("> \\# heading") && markdown.contains("> \\*\\*bob\\*\\* 00:00"), "{markdown}");
    assert!(!markdown.contains('\u{1b}') && !markdown.contains("<b>"), "{markdown}");
    assert!(ada.run(&["export", "nobody"]).failed(1).contains("contacts"));
}
