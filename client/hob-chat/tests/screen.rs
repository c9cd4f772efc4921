//! The full screen, on a terminal.

use crate::people::{Person, ada_and_bob};
use crate::pty::Pty;
use crate::small_box::SmallBox;

const USUAL: (u16, u16) = (80, 24);
const ESC: &str = "\u{1b}";
const ALT_ENTER: &str = "\u{1b}\r";
const ALT_UP: &str = "\u{1b}[1;3A";
const DOWN: &str = "\u{1b}[B";
const F1: &str = "\u{1b}OP";
const F2: &str = "\u{1b}OQ";
const CTRL_C: &str = "\u{3}";
const CTRL_O: &str = "\u{f}";
const CTRL_R: &str = "\u{12}";
const CTRL_T: &str = "\u{14}";

/// The line of the screen that holds these words.
fn line_with(screen: &str, words: &str) -> String {
    screen.lines().find(|line| line.contains(words)).unwrap_or_default().to_owned()
}

#[test]
fn two_people_talk_on_their_screens() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &[]);
    adas.until_shows("Choose somebody");
    adas.press("\r");
    adas.until_shows("hello yourself");
    let mut bobs = Pty::start(&bob, USUAL, &["open", "ada"]);
    bobs.until_shows("hello yourself");
    adas.press("supper at eight?");
    adas.until_shows("supper at eight?");
    adas.press("\r");
    bobs.until_shows("supper at eight?");
    adas.until(|screen| line_with(screen, "supper at eight?").contains('✓'));
    bobs.press("yes\r");
    adas.until_shows("yes");
    for screen in [&mut adas, &mut bobs] {
        screen.press(CTRL_C);
        assert_eq!(screen.end(), 0);
        assert!(screen.is_given_back());
    }
    assert_eq!(ada.receives(), [] as [&str; 0], "what was on the screen is not printed again");
}

#[test]
fn pasted_lines_wait_for_enter_and_arrive_as_one_message() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("to bob");
    adas.paste("one\rtwo\r\nthree");
    let screen = adas.until_shows("three");
    assert!(!line_with(&screen, "one").contains(':'), "it stands in the typing line, not in the history:\n{screen}");
    adas.press(&format!("{ALT_ENTER}four"));
    adas.until_shows("four");
    adas.press("\r");
    adas.until(|screen| line_with(screen, "four").contains(['✓', '·']));
    assert_eq!(bob.receives(), ["one\ntwo\nthree\nfour"]);
}

#[test]
fn the_screen_follows_every_size_and_comes_back_whole() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("hello yourself");
    adas.press("half a sentence");
    let before = adas.until_shows("half a sentence");
    for size in [(40, 12), (1, 1), (200, 60), (59, 24), (60, 3), (2, 40)] {
        adas.resize(size.0, size.1);
        // The size has arrived when what is drawn for it is there.
        if size.0 >= 40 {
            adas.until(|screen| {
                screen.contains("half a sentence") && screen.lines().all(|line| line.chars().count() <= size.0.into())
            });
        }
    }
    adas.resize(80, 24);
    let after = adas.until(|screen| {
        screen.contains("half a sentence") && screen.contains("Enter sends") && screen.contains("hello yourself")
    });
    assert_eq!(before, after);
}

#[test]
fn hostile_text_stays_in_its_place() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("hello yourself");
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}gnp.exe\r\u{8}\u{8}";
    bob.run_with_stdin(&["send", "ada", "--wait", "0s"], hostile.as_bytes()).fine();
    bob.run_with_stdin(&["send", "ada", "--wait", "0s"], "x".repeat(54 * 1024).as_bytes()).fine();
    bob.run_with_stdin(
        &["send", "ada", "--wait", "0s"],
        "日本語 👩\u{200d}🚀 e\u{301}\u{301}\u{301}\u{301}\u{301} שלום\n".repeat(3).as_bytes(),
    )
    .fine();
    let screen = adas.until_shows("שלום");
    assert!(screen.contains("to bob") && screen.contains("connected"), "{screen}");
    // The frame is where it was: the line between the panes is in its column in every row of the history.
    for (row, line) in screen.lines().enumerate().take(19).skip(2) {
        assert_eq!(adas.screen().cell(u16::try_from(row).unwrap(), 22).unwrap().contents(), "│", "{line}\n{screen}");
    }
    for _ in 0..3 {
        adas.press("\u{1b}[5~");
    }
    adas.until_shows("\\u{1b}[2J\\u{1b}]0;owned");
    let told = String::from_utf8_lossy(&adas.raw).into_owned();
    assert!(!told.contains("]0;owned\u{7}") && !told.contains('\u{202e}'));
}

