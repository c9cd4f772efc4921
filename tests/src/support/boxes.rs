//! Starts, kills and asks `hob` processes.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;

/// A program that the build made, beside the running test; or in the folder that `HOB_TEST_PROGRAMS` names.
pub fn program(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("HOB_TEST_PROGRAMS") {
        let program = Path::new(&folder).join(name);
        assert!(program.exists(), "{} is not built", program.display());
        return program;
    }
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder.pop();
    }
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built: run `cargo build --workspace --bins` first", program.display());
    program
}

/// A program of the system that a test cannot do without.
pub fn tool(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("this test needs {name}: apt install {package}"))
}

/// Waits until something is true; says what, when it does not come true within half a minute.
pub fn wait_for(what: &str, is_true: impl FnMut() -> bool) {
    wait_within(Duration::from_secs(30), what, is_true);
}

/// The same with a time of one's own.
pub fn wait_within(at_most: Duration, what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + at_most;
    while !is_true() {
        assert!(Instant::now() < until, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that stays free while a box is down: below those that the system gives to outgoing connections (32768 and up),
/// one of which would else sit on it when the box comes back.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    let of_process = u16::try_from(std::process::id() % 199).unwrap() * 100;
    loop {
        let port = FIRST + of_process.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A running box. Killed when dropped.
pub struct HobBox {
    child: Child,
    start: Start,
    pub data: PathBuf,
    pub address: SocketAddr,
    pub identity: String,
    /// Only on a first start.
    pub invitation: Option<String>,
    /// Where the dashboard is, if it was asked for.
    pub dashboard: Option<SocketAddr>,
    /// What opens its set-up, before that is done.
    pub setup_code: Option<String>,
    stderr: Arc<Mutex<String>>,
    _folder: Option<tempfile::TempDir>,
}

/// How a box is started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// More arguments to `hob serve`.
    pub args: Vec<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
    /// Runs before, with the box's command behind it: `strace`, `setpriv`.
    pub wrapper: Vec<String>,
    /// The port; 0 for a free one.
    pub port: u16,
    /// Another build of `hob` than the one beside the test.
    pub build: Option<PathBuf>,
    /// A socket that listens, for the box to take over as from a service manager.
    pub listener: Option<Arc<TcpListener>>,
}

impl Start {
    /// A box whose quotas and rates do not stand in the way of a load; everything else as shipped.
    pub fn for_load() -> Self {
        Self::default()
            .env("HOB_LOG_LEVEL", "warn")
            .env("HOB_QUOTA_TOKEN_BURST", "10000000")
            .env("HOB_QUOTA_TOKEN_PER_SECOND", "1000000")
            .env("HOB_QUOTA_MAILBOX_ENVELOPES", "100000")
            .env("HOB_QUOTA_MAILBOX_BYTES", "1GiB")
            .env("HOB_GATE_HALF_OPEN", "10000")
            .env("HOB_GATE_NEW_PER_SECOND", "10000")
            .env("HOB_GATE_BURST", "10000")
            .env("HOB_GATE_WAITING", "10000")
    }

    /// With a dashboard, on any free port.
    pub fn with_dashboard() -> Self {
        Self::default().env("HOB_ADMIN_LISTEN", "127.0.0.1:0")
    }

    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn wrapped(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Hands over a listening socket as systemd does (sd_listen_fds(3)).
    pub fn activated(mut self, listener: TcpListener) -> Self {
        // It comes in as standard input, and the shell, whose process the box becomes, puts it where it belongs.
        let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=main exec \"$@\"";
        self.listener = Some(Arc::new(listener));
        self.wrapped(&["sh", "-c", script, "sh"])
    }

    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same environment for another command.
    pub fn environment_of(&self, mut command: Command) -> Command {
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `hob serve` over a folder, not yet started.
    pub fn command(&self, data: &Path) -> Command {
        let hob = self.build.clone().unwrap_or_else(|| program("hob"));
        let mut command = match self.wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(hob);
                command
            }
            None => Command::new(hob),
        };
        let port = if self.port == 0 { free_port() } else { self.port };
        command.args(["serve", "--ready-json", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
        command.arg(data).args(&self.args);
        command.env_remove("STATE_DIRECTORY").env("HOB_LOG_LEVEL", "debug");
        // Boxes of tests run side by side, and few are looked at.
        command.env("HOB_ADMIN_LISTEN", "off");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(listener) = &self.listener {
            command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
        }
        command
    }

    /// Starts over a folder that stays.
    ///
    /// # Errors
    /// What the box said before it ended.
    pub fn over(&self, data: &Path) -> Result<HobBox, String> {
        let mut child = self.command(data).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let keep = Arc::clone(&stderr);
        let from = child.stderr.take().unwrap();
        let listening = std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut kept = keep.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let Ok(ready) = serde_json::from_str::<Value>(&line) else {
            let status = child.wait().unwrap();
            listening.join().unwrap();
            return Err(format!("{status}: {}", stderr.lock().unwrap()));
        };
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        let client = ready["client"].as_str().unwrap();
        let address: SocketAddr = client.strip_prefix("https://").unwrap().parse().unwrap();
        Ok(HobBox {
            child,
            start: self.clone().port(address.port()),
            data: data.to_path_buf(),
            address,
            identity: ready["identity"].as_str().unwrap().to_owned(),
            invitation: ready["invitation"].as_str().map(str::to_owned),
            dashboard: ready["admin"].as_str().map(|url| url.strip_prefix("https://").unwrap().parse().unwrap()),
            setup_code: ready["setup_code"].as_str().map(str::to_owned),
            stderr,
            _folder: None,
        })
    }

    /// Starts in a fresh folder that goes with the box.
    pub fn fresh(&self) -> HobBox {
        let folder = tempfile::tempdir().unwrap();
        let mut started = self.over(&folder.path().join("data")).unwrap();
        started._folder = Some(folder);
        started
    }
}

impl HobBox {
    /// A box in a fresh folder.
    pub fn fresh() -> Self {
        Start::default().fresh()
    }

    /// The process of `hob` itself, also behind a wrapper that stays, as `strace` does.
    pub fn pid(&self) -> u32 {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        match children.split_whitespace().next() {
            Some(child) if !self.start.wrapper.is_empty() => child.parse().unwrap(),
            _ => id,
        }
    }

    fn process(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap()
    }

    /// What it said so far on stderr.
    pub fn said(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Runs a command of `hob` against this box.
    pub fn hob(&self, args: &[&str]) -> Output {
        Command::new(program("hob")).args(args).arg("--data").arg(&self.data).output().unwrap()
    }

    /// One object of a command with `--json`.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.hob(args);
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("hob {args:?}: {text}{errors}"))
    }

    /// A new invitation.
    pub fn invite(&self) -> String {
        self.json(&["invite", "--json"])["link"].as_str().unwrap().to_owned()
    }

    /// A number of `hob status --json`.
    pub fn status(&self, name: &str) -> u64 {
        let status = self.json(&["status", "--json"]);
        status[name].as_u64().unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    /// SIGKILL: what a crash does.
    pub fn kill(&mut self) {
        // Behind a wrapper that stays, the box goes first: else it would live on without it.
        let _ = kill_process(self.process(), Signal::KILL);
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.tell_to_stop();
        self.ended()
    }

    /// SIGTERM.
    pub fn tell_to_stop(&self) {
        kill_process(self.process(), Signal::TERM).unwrap();
    }

    /// How it ended, which must be within 5 s.
    pub fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "still running 5 s after SIGTERM: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sets a soft limit of the running process, or gives back what the hard one allows.
    pub fn limit(&self, resource: Resource, to: Option<u64>) {
        // The hard limit stays as it is: only root may raise it again.
        let pid = self.pid();
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let name = match resource {
            Resource::Fsize => "Max file size",
            Resource::Nofile => "Max open files",
            other => panic!("{other:?} is not limited by any test"),
        };
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let maximum = line.split_whitespace().nth(1).unwrap().parse().ok();
        let current = to.or(maximum);
        prlimit(Some(self.process()), resource, Rlimit { current, maximum }).unwrap();
    }

    /// Still runs, and nothing on stderr looks like a panic.
    pub fn assert_well(&mut self) {
        assert!(self.child.try_wait().unwrap().is_none(), "the box ended: {}", self.said());
        let said = self.said();
        assert!(!said.contains("panic"), "{said}");
    }

    /// The same folder and port again, started alike.
    pub fn start_again(&mut self) {
        let start = self.start.clone();
        self.start_again_as(&start);
    }

    /// The same folder and port again, started otherwise.
    pub fn start_again_as(&mut self, start: &Start) {
        let again = start.clone().port(self.address.port()).over(&self.data).unwrap();
        let folder = self._folder.take();
        *self = again;
        self._folder = folder;
    }
}

impl Drop for HobBox {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}
