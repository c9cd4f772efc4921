//! Two people with `hob-chat`, each command of which may be killed, over a box that is killed as often.

use std::io::Read;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hob_tests::boxes::{HobBox, Start};
use hob_tests::chance::Chance;
use hob_tests::chat::{Person, ada_and_bob};
use serde_json::Value;

use crate::letters::Letters;
use crate::ratchets::Copies;

/// How long a command may take before it is stuck: a debug build on a busy machine saves a long history slowly.
const STUCK: Duration = Duration::from_secs(600);
/// Rounds at the end in which everything must arrive.
const LAST_ROUNDS: usize = 30;

/// What both threads and the killer see.
struct Shared {
    over: AtomicBool,
    commands: AtomicU64,
    killed: AtomicU64,
    /// Written by the first, by the second.
    letters: [Mutex<Letters>; 2],
}

/// So many cycles; what they came to, in words.
pub fn run(mut chance: Chance, cycles: u64) -> String {
    let mut hob = Start::default().env("HOB_LOG_LEVEL", "info").fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let people = [ada, bob];
    let mut copies = Copies::default();
    let shared = Arc::new(Shared {
        over: AtomicBool::new(false),
        commands: AtomicU64::new(0),
        killed: AtomicU64::new(0),
        letters: <[Mutex<Letters>; 2]>::default(),
    });
    let chances = [chance.fork(), chance.fork()];
    std::thread::scope(|scope| {
        let talkers: Vec<_> = [0, 1]
            .into_iter()
            .zip(chances)
            .map(|(who, chance)| {
                let (people, shared) = (&people, &shared);
                scope.spawn(move || live(&people[who], who, chance, shared))
            })
            .collect();
        let killing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            kill_the_box(&mut hob, &mut chance, cycles, &mut copies, || talkers.iter().any(|one| one.is_finished()));
        }));
        shared.over.store(true, Ordering::Relaxed);
        for talker in talkers {
            if let Err(why) = talker.join() {
                std::panic::resume_unwind(why);
            }
        }
        if let Err(why) = killing {
            std::panic::resume_unwind(why);
        }
    });
    settle(&people, &shared);
    let outcome = compare(&people, &shared);
    // Once more, for the envelopes since the last kill.
    hob.kill();
    copies.take(&hob.data);
    let (envelopes, messages) = copies.open(&[&people[0].profile, &people[1].profile]);
    format!(
        "talk: {cycles} kills of the box, {} of {} commands killed; {outcome}; {messages} ratchet keys in {envelopes} \
         envelopes, none used twice",
        shared.killed.load(Ordering::Relaxed),
        shared.commands.load(Ordering::Relaxed),
    )
}

fn kill_the_box(hob: &mut HobBox, chance: &mut Chance, cycles: u64, copies: &mut Copies, ended: impl Fn() -> bool) {
    for cycle in 1..=cycles {
        if cycle % 25 == 0 {
            eprintln!("  talk: {cycle} of {cycles}");
        }
        std::thread::sleep(Duration::from_millis(100 + chance.below(1500)));
        if ended() {
            return;
        }
        if cycle % 5 == 0 {
            assert_eq!(hob.status("refused"), 0, "the box refused something that hob-chat did");
        }
        hob.kill();
        copies.take(&hob.data);
        hob.start_again();
    }
}

/// One person's day: writes, reads, and is cut off.
fn live(person: &Person, who: usize, mut chance: Chance, shared: &Shared) {
    let mut number = 0;
    while !shared.over.load(Ordering::Relaxed) {
        let kill_after = chance.one_in(2).then(|| Duration::from_millis(chance.below(700)));
        if chance.below(5) < 3 {
            number += 1;
            write(person, who, &format!("{} {number}", ["ada", "bob"][who]), kill_after, shared);
        } else {
            read(person, who, kill_after, shared);
        }
    }
}

fn write(person: &Person, who: usize, text: &str, kill_after: Option<Duration>, shared: &Shared) {
    let to = ["bob", "ada"][who];
    shared.letters[who].lock().unwrap().written.insert(text.to_owned());
    let (lines, _) = command(person, &["send", to, text, "--wait", "0s", "--json"], kill_after, shared);
    if lines.iter().any(|line| line["status"].is_string()) {
        shared.letters[who].lock().unwrap().promised.insert(text.to_owned());
    }
}

fn read(person: &Person, who: usize, kill_after: Option<Duration>, shared: &Shared) {
    let (lines, was_killed) = command(person, &["receive", "--wait", "1s", "--json"], kill_after, shared);
    let mut letters = shared.letters[1 - who].lock().unwrap();
    for line in lines {
        letters.shows(&line, was_killed);
    }
}

/// Runs a command, and perhaps kills it; the whole lines that it printed, and whether it was killed.
fn command(person: &Person, args: &[&str], kill_after: Option<Duration>, shared: &Shared) -> (Vec<Value>, bool) {
    let mut command = person.command(args);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let printed = std::thread::spawn(move || read_all(&mut stdout));
    let said = std::thread::spawn(move || read_all(&mut stderr));
    let killed = end(&mut child, kill_after);
    shared.commands.fetch_add(1, Ordering::Relaxed);
    shared.killed.fetch_add(u64::from(killed), Ordering::Relaxed);
    let (printed, said) = (printed.join().unwrap(), said.join().unwrap());
    assert!(!said.contains("panic") && !said.contains("damaged"), "hob-chat {args:?}: {said}");
    // A line that the kill cut off was not shown.
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    (whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), killed)
}

fn read_all(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the end, or makes it; whether it was made.
fn end(child: &mut Child, kill_after: Option<Duration>) -> bool {
    let begun = Instant::now();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let running = begun.elapsed();
        if kill_after.is_some_and(|after| running >= after) {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        assert!(running < STUCK, "a command of hob-chat hangs: process {}", child.id());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Everything that is under way arrives, in a bounded number of rounds.
fn settle(people: &[Person; 2], shared: &Shared) {
    for _ in 0..LAST_ROUNDS {
        for (who, person) in people.iter().enumerate() {
            read(person, who, None, shared);
        }
        let is_done = |person: &Person| {
            let status = &person.json(&["status"])[0];
            ["in_outbox", "unconfirmed", "unread"].iter().all(|name| status[name] == 0)
        };
        if people.iter().all(is_done) {
            return;
        }
    }
    let stand = people.each_ref().map(|person| person.ok(&["status"]));
    panic!("after {LAST_ROUNDS} quiet rounds something is still under way:\n{}\n{}", stand[0], stand[1]);
}

fn compare(people: &[Person; 2], shared: &Shared) -> String {
    let texts = |who: usize, direction: &str| -> Vec<String> {
        let history = people[who].json(&["history", ["bob", "ada"][who], "--last", "100000"]);
        let mine = history.iter().filter(|message| message["direction"] == direction);
        let texts = mine.map(|message| message["text"].as_str().unwrap().to_owned());
        // What introduced the two to each other was not counted.
        texts.filter(|text| !text.starts_with("hello")).collect()
    };
    let (mut arrived, mut written, mut again) = (0, 0, 0);
    for who in [0, 1] {
        let letters = shared.letters[who].lock().unwrap();
        let received = texts(1 - who, "received");
        letters.compare(&texts(who, "sent"), &received);
        arrived += received.len();
        written += letters.written.len();
        again += letters.printed_again();
    }
    format!(
        "of {written} texts {arrived} were taken on and arrived exactly once, the others died with their command; \
         {again} were printed again after a kill"
    )
}
