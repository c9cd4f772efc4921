//! The box as a service: ports handed over, the watchdog, restarting in place.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hob_protocol::code::Code;
use hob_protocol::envelope::Envelope;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::ids::{DeliveryToken, EnvelopeId};
use hob_tests::boxes::{HobBox, Start, program, wait_for};
use hob_tests::chat::ada_and_bob;
use hob_tests::held::Held;
use hob_tests::people::{Device, envelope, reachable, submit, submit_new};
use hob_tests::wire::Wire;
use rustix::process::{Pid, Signal, kill_process};

/// What the box tells its service manager, in the order in which it comes.
struct Manager {
    folder: tempfile::TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn listening() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&told);
        std::thread::spawn(move || {
            let mut message = [0; 1024];
            while let Ok(bytes) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..bytes]);
                keep.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Self { folder, told }
    }

    fn on(&self, start: Start) -> Start {
        start.env("NOTIFY_SOCKET", self.folder.path().join("notify").to_str().unwrap())
    }

    fn count(&self, line: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|told| told.starts_with(line)).count()
    }
}

fn signal(hob: &HobBox, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(hob.pid()).unwrap()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_port_that_the_service_manager_opened_is_used_and_who_came_before_the_box_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let early = tokio::spawn(Wire::connect(address));
    let hob = Start::default().activated(listener).fresh();
    assert_eq!(hob.address, address, "not the port of --listen");
    early.await.unwrap().assert_open().await;
    assert_eq!(hob.json(&["doctor", "--json"])["findings"][0]["check"], "rights");
}

#[test]
fn sockets_that_are_none_are_left_alone_and_the_box_opens_its_own() {
    for (variables, what) in [
        ("LISTEN_FDS=1", "somebody else's process"),
        ("LISTEN_PID=$$ LISTEN_FDS=1", "a descriptor that is no socket"),
        ("LISTEN_PID=$$ LISTEN_FDS=4000000000", "more than there can be"),
        ("LISTEN_PID=$$ LISTEN_FDS=-1", "no number"),
    ] {
        let script = format!("exec 3</dev/null; LISTEN_PID=1; export LISTEN_PID; export {variables}; exec \"$@\"");
        let mut hob = Start::default().wrapped(&["sh", "-c", &script, "sh"]).fresh();
        assert_eq!(hob.status("members"), 0, "{what}");
        hob.assert_well();
    }
}

#[tokio::test]
async fn the_watchdog_hears_nothing_while_the_disk_hangs_and_again_when_it_answers() {
    let (manager, syncs) = (Manager::listening(), Held::syncs());
    let hob = manager.on(syncs.on(Start::default())).env("WATCHDOG_USEC", "600000").fresh();
    wait_for("the manager hears that it is ready", || manager.count("READY=1") == 1);
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    wait_for("the watchdog hears the box", || manager.count("WATCHDOG=1") >= 3);
    syncs.hold();
    let mut sender = Wire::connect(hob.address).await;
    sender.send(submit(&token, envelope(2048))).await;
    const STUCK: &str = "the disk has not answered for long";
    wait_for("the box notices", || hob.said().matches(STUCK).count() >= 2);
    let heard = manager.count("WATCHDOG=1");
    wait_for("several beats have been left out", || hob.said().matches(STUCK).count() >= 5);
    assert_eq!(manager.count("WATCHDOG=1"), heard, "a box that stores nothing does not say that it lives");
    syncs.release();
    wait_for("the watchdog hears the box again", || manager.count("WATCHDOG=1") > heard);
    assert!(matches!(sender.unasked().await, ServerBody::Accepted { .. }), "and what was held is accepted");
}

#[test]
fn a_box_whose_process_stands_still_says_nothing_to_the_watchdog() {
    let manager = Manager::listening();
    let hob = manager.on(Start::default()).env("WATCHDOG_USEC", "300000").fresh();
    wait_for("the watchdog hears the box", || manager.count("WATCHDOG=1") >= 2);
    signal(&hob, Signal::STOP);
    wait_for("it stands still", || state_of(hob.pid()) == 'T');
    // What was on its way has arrived when another box has started and answered; nothing more comes while it works.
    let other = manager.on(Start::default()).env("WATCHDOG_USEC", "0").fresh();
    let heard = manager.count("WATCHDOG=1");
    for _ in 0..3 {
        assert!(other.hob(&["restart"]).status.success());
    }
    assert_eq!(manager.count("WATCHDOG=1"), heard);
    signal(&hob, Signal::CONT);
    wait_for("it goes on", || manager.count("WATCHDOG=1") > heard);
}

fn state_of(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().chars().next().unwrap()
}

