//! The pictures of the documentation: the program itself on a terminal, with a conversation of two days.
//!
//! `tests/recipes/screenshots` runs this: the times in the pictures are those of `libfaketime`, whose library
//! HOB_TEST_FAKETIME names.

use std::path::Path;

use crate::people::{Person, run};
use crate::pty::Pty;
use crate::small_box::SmallBox;
use crate::svg;

struct Clock {
    library: String,
}

impl Clock {
    /// The environment in which it is this time, and goes on from there.
    fn at(&self, time: &str) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("FAKETIME", format!("@2026-11-{time}:00")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }

    fn run(&self, person: &Person, time: &str, arguments: &[&str]) -> String {
        run(person.command(arguments).envs(self.at(time))).fine()
    }

    fn says(&self, who: &Person, to: &str, time: &str, text: &str) {
        self.run(who, time, &["send", to, text, "--wait", "0s"]);
    }

    fn hears(&self, who: &Person, time: &str) {
        self.run(who, time, &["receive"]);
    }

    /// One says something, and the other reads it at once.
    fn talk(&self, who: &Person, to: &str, reader: &Person, time: &str, text: &str) {
        self.says(who, to, time, text);
        self.hears(reader, time);
    }
}

fn newest_id(clock: &Clock, person: &Person, with: &str, time: &str) -> String {
    let line = clock.run(person, time, &["history", with, "--last", "1", "--json"]);
    let object: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    object["id"].as_str().unwrap().to_owned()
}

fn joined(clock: &Clock, small_box: &SmallBox, name: &str) -> Person {
    let person = Person::new();
    clock.run(&person, "20 18:00", &["join", &small_box.invitation(), "--name", name]);
    person
}

/// Who showed a code is the second; each has heard of the other.
fn acquaint(clock: &Clock, one: &Person, name: &str, other: &Person, others_name: &str) {
    let code = clock.run(other, "20 18:01", &["contact", "show", "--code"]);
    clock.run(one, "20 18:02", &["contact", "add", code.trim(), "--as", others_name]);
    clock.says(one, others_name, "20 20:58", "It is me.");
    clock.hears(other, "20 20:58");
    clock.says(other, name, "20 20:59", "Good to hear you.");
    clock.hears(one, "20 20:59");
}

#[test]
#[ignore = "writes docs/images: tests/recipes/screenshots runs it"]
fn the_screen_is_drawn_for_the_documents() {
    let clock = Clock { library: std::env::var("HOB_TEST_FAKETIME").unwrap() };
    let small_box = SmallBox::start();
    let people: Vec<_> = ["Ada", "Bob", "Carol", "Dora"].map(|name| joined(&clock, &small_box, name)).into();
    let [ada, bob, carol, dora] = &people[..] else { panic!("four people") };
    acquaint(&clock, bob, "Bob", ada, "Ada");
    acquaint(&clock, carol, "Carol", ada, "Ada");
    let code = clock.run(dora, "20 18:01", &["contact", "show", "--code"]);
    clock.run(ada, "20 18:02", &["contact", "add", code.trim(), "--as", "Dora"]);
    clock.run(ada, "20 18:03", &["verify", "Bob", "--confirm"]);

    clock.talk(bob, "Ada", ada, "20 21:03", "Did the bread work out?");
    clock.talk(ada, "Bob", bob, "20 21:05", "It did. A little flat, but it sings when it cools.");
    clock.talk(bob, "Ada", ada, "20 21:06", "Then you kneaded it long enough.");
    clock.talk(bob, "Ada", ada, "21 17:12", "Supper at eight? I make the pumpkin soup.");
    let question = newest_id(&clock, ada, "Bob", "21 17:20");
    clock.talk(ada, "Bob", bob, "21 17:18", "Carol is in town, too.");
    clock.talk(ada, "Bob", bob, "21 17:19", "Her number is in the kitchen drawer, if you want to ring her first.");
    clock.talk(bob, "Ada", ada, "21 17:31", "Bring her! There is enough for six.");
    clock.run(
        ada,
        "21 17:40",
        &["send", "Bob", "Yes. I bring the bread and she brings the wine.", "--reply-to", &question, "--wait", "0s"],
    );
    clock.hears(bob, "21 17:40");
    clock.hears(ada, "21 17:40");
    clock.says(carol, "Ada", "21 17:41", "I am at the station.");
    clock.says(carol, "Ada", "21 17:41", "Which tram do I take?");
    clock.says(ada, "Bob", "21 17:42", "And shall I take the long table out of the shed?");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images");
    for (file, size, title) in [
        ("screen.svg", (88, 26), "hob-chat: Ada's conversation with Bob"),
        ("screen-narrow.svg", (44, 26), "hob-chat in a narrow terminal: Ada's conversation with Bob"),
    ] {
        let environment = clock.at("21 17:44");
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut screen = Pty::start_with(ada, size, &["open", "Bob"], &environment);
        screen.until(|text| text.contains("of the shed?") && text.contains("connected"));
        screen.press("\u{14}\u{14}");
        screen.until_shows("gone after 1 h");
        screen.press("The door code tonight is 4711");
        screen.until_shows("tonight is 4711");
        std::fs::write(folder.join(file), svg::of(screen.screen(), title)).unwrap();
        // The next one begins with an empty line again.
        screen.press("\u{15}");
        screen.until(|text| !text.contains("4711"));
        screen.press("\u{3}");
        assert_eq!(screen.end(), 0);
    }
}