#[test]
fn what_is_typed_outlives_a_dropped_connection_another_conversation_and_a_kill() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let carol = Person::member_of(&small_box, "carol");
    ada.run(&["contact", "add", &carol.code(), "--as", "carol"]).fine();
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("● connected");
    adas.press("I wanted to");
    adas.until_shows("I wanted to");
    let stopped = small_box.stop();
    adas.until_shows("not connected");
    adas.press(" say something");
    adas.until_shows("I wanted to say something");
    adas.press("\u{e}");
    adas.until_shows("to carol");
    let screen = adas.until_shows("draft");
    assert!(!screen.contains("I wanted to"), "{screen}");
    adas.press("\u{10}");
    adas.until_shows("I wanted to say something");
    // Saved by now, or within the next moment: a draft that is on the disk is what the kill must not touch.
    let drafts = ada.profile().join("drafts");
    while !drafts.exists() {
        adas.until_shows("to bob");
        std::thread::yield_now();
    }
    adas.signal("KILL");
    assert_eq!(adas.end(), -1);
    let mut again = Pty::start(&ada, USUAL, &["open", "bob"]);
    again.until_shows("I wanted to");
    again.until_shows("not connected");
    again.press("\r");
    again.until(|screen| {
        line_with(screen, "I wanted to say something").contains('…') && screen.contains("in the outbox")
    });
    let _small_box = stopped.start();
    again.until(|screen| line_with(screen, "I wanted to say something").contains('·'));
    assert_eq!(bob.receives(), ["I wanted to say something"]);
}

#[test]
fn leaving_keeps_the_draft_and_the_next_screen_has_it() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("to bob");
    adas.press("not finished");
    adas.until_shows("not finished");
    adas.press(CTRL_C);
    assert_eq!(adas.end(), 0);
    let mut again = Pty::start(&ada, USUAL, &["open", "bob"]);
    again.until_shows("not finished");
    again.signal("TERM");
    assert_eq!(again.end(), 0);
    assert!(again.is_given_back());
}

#[test]
fn a_line_that_hangs_up_takes_nothing_of_what_was_typed_along() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("to bob");
    adas.press("the line is bad");
    adas.until_shows("the line is bad");
    adas.signal("HUP");
    adas.end();
    let mut again = Pty::start(&ada, USUAL, &["open", "bob"]);
    again.until_shows("the line is bad");
}

#[test]
fn a_profile_that_is_wiped_takes_its_screens_along_with_a_word() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut first = Pty::start(&ada, USUAL, &["open", "bob"]);
    first.until_shows("hello yourself");
    let mut second = Pty::start(&ada, USUAL, &["open", "bob"]);
    second.until_shows("hello yourself");
    ada.run(&["forget", "--yes"]).fine();
    assert_eq!((first.end(), second.end()), (1, 1));
    assert!(first.text().contains("wiped"), "{}", first.text());
    assert!(first.is_given_back() && second.is_given_back());
}

#[test]
fn a_terminal_that_can_draw_nothing_gets_the_help_instead() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start_with(&ada, (80, 200), &[], &[("TERM", "dumb")]);
    adas.end();
    assert!(adas.text().contains("Usage") && !adas.screen().alternate_screen(), "{}", adas.text());
}

#[test]
fn a_draft_that_cannot_be_saved_is_asked_about_before_it_is_lost() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("to bob");
    // A folder in the way of the new file.
    std::fs::create_dir_all(ada.profile().join("drafts.new/full")).unwrap();
    adas.press("dear to me");
    adas.press(CTRL_C);
    adas.until_shows("would be lost");
    adas.press("n");
    adas.until(|screen| !screen.contains("would be lost") && screen.contains("dear to me"));
    adas.press(CTRL_C);
    adas.until_shows("would be lost");
    adas.press("y");
    assert_eq!(adas.end(), 0);
}

#[test]
fn help_shows_every_key_and_scrolls() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("to bob");
    adas.press("?");
    adas.until_shows("begins a new line in the message");
    adas.press("\u{1b}[F");
    adas.until_shows("delivered: a device of the contact has it");
    adas.press(ESC);
    adas.until(|screen| !screen.contains("delivered: a device"));
    adas.press("so?");
    adas.until_shows("so?");
    adas.press(F1);
    adas.until_shows("begins a new line in the message");
}

#[test]
fn an_answer_shows_what_it_answers_on_both_screens() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("hello yourself");
    adas.press(CTRL_R);
    adas.until_shows("answers bob: hello");
    adas.press("hello to that\r");
    adas.until_shows("▏bob: hello");
    let mut bobs = Pty::start(&bob, USUAL, &["open", "ada"]);
    bobs.until(|screen| screen.contains("▏you: hello") && screen.contains("hello to that"));
}

