//! Boxes, devices, the clock that all of them share, and the account of who has read what.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hob_tests::boxes::{HobBox, Start};
use hob_tests::chat::Person;
use hob_tests::clock::{HOUR, WallClock};
use serde_json::Value;

/// A member's device: its name in the story, and its profile.
pub struct Device {
    pub name: &'static str,
    pub person: Person,
    /// How often each text was shown here.
    shown: BTreeMap<String, usize>,
    removed: bool,
}

/// What must have been read where, in the end.
struct Expected {
    text: String,
    on: Vec<&'static str>,
}

/// Everything that takes part.
pub struct Stage {
    clock: WallClock,
    /// To eight in the morning of the story's first day.
    first_morning_s: i64,
    ahead_s: i64,
    boxes: BTreeMap<&'static str, HobBox>,
    devices: Vec<Device>,
    expected: Vec<Expected>,
    said: usize,
    began: Instant,
    folder: tempfile::TempDir,
}

impl Stage {
    pub fn set() -> Self {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let into_day_s = i64::try_from(now_s % 86_400).unwrap();
        let clock = WallClock::right();
        let first_morning_s = 86_400 - into_day_s + 8 * HOUR;
        clock.off_by(first_morning_s);
        Self {
            clock,
            first_morning_s,
            ahead_s: 0,
            boxes: BTreeMap::new(),
            devices: Vec::new(),
            expected: Vec::new(),
            said: 0,
            began: Instant::now(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    // Time.

    /// A chapter begins.
    pub fn chapter(&self, title: &str) {
        println!("\n  {}  {title}", self.time());
    }

    pub fn tell(&self, line: &str) {
        println!("               {line}");
    }

    fn time(&self) -> String {
        // The story begins at eight in the morning of its first day.
        let minutes = 8 * 60 + self.ahead_s / 60;
        format!("day {}, {:02}:{:02}", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60)
    }

    /// Everybody's clock jumps, also the running boxes'.
    pub fn pass(&mut self, hours: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "some days, in seconds")]
        let seconds = (hours * HOUR as f64) as i64;
        self.ahead_s += seconds;
        self.clock.off_by(self.first_morning_s + self.ahead_s);
        // The boxes look up from their sleep and forget what is due before anybody speaks to them again.
        std::thread::sleep(Duration::from_millis(300));
    }

    // Boxes.

    fn start_of(&self) -> Start {
        let build = std::env::var_os("HOB_TEST_DEMO_BOX").map(PathBuf::from);
        let Some(build) = build else { panic!("set HOB_TEST_DEMO_BOX, or run tests/recipes/three-days") };
        let file = self.clock.file();
        let mut start = Start::default().arg("--demo-clock").arg("--clock-file").arg(file.to_str().unwrap());
        start.build = Some(build);
        start
    }

    pub fn open_box(&mut self, name: &'static str) {
        let started = self.start_of().over(&self.folder.path().join(name)).unwrap();
        self.boxes.insert(name, started);
    }

    pub fn the_box(&mut self, name: &str) -> &mut HobBox {
        self.boxes.get_mut(name).unwrap()
    }

    /// The box goes down and comes back at another port.
    pub fn move_box(&mut self, name: &'static str) -> String {
        let mut old = self.boxes.remove(name).unwrap();
        assert!(old.stop().success());
        let moved = self.start_of().over(&old.data).unwrap();
        assert_ne!(moved.address, old.address);
        let address = moved.address.to_string();
        self.boxes.insert(name, moved);
        address
    }

    // Devices.

    /// A device that uses an invitation of a box.
    pub fn join(&mut self, name: &'static str, at: &str, member: &str) {
        let invitation = self.the_box(at).invite();
        let person = self.newcomer();
        person.ok(&["join", &invitation, "--name", member]);
        self.add_device(name, person);
    }

    /// Somebody who lives by the story's clock, in its time zone.
    fn newcomer(&self) -> Person {
        let mut person = self.clock.given_to(Person::new());
        person.env.push(("TZ".to_owned(), "UTC".to_owned()));
        person
    }

    fn add_device(&mut self, name: &'static str, person: Person) {
        self.devices.retain(|device| device.name != name);
        self.devices.push(Device { name, person, shown: BTreeMap::new(), removed: false });
    }

    /// `device add` on one, `device join` on the other.
    pub fn pair(&mut self, first: &str, name: &'static str, called: &str) {
        let person = self.newcomer();
        // The first device stays until the new one is there.
        let mut adding = self
            .person(first)
            .command(&["device", "add"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(adding.stdout.take().unwrap()).lines().map_while(Result::ok);
        let code = lines.find(|line| line.starts_with("hob://device/"));
        let Some(code) = code else { panic!("{first} shows no device code") };
        person.ok(&["device", "join", &code, "--name", called]);
        let rest: Vec<String> = lines.collect();
        assert!(adding.wait().unwrap().success(), "{rest:?}");
        self.tell(&format!("{first} adds {name}"));
        self.add_device(name, person);
    }

    pub fn person(&self, name: &str) -> &Person {
        &self.device(name).person
    }

    fn device(&self, name: &str) -> &Device {
        self.devices.iter().find(|device| device.name == name).unwrap_or_else(|| panic!("no device {name}"))
    }

    pub fn removed(&mut self, name: &str) {
        self.devices.iter_mut().find(|device| device.name == name).unwrap().removed = true;
    }

    // Messages.

    /// Writes a message that must end on these devices, exactly once each.
    pub fn write(&mut self, from: &str, to: &str, text: &str, on: &[&'static str]) {
        let sent = self.person(from).command(&["send", to, text, "--wait", "0s"]).output().unwrap();
        let said = String::from_utf8_lossy(&sent.stdout).trim().to_owned();
        let waits = String::from_utf8_lossy(&sent.stderr).trim().to_owned();
        let code = sent.status.code();
        assert!(matches!(code, Some(0 | 3)), "{from} to {to}: {code:?} {said} {waits}");
        let fate = if said.is_empty() { waits.replace('\n', "; ") } else { said };
        self.tell(&format!("{from} writes to {to}: \"{text}\"  ({fate})"));
        self.expected.push(Expected { text: text.to_owned(), on: on.to_vec() });
        self.said += 1;
    }

    /// The device is online for a moment: it fetches, confirms, sends again what is due.
    pub fn wake(&mut self, name: &'static str) -> Vec<String> {
        let objects: Vec<Value> = self.person(name).receive();
        let mut texts = Vec::new();
        for object in objects {
            let text = object["text"].as_str().unwrap().to_owned();
            self.tell(&format!("{name} shows: {}: \"{text}\"", object["from"].as_str().unwrap()));
            texts.push(text);
        }
        let device = self.devices.iter_mut().find(|device| device.name == name).unwrap();
        for text in &texts {
            *device.shown.entry(text.clone()).or_default() += 1;
        }
        texts
    }

    /// Everybody is online in turn, until nobody has anything new.
    pub fn wake_all(&mut self) {
        let mut quiet_rounds = 0;
        for _ in 0..8 {
            let names: Vec<_> =
                self.devices.iter().filter(|device| !device.removed).map(|device| device.name).collect();
            let came: usize = names.into_iter().map(|name| self.wake(name).len()).sum();
            // What is sent again, and receipts, come to nobody's screen: one more round carries them.
            quiet_rounds = if came == 0 { quiet_rounds + 1 } else { 0 };
            if quiet_rounds == 2 {
                return;
            }
        }
    }

    /// What a device's history says of a text that was sent from it.
    pub fn standing(&self, name: &str, contact: &str, text: &str) -> String {
        let history = self.person(name).json(&["history", contact, "--last", "100"]);
        let found = history.iter().rev().find(|message| message["text"] == text);
        found.map_or_else(|| "unknown".to_owned(), |message| message["status"].as_str().unwrap().to_owned())
    }

    // The account.

    /// Every message exactly once on every screen that it is for, nothing else, and boxes that have forgotten.
    pub fn finish(mut self) {
        println!("\n  The account: how often each message was shown");
        let names: Vec<&str> = self.devices.iter().map(|device| device.name).collect();
        let width = self.expected.iter().map(|expected| expected.text.chars().count()).max().unwrap_or(0) + 2;
        println!("    {:width$}{}", "", names.iter().map(|name| format!("{name:>13}")).collect::<String>());
        let mut wrong = Vec::new();
        for Expected { text, on } in &self.expected {
            let mut row = String::new();
            for device in &self.devices {
                let times = device.shown.get(text).copied().unwrap_or(0);
                let due = usize::from(on.contains(&device.name));
                row.push_str(&format!(
                    "{:>13}",
                    if due == 0 && times == 0 { "-".to_owned() } else { times.to_string() }
                ));
                if times != due {
                    wrong.push(format!("{text:?} was shown {times} times on {}, not {due}", device.name));
                }
            }
            println!("    {text:width$}{row}");
        }
        for device in &self.devices {
            for text in device.shown.keys() {
                if !self.expected.iter().any(|expected| expected.text == *text) {
                    wrong.push(format!("{text:?} on {} was never written", device.name));
                }
            }
        }
        self.pass(6.1);
        for (name, hob) in &mut self.boxes {
            hob.assert_well();
            let pending = hob.status("pending");
            let windows = windows(&hob.data);
            println!("    the box {name} holds {pending} envelopes, and {windows} windows older than six hours");
            if pending + windows > 0 {
                wrong.push(format!("the box {name} remembers"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        println!(
            "\n  {} messages in {} of story and {:.0} s of ours: each on every screen that it was for, exactly once.",
            self.said,
            self.time(),
            self.began.elapsed().as_secs_f64()
        );
    }
}

/// Window folders of traffic; the empty one that is open now does not count.
fn windows(data: &Path) -> u64 {
    let folders = std::fs::read_dir(data.join("log/windows")).map(|entries| entries.flatten().count());
    u64::try_from(folders.unwrap_or(0).saturating_sub(1)).unwrap()
}
