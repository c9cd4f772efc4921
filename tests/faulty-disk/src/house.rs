//! A box on a faulty disk, and the people who use it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use hob_protocol::frame::TokenKind;
use hob_protocol::ids::{DeliveryToken, MailboxId};
use hob_tests::boxes::{HobBox, Start};
use hob_tests::clock::WallClock;
use hob_tests::people::Device;
use hob_tests::wire::Wire;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::account::Account;
use crate::cut::{Copy, Manner, below};
use crate::disk::Disk;
use crate::mount::Mounted;

/// How long a start may take before it counts as one that hangs.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Where the box's folder lies on its disk.
const DATA: &str = "data";

/// A member of the box.
#[derive(Clone)]
pub struct Member {
    key: SigningKey,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// What one writes to it with.
    pub token: DeliveryToken,
}

/// A box that people have joined, at rest: many houses begin with it.
pub struct Template {
    disk: Disk,
    members: Vec<Member>,
    identity: String,
}

/// A box, its disk, its people, and their account.
pub struct House {
    /// Runs what is asynchronous.
    pub runtime: Runtime,
    /// The members.
    pub members: Vec<Member>,
    /// What was promised.
    pub account: Arc<Mutex<Account>>,
    /// The running box.
    pub hob: Option<HobBox>,
    /// Starts of the box so far.
    pub starts: u32,
    program: PathBuf,
    environment: Vec<(String, String)>,
    clock: WallClock,
    time: Time,
    disk: Option<Mounted>,
    /// The disk while it is not mounted.
    resting: Disk,
    copies: Vec<(String, Copy)>,
    /// Commands that run aside.
    commands: Vec<std::process::Child>,
    identity: Option<String>,
    port: u16,
    folder: tempfile::TempDir,
}

/// The house's clock: it runs, and it is moved ahead.
#[derive(Debug, Clone)]
pub struct Time(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// When it was moved, and by how many seconds.
    moved: Mutex<Vec<(Instant, i64)>>,
}

/// What was on its way when the clock was moved comes within so much real time.
const ON_ITS_WAY: Duration = Duration::from_secs(20);

impl Time {
    fn begins() -> Self {
        Self(Arc::new(Shared { began: Instant::now(), moved: Mutex::default() }))
    }

    fn moved(&self) -> MutexGuard<'_, Vec<(Instant, i64)>> {
        self.0.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the house was made.
    pub fn now_s(&self) -> f64 {
        let ahead: i64 = self.moved().iter().map(|(_, seconds)| seconds).sum();
        self.0.began.elapsed().as_secs_f64() + ahead as f64
    }

    /// The same without the moves of the last moments: what comes now over a connection that was there before may have
    /// been on its way before, too.
    pub fn on_its_way_s(&self) -> f64 {
        let late: i64 =
            self.moved().iter().filter(|(at, _)| at.elapsed() < ON_ITS_WAY).map(|(_, seconds)| seconds).sum();
        self.now_s() - late as f64
    }
}