/// `hob` under a path of its own, where it can be replaced.
struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.install();
        this
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("hob")
    }

    /// As a package manager does it: the new file under another name, then renamed over the old one.
    fn install(&self) {
        let new = self.folder.path().join("hob.new");
        fs::copy(program("hob"), &new).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    fn install_script(&self, script: &str) {
        let new = self.folder.path().join("hob.new");
        fs::write(&new, script).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, self.path()).unwrap();
    }

    fn start(&self) -> Start {
        Start { build: Some(self.path()), ..Start::default() }
    }
}

fn is_replaced(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap().to_string_lossy().ends_with(" (deleted)")
}

/// Opens connections to a port, one after the other, until told to stop: how many, and how many were refused.
fn knock(address: SocketAddr, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<(usize, usize)> {
    std::thread::spawn(move || {
        let (mut knocked, mut refused) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            knocked += 1;
            let connected = TcpStream::connect_timeout(&address, Duration::from_secs(10));
            refused += usize::from(connected.is_err());
            // Too many at once would only wait at the gate.
            std::thread::sleep(Duration::from_millis(10));
        }
        (knocked, refused)
    })
}

/// Sends envelopes as a client does: what was not answered is submitted again over the next connection.
async fn keep_sending(address: SocketAddr, token: DeliveryToken, accepted: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut unanswered: Option<Envelope> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut wire = Wire::connect(address).await;
        while !stop.load(Ordering::Relaxed) {
            let envelope = unanswered.take().unwrap_or_else(|| envelope(2048));
            wire.send(submit(&token, envelope.clone())).await;
            match answer(&mut wire).await {
                Some(ServerBody::Accepted { .. }) => drop(accepted.fetch_add(1, Ordering::Relaxed)),
                Some(ServerBody::Error { code, .. }) if code == Code::Restarting.number() => {
                    unanswered = Some(envelope)
                }
                Some(other) => panic!("{other:?}"),
                None => {
                    unanswered = Some(envelope);
                    break;
                }
            }
        }
    }
}

async fn answer(wire: &mut Wire) -> Option<ServerBody> {
    loop {
        match wire.frame().await?.body {
            ServerBody::Restarting { back_in } => assert_eq!(back_in, Duration::from_secs(1)),
            body => return Some(body),
        }
    }
}