#[test]
fn a_message_shown_once_is_covered_until_a_key_opens_it_and_then_gone() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut bobs = Pty::start(&bob, USUAL, &["open", "ada"]);
    bobs.until_shows("to ada");
    bobs.press(&format!("{CTRL_O}{CTRL_T}"));
    bobs.until_shows("gone after 10 min · shown once");
    bobs.press("the code is 4711\r");
    bobs.until_shows("(shown once)");
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    let screen = adas.until_shows("o opens it");
    assert!(!screen.contains("4711"), "{screen}");
    adas.press(ALT_UP);
    adas.until_shows("▌");
    adas.press("o");
    adas.until_shows("the code is 4711");
    adas.press(ESC);
    adas.until(|screen| !screen.contains("4711") && !screen.contains("o opens it"));
    assert_eq!(ada.receives(), [] as [&str; 0]);
}

#[test]
fn numbers_are_compared_and_marked_after_a_question() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let number = ada.run(&["verify", "bob"]).fine();
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("not verified");
    adas.press(F2);
    let first_line = number.lines().next().unwrap();
    adas.until_shows(first_line);
    adas.press("v");
    adas.until_shows("Did you compare all 60 digits");
    adas.press("y");
    adas.until_shows("bob · verified");
    assert!(ada.run(&["contacts"]).fine().contains("verified"));
}

#[test]
fn a_search_finds_what_was_said_and_its_place() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    for number in 0..40 {
        let text = if number == 3 { "the Soup is hot".to_owned() } else { format!("line {number}") };
        bob.run(&["send", "ada", &text, "--wait", "0s"]).fine();
    }
    let mut adas = Pty::start(&ada, USUAL, &["open", "bob"]);
    adas.until_shows("line 39");
    adas.press("/soup");
    adas.until(|screen| screen.contains("the Soup is hot") && screen.contains("1 of 1"));
    adas.press("x");
    adas.until_shows("nothing found");
}

#[test]
fn a_second_screen_and_a_command_work_through_the_first_and_the_second_takes_over() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    let mut first = Pty::start(&ada, USUAL, &["open", "bob"]);
    first.until_shows("● connected");
    let mut second = Pty::start(&ada, USUAL, &["open", "bob"]);
    second.until_shows("hello yourself");
    second.press("from the second\r");
    first.until_shows("from the second");
    ada.run(&["send", "bob", "from a command", "--wait", "0s"]).fine();
    second.until_shows("from a command");
    second.press("and this stays");
    second.until_shows("and this stays");
    first.signal("KILL");
    first.end();
    second.until_shows("● connected");
    second.until_shows("and this stays");
    second.press("\r");
    second.until(|screen| line_with(screen, "and this stays").contains('·'));
    assert_eq!(bob.receives(), ["from the second", "from a command", "and this stays"]);
}

#[test]
fn a_narrow_screen_shows_one_thing_at_a_time() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let mut adas = Pty::start(&ada, (40, 14), &[]);
    let screen = adas.until_shows("bob");
    assert!(!screen.contains("hello"), "{screen}");
    adas.press(&format!("{DOWN}\r"));
    let screen = adas.until_shows("hello yourself");
    assert!(!screen.contains('│'), "{screen}");
    adas.press("\t");
    adas.until(|screen| !screen.contains("hello yourself"));
}

#[test]
fn without_colour_and_without_unicode_nothing_is_lost() {
    let small_box = SmallBox::start();
    let (ada, bob) = ada_and_bob(&small_box);
    bob.run(&["send", "ada", "süß", "--wait", "0s"]).fine();
    let environment = [("NO_COLOR", "1"), ("LANG", "C"), ("LC_ALL", "")];
    let mut adas = Pty::start_with(&ada, USUAL, &["open", "bob"], &environment);
    let screen = adas.until_shows("s\\u{fc}\\u{df}");
    assert!(screen.is_ascii(), "{screen}");
    adas.until(|screen| line_with(screen, "hello yourself").trim_end().ends_with('+'));
    let told = String::from_utf8_lossy(&adas.raw).into_owned();
    assert!(!told.contains("[38;5;") && !told.contains("[33m"), "{told:?}");
    let mut adas = Pty::start_with(&ada, USUAL, &["--ascii", "open", "bob"], &[]);
    adas.until_shows("süß");
    adas.until(|screen| line_with(screen, "hello yourself").trim_end().ends_with('+'));
}

#[test]
fn without_a_terminal_there_is_no_screen_and_a_word_about_it() {
    let small_box = SmallBox::start();
    let (ada, _bob) = ada_and_bob(&small_box);
    let printed = ada.run(&["open", "bob"]).fine();
    assert!(printed.contains("hob-chat") && !printed.contains('\u{1b}'), "{printed}");
}