impl House {
    /// An empty house: no box has been here.
    pub fn empty(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("disk")).unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            members: Vec::new(),
            account: Arc::default(),
            hob: None,
            starts: 0,
            program: program.to_path_buf(),
            environment: Vec::new(),
            clock: WallClock::right(),
            time: Time::begins(),
            disk: None,
            resting: Disk::default(),
            copies: Vec::new(),
            commands: Vec::new(),
            identity: None,
            port: 0,
            folder,
        }
    }

    /// A house whose box was used before.
    pub fn like(template: &Template, program: &Path) -> Self {
        let mut house = Self::empty(program);
        house.members.clone_from(&template.members);
        house.resting = template.disk.clone();
        house.identity = Some(template.identity.clone());
        house
    }

    /// Its box with so many members, stopped as it should be.
    pub fn template(program: &Path, members: usize) -> Template {
        let mut house = Self::empty(program);
        house.start().unwrap();
        for _ in 0..members {
            house.join();
        }
        assert!(house.hob.take().unwrap().stop().success());
        house.unmount();
        let identity = house.identity.clone().unwrap();
        Template { disk: house.resting.clone(), members: house.members.clone(), identity }
    }

    /// More environment for the box's process.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The account, while nobody else writes into it.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its clock, to give away.
    pub fn time(&self) -> Time {
        self.time.clone()
    }

    /// Moves everybody's clock ahead.
    pub fn pass(&self, seconds: i64) {
        let mut moved = self.time.moved();
        moved.push((Instant::now(), seconds));
        self.clock.off_by(moved.iter().map(|(_, seconds)| seconds).sum());
    }

    /// The mounted disk.
    pub fn disk(&mut self) -> &Mounted {
        if self.disk.is_none() {
            let at = self.folder.path().join("disk");
            let mounted = Mounted::new(std::mem::take(&mut self.resting), &at);
            self.disk = Some(mounted.unwrap_or_else(|error| {
                panic!("cannot mount over {}: {error}; this needs root, or `unshare -Urm`, and /dev/fuse", at.display())
            }));
        }
        self.disk.as_ref().unwrap()
    }

    /// The disk while it is not mounted.
    pub fn resting(&mut self) -> &mut Disk {
        &mut self.resting
    }

    fn unmount(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        self.resting = disk.machine().disk.clone();
        disk.unmount().unwrap();
    }

    /// Where the box's folder is.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("disk").join(DATA)
    }

    fn start_of(&self) -> Start {
        let file = self.clock.file();
        let mut start =
            Start::default().arg("--demo-clock").arg("--clock-file").arg(file.to_str().unwrap()).port(self.port);
        start.build = Some(self.program.clone());
        let quotas = [
            ("HOB_LOG_LEVEL", "info"),
            ("HOB_QUOTA_TOKEN_BURST", "10000000"),
            ("HOB_QUOTA_TOKEN_PER_SECOND", "1000000"),
            ("HOB_QUOTA_OWNER_BURST", "1000000"),
            ("HOB_QUOTA_OWNER_PER_MINUTE", "1000000"),
            ("HOB_QUOTA_MAILBOX_ENVELOPES", "100000"),
            ("HOB_QUOTA_MAILBOX_BYTES", "1GiB"),
            ("HOB_QUOTA_CREDIT_MAX", "4096"),
            ("HOB_GATE_HALF_OPEN", "10000"),
            ("HOB_GATE_NEW_PER_SECOND", "10000"),
            ("HOB_GATE_BURST", "10000"),
            ("HOB_GATE_WAITING", "10000"),
        ];
        let environment = quotas.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        start.env = environment.chain(self.environment.clone()).collect();
        start
    }

    /// Starts the box. The disk may fail meanwhile.
    ///
    /// # Errors
    /// What the box said instead of starting.
    pub fn start(&mut self) -> Result<(), String> {
        self.disk();
        self.starts += 1;
        self.account().box_starts();
        let (start, data) = (self.start_of(), self.data());
        let starting = std::thread::spawn(move || start.over(&data));
        let until = Instant::now() + START_WITHIN;
        while !starting.is_finished() {
            if Instant::now() > until {
                let said = format!("the start hangs: {:?}", kill_children());
                return starting.join().map_or(Err(said.clone()), |_| Err(said));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let hob = starting.join().unwrap_or_else(|_| Err("it ended without a word".to_owned()))?;
        if let Some(known) = self.identity.as_ref().filter(|known| **known != hob.identity) {
            return Err(format!("it is another box now: {known} was shown before, {} now", hob.identity));
        }
        self.identity = Some(hob.identity.clone());
        self.port = hob.address.port();
        self.hob = Some(hob);
        Ok(())
    }

    /// The box's address.
    pub fn address(&self) -> SocketAddr {
        self.hob.as_ref().unwrap().address
    }

    /// A member's device, at the box's address of now.
    pub fn device(&self, member: usize) -> Device {
        let member = &self.members[member];
        Device { key: member.key.clone(), mailbox: member.mailbox, address: self.address() }
    }

    /// An owner's connection.
    pub fn owner(&self, member: usize) -> Wire {
        let device = self.device(member);
        self.runtime.block_on(device.prove())
    }

    /// Somebody joins.
    pub fn join(&mut self) {
        let link = self.ask(&["invite", "--json"]).unwrap()["link"].as_str().unwrap().to_owned();
        let address = self.address();
        let member = self.runtime.block_on(async {
            let device = Device::join(address, &link).await;
            let mut owner = device.prove().await;
            let token = device.grant(&mut owner, TokenKind::Contact).await;
            Member { key: device.key.clone(), mailbox: device.mailbox, token }
        });
        self.members.push(member);
    }

    /// A command of `hob`, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--data").arg(self.data()).stdin(std::process::Stdio::null());
        command
    }

    /// A command that goes on while others do something; it ends with the power at the latest.
    pub fn run_aside(&mut self, args: &[&str]) {
        let mut command = self.command(args);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        self.commands.push(command.spawn().unwrap());
    }

    /// One object of a command with `--json`.
    ///
    /// # Errors
    /// What it said instead.
    pub fn ask(&self, args: &[&str]) -> Result<Value, String> {
        let output = self.command(args).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = || format!("hob {args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(text.trim()).map_err(|_| said())
    }

    /// How the box stands.
    ///
    /// # Errors
    /// What it said instead.
    pub fn status(&self) -> Result<Status, String> {
        self.ask(&["status", "--json"]).map(Status)
    }

    /// The power is gone: the box too. What is left of the disk rests, and is not mounted.
    pub fn power_off(&mut self, manner: Manner, rng: &mut ChaCha8Rng) {
        self.disk().machine().faults.is_frozen = true;
        if let Some(mut hob) = self.hob.take() {
            hob.kill();
        }
        // Whoever still looks at the disk keeps it busy.
        for mut command in std::mem::take(&mut self.commands) {
            let _ = command.kill();
            command.wait().unwrap();
        }
        self.unmount();
        self.resting = self.resting.cut(manner, rng);
    }

    /// The folders of all logs, from the disk's root.
    fn logs(disk: &Disk) -> Vec<String> {
        let under = |folder: &str| {
            let parent = format!("{DATA}/log/{folder}");
            let names = disk.names(&parent).into_iter().filter(|name| name.parse::<u64>().is_ok());
            names.map(|name| format!("{parent}/{name}")).collect::<Vec<_>>()
        };
        [under("windows"), under("ledger")].concat()
    }

    /// Copies the sled databases of all logs, as they are in the middle of everything.
    pub fn copy_events(&mut self) {
        let machine = self.disk().machine();
        let copies: Vec<(String, Copy)> = Self::logs(&machine.disk)
            .into_iter()
            .map(|log| format!("{log}/events"))
            .filter_map(|events| Some((events.clone(), machine.disk.copy_of(&events)?)))
            .collect();
        drop(machine);
        self.copies.extend(copies);
    }

    /// Throws some logs' sled databases away, and replaces some by older copies. How many of each.
    pub fn spoil_events(&mut self, rng: &mut ChaCha8Rng) -> (u64, u64) {
        let (mut gone, mut older) = (0, 0);
        for log in Self::logs(&self.resting) {
            let events = format!("{log}/events");
            let copies: Vec<&Copy> =
                self.copies.iter().filter(|(path, _)| *path == events).map(|(_, copy)| copy).collect();
            match below(rng, 10) {
                0..=3 => {}
                4..=6 => gone += u64::from(self.resting.take_away(&events)),
                _ if copies.is_empty() => {}
                _ => {
                    let copy = copies[below(rng, copies.len() as u64) as usize];
                    self.resting.put_back(&events, copy);
                    older += 1;
                }
            }
        }
        (gone, older)
    }

    /// What the disk did last, and what the box said.
    pub fn story(&mut self) -> String {
        let said = self.hob.as_ref().map(HobBox::said).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(20).collect();
        let said: Vec<&str> = last.into_iter().rev().collect();
        format!("the disk did last:\n{}the box said last:\n{}", self.disk().machine().story(), said.join("\n"))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(disk) = &self.disk {
            disk.machine().faults.is_frozen = true;
        }
        if let Some(mut hob) = self.hob.take() {
            hob.kill();
        }
        if let Some(disk) = self.disk.take() {
            let _ = disk.unmount();
        }
    }
}

/// How a box says that it stands.
#[derive(Debug, Clone)]
pub struct Status(pub Value);

impl Status {
    /// A number.
    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// Yes or no.
    pub fn is(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }
}

/// Kills what this process started and still runs; which.
fn kill_children() -> Vec<u32> {
    let mut killed = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
            let pid = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
            if pid.is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok()) {
                killed.push(child);
            }
        }
    }
    killed
}