/// Takes what is pushed, and comes back when the connection ends.
async fn keep_taking(device: Device, got: Arc<Mutex<HashSet<EnvelopeId>>>, returns: Arc<AtomicUsize>) {
    loop {
        let mut owner = device.prove().await;
        while let Some(frame) = owner.frame().await {
            if let ServerBody::Push { id, .. } = frame.body {
                got.lock().unwrap().insert(id);
                owner.send(ClientBody::Acknowledge { ids: vec![id] }).await;
            }
        }
        returns.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_in_place_loses_nothing_refuses_nobody_and_is_ready_soon() {
    let installed = Installed::new();
    let quick = installed.start().env("HOB_QUOTA_TOKEN_BURST", "100000").env("HOB_QUOTA_TOKEN_PER_SECOND", "100000");
    let mut hob = quick.fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let (pid, address) = (hob.pid(), hob.address);
    let (accepted, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (got, returns) = (Arc::new(Mutex::new(HashSet::new())), Arc::new(AtomicUsize::new(0)));
    let sending = tokio::spawn(keep_sending(address, token, Arc::clone(&accepted), Arc::clone(&stop)));
    let taking = tokio::spawn(keep_taking(device, Arc::clone(&got), Arc::clone(&returns)));
    let stop_knocking = Arc::new(AtomicBool::new(false));
    let knocking = knock(address, Arc::clone(&stop_knocking));
    for round in 1..=3 {
        let before = accepted.load(Ordering::Relaxed);
        wait_for("envelopes flow", || accepted.load(Ordering::Relaxed) >= before + 20);
        installed.install();
        assert!(is_replaced(pid), "the box runs as what is not there any more");
        let report = hob.json(&["restart", "--json"]);
        println!("restart {round}: {report}");
        assert!(report["ready_after_ms"].as_u64().unwrap() < 10_000 && report["connections_told"].as_u64() >= Some(2));
        assert!(!is_replaced(pid), "the same process is the new program");
        wait_for("the owner came back", || returns.load(Ordering::Relaxed) >= round);
        assert_eq!(hob.status("members"), 1);
    }
    stop_knocking.store(true, Ordering::Relaxed);
    let (knocked, refused) = knocking.join().unwrap();
    assert!(knocked > 20 && refused == 0, "{refused} of {knocked} connections were refused");
    stop.store(true, Ordering::Relaxed);
    sending.await.unwrap();
    let accepted = accepted.load(Ordering::Relaxed);
    wait_for("everything that was accepted has come", || got.lock().unwrap().len() == accepted);
    taking.abort();
    let said = String::from_utf8(hob.hob(&["doctor"]).stdout).unwrap();
    assert!(said.contains("restarted in place"), "{said}");
    hob.assert_well();
}

#[tokio::test]
async fn a_program_that_cannot_take_over_is_not_let_and_the_box_goes_on() {
    let installed = Installed::new();
    let mut hob = installed.start().fresh();
    let (_, owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    let scripts = [
        ("no program at all", "cannot be started"),
        ("#!/bin/sh\nexit 1", "--version"),
        ("#!/bin/sh\necho something else 1.0", "something else 1.0"),
        (
            "#!/bin/sh\n[ \"$1\" = --version ] && echo hob 9 || { echo no setting listen >&2; exit 2; }",
            "no setting listen",
        ),
    ];
    for (script, word) in scripts {
        installed.install_script(script);
        let output = hob.hob(&["restart"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(word) && errors.contains("this box goes on"), "{errors}");
    }
    fs::remove_file(installed.path()).unwrap();
    assert_eq!(hob.hob(&["restart"]).status.code(), Some(1));
    signal(&hob, Signal::USR2);
    wait_for("the log says why", || hob.said().contains("not restarted"));
    submit_new(&mut sender, &token, envelope(2048)).await;
    drop(owner);
    hob.assert_well();
}

#[tokio::test]
async fn a_program_that_is_good_when_asked_and_vanishes_then_leaves_the_old_one_in_place() {
    let installed = Installed::new();
    let mut hob = installed.start().fresh();
    // Good answers, and then it is gone.
    installed.install_script("#!/bin/sh\n[ \"$1\" = --version ] && echo hob 9 || rm \"$0\"");
    assert!(hob.hob(&["restart"]).status.success(), "{}", hob.said());
    assert!(hob.said().contains("cannot be started: this one goes on"), "{}", hob.said());
    Wire::connect(hob.address).await.assert_open().await;
    installed.install();
    assert!(hob.hob(&["restart"]).status.success(), "and a good one can still take over");
    assert!(!is_replaced(hob.pid()));
    hob.assert_well();
}

#[test]
fn the_service_manager_hears_of_a_restart_in_place_and_of_its_end() {
    let manager = Manager::listening();
    let installed = Installed::new();
    let mut hob = manager.on(installed.start()).fresh();
    signal(&hob, Signal::USR2);
    wait_for("it is ready again", || manager.count("READY=1") == 2);
    assert_eq!(manager.count("RELOADING=1"), 1);
    assert_eq!(manager.count("MONOTONIC_USEC="), 1);
    assert_eq!(manager.count("STOPPING=1"), 0, "a restart in place is no stop");
    assert!(hob.stop().success());
    assert_eq!(manager.count("STOPPING=1"), 1);
}

#[tokio::test]
async fn a_port_of_the_service_manager_goes_from_program_to_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut hob = Start::default().activated(listener).fresh();
    for _ in 0..2 {
        assert!(hob.hob(&["restart"]).status.success(), "{}", hob.said());
        Wire::connect(address).await.assert_open().await;
    }
    hob.assert_well();
}

#[test]
fn who_follows_is_told_and_gets_what_comes_after_an_upgrade() {
    let hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let mut following =
        ada.command(&["receive", "--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let notices = BufReader::new(following.stderr.take().unwrap());
    let told =
        std::thread::spawn(move || notices.lines().map_while(Result::ok).any(|line| line.contains("back in 1 s")));
    wait_for("Ada's device is connected", || hob.status("connected") == 1);
    assert!(hob.hob(&["restart"]).status.success());
    bob.ok(&["send", "ada", "still here", "--wait", "0s"]);
    let mut line = String::new();
    BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with("  still here\n"), "{line:?}");
    following.kill().unwrap();
    following.wait().unwrap();
    assert!(told.join().unwrap(), "the client says that the box restarts");
}

/// The unit files say what this binary can do.
#[test]
fn the_unit_names_commands_and_signals_that_there_are() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("appliance/systemd/hob.service");
    let unit = fs::read_to_string(unit).unwrap();
    let mut commands = 0;
    for line in unit.lines().filter(|line| line.starts_with("Exec")) {
        let command = line.split_once('=').unwrap().1.strip_prefix("/usr/bin/hob ").unwrap();
        let help = std::process::Command::new(program("hob")).args(command.split(' ')).arg("--help").output().unwrap();
        assert!(help.status.success(), "{line}");
        commands += 1;
    }
    assert_eq!(commands, 2);
    assert!(unit.contains("\nType=notify\n") && unit.contains("\nWatchdogSec="));
}
