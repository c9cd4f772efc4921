//! The keeper asks the doctor: each finding provoked for real, on running boxes, stopped ones and broken folders.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hob_tests::boxes::{HobBox, Start, program, tool};
use hob_tests::clock::{HOUR, TEN_YEARS, WallClock};
use hob_tests::people::{envelope, reachable, submit_new};
use hob_tests::wire::Wire;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What the doctor said.
struct Report {
    code: i32,
    all: Value,
}

impl Report {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panic") && !errors.contains("a fault in the program"), "{errors}");
        let all = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}{errors}"));
        Self { code: output.status.code().unwrap(), all }
    }

    fn findings(&self) -> &[Value] {
        self.all["findings"].as_array().unwrap()
    }

    /// How a check stands, and what it says.
    fn check(&self, name: &str) -> (&str, &str) {
        let finding = self.findings().iter().find(|finding| finding["check"] == name);
        let finding = finding.unwrap_or_else(|| panic!("no check {name} in {}", self.all));
        (finding["verdict"].as_str().unwrap(), finding["says"].as_str().unwrap())
    }

    #[track_caller]
    fn assert(&self, name: &str, verdict: &str, word: &str) {
        let (is, says) = self.check(name);
        assert!(
            is == verdict && says.contains(word),
            "{name} is {is}, not {verdict}, or does not say {word:?}: {says}"
        );
        let wanted = match self.all["verdict"].as_str().unwrap() {
            "ok" => 0,
            "look" => 1,
            _ => 2,
        };
        assert_eq!(self.code, wanted, "the worst one decides");
        for finding in self.findings() {
            assert!(
                finding["verdict"] == "ok" || finding["next"].is_string(),
                "what is not ok says what to do: {finding}"
            );
        }
    }
}

fn doctor(data: &Path, more: &[&str]) -> Report {
    let mut command = Command::new(program("hob"));
    command.args(["doctor", "--json", "--data"]).arg(data).args(more);
    Report::of(&command.output().unwrap())
}

/// Every file and folder with its content and rights: what the doctor must leave as it is.
fn everything(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut seen = Vec::new();
    let mut to_visit = vec![folder.to_path_buf()];
    while let Some(path) = to_visit.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mut content = Vec::new();
        if metadata.is_dir() {
            to_visit.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if metadata.is_file() {
            content = fs::read(&path).unwrap();
        }
        seen.push((path, metadata.permissions().mode(), content));
    }
    seen.sort();
    seen
}

/// A box that ran, took something in and was stopped.
async fn stopped_box() -> HobBox {
    let mut hob = HobBox::fresh();
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    assert!(hob.stop().success());
    hob
}

#[tokio::test]
async fn a_healthy_box_is_found_well_running_and_stopped_and_nothing_is_changed() {
    let mut hob = HobBox::fresh();
    let running = doctor(&hob.data, &[]);
    running.assert("ports", "ok", "answers as this box");
    running.assert("rights", "ok", "only");
    running.assert("log", "ok", "nothing damaged");
    running.assert("open files", "ok", "has");
    running.assert("service", "ok", "first start");
    running.assert("certificate", "ok", "self-made");
    assert_eq!(running.all["running"], true);
    hob.assert_well();
    assert!(hob.stop().success());
    let before = everything(&hob.data);
    let port = format!("127.0.0.1:{}", hob.address.port());
    let stopped = doctor(&hob.data, &["--listen", &port]);
    stopped.assert("ports", "ok", "free");
    stopped.assert("log", "ok", "every record in its place");
    assert_eq!(stopped.all["running"], false);
    assert!(everything(&hob.data) == before, "looking changes nothing");
    hob.start_again();
    let (verdict, says) = (doctor(&hob.data, &[]), "stopped when it was asked to");
    verdict.assert("service", "ok", says);
}

#[tokio::test]
async fn a_person_reads_what_to_do_below_what_was_found() {
    let hob = stopped_box().await;
    fs::set_permissions(hob.data.join("keys/box.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = Command::new(program("hob")).arg("doctor").arg("--data").arg(&hob.data).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("WRONG  rights") && text.contains("-> chmod 600") && text.contains("1 wrong"), "{text}");
}

#[tokio::test]
async fn rights_that_let_others_in_are_found_and_the_secret_ones_are_wrong() {
    let hob = stopped_box().await;
    let set = |path: &str, mode| {
        fs::set_permissions(hob.data.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("keys/identity.key", 0o640);
    doctor(&hob.data, &[]).assert("rights", "wrong", "identity.key can be read by others (mode 0640)");
    set("keys/identity.key", 0o600);
    set("", 0o755);
    doctor(&hob.data, &[]).assert("rights", "look", "can be entered by others (mode 0755)");
    set("", 0o700);
    set("keys", 0o711);
    doctor(&hob.data, &[]).assert("rights", "look", "keys can be entered by others (mode 0711)");
    set("keys", 0o700);
    doctor(&hob.data, &[]).assert("rights", "ok", "only");
}

#[test]
fn a_folder_without_a_box_and_one_that_is_not_there_are_wrong_and_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    doctor(folder.path(), &[]).assert("rights", "wrong", "no box ever ran");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let missing = folder.path().join("box");
    doctor(&missing, &[]).assert("rights", "wrong", "there is no folder");
    assert!(!missing.exists());
    fs::write(&missing, "").unwrap();
    doctor(&missing, &[]).assert("rights", "wrong", "is no folder");
}

#[tokio::test]
async fn a_taken_port_is_told_with_who_has_it() {
    let hob = stopped_box().await;
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let report = doctor(&hob.data, &["--listen", &address]);
    report.assert("ports", "wrong", &format!("process {}", std::process::id()));
    drop(other);
    doctor(&hob.data, &["--listen", &address]).assert("ports", "ok", "free");
}

#[test]
fn a_box_that_hangs_is_told_apart_from_one_that_is_stopped() {
    let hob = HobBox::fresh();
    let pid = Pid::from_raw(i32::try_from(hob.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let report = doctor(&hob.data, &[]);
    kill_process(pid, Signal::CONT).unwrap();
    report.assert("ports", "wrong", "does not answer the keeper");
    doctor(&hob.data, &[]).assert("ports", "ok", "answers as this box");
}

#[tokio::test]
async fn one_flipped_byte_of_a_journal_is_wrong_and_a_torn_tail_is_not() {
    let mut hob = HobBox::fresh();
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    hob.kill();
    doctor(&hob.data, &[]).assert("log", "ok", "every record in its place");
    let journal = newest_journal(&hob.data.join("log/windows"));
    let good = fs::read(&journal).unwrap();
    let end = good.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut torn = good.clone();
    torn[end..end + 100].fill(7);
    fs::write(&journal, &torn).unwrap();
    doctor(&hob.data, &[]).assert("log", "ok", "half written");
    let mut damaged = good.clone();
    damaged[100] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    doctor(&hob.data, &[]).assert("log", "wrong", "damaged");
    assert_eq!(fs::read(&journal).unwrap(), damaged);
    hob.start_again();
    let running = doctor(&hob.data, &[]);
    running.assert("log", "look", "lie aside");
    running.assert("service", "ok", "it ended suddenly");
}

fn newest_journal(windows: &Path) -> PathBuf {
    let mut folders: Vec<PathBuf> = fs::read_dir(windows).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.pop().unwrap().join("journal")
}

#[tokio::test]
async fn a_folder_of_a_newer_format_and_one_without_its_keys_are_wrong() {
    let hob = stopped_box().await;
    let format = fs::read(hob.data.join("format")).unwrap();
    fs::write(hob.data.join("format"), "99\n").unwrap();
    doctor(&hob.data, &[]).assert("log", "wrong", "format 99");
    fs::write(hob.data.join("format"), format).unwrap();
    fs::remove_file(hob.data.join("keys/box.key")).unwrap();
    doctor(&hob.data, &[]).assert("log", "wrong", "the box key");
}

#[tokio::test]
async fn a_clock_in_1970_behind_or_moved_is_told() {
    let clock = WallClock::right();
    let hob = stopped_box().await;
    let at = |data: &Path| {
        let mut command = clock.on(Start::default()).environment_of(Command::new(program("hob")));
        command.args(["doctor", "--json", "--data"]).arg(data);
        Report::of(&command.output().unwrap())
    };
    clock.to_1970();
    at(&hob.data).assert("clock", "wrong", "1970");
    clock.off_by(-7 * HOUR);
    at(&hob.data).assert("clock", "wrong", "behind the last time that the box stored");
    clock.off_by(TEN_YEARS);
    at(&hob.data).assert("clock", "look", "the box was off for");
    clock.off_by(0);
    let mut hob = hob;
    hob.start_again();
    clock.off_by(-7 * HOUR);
    at(&hob.data).assert("clock", "wrong", "set back");
    clock.off_by(7 * HOUR);
    at(&hob.data).assert("clock", "look", "it was moved");
}

#[tokio::test]
async fn a_box_that_nobody_tells_the_time_says_until_when_it_keeps_old_mail() {
    let clock = WallClock::right();
    let mut hob = clock.on(Start::default()).fresh();
    let (_, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    hob.kill();
    clock.to_1970();
    hob.start_again();
    doctor(&hob.data, &[]).assert("time source", "look", "is destroyed in");
}

#[test]
fn too_few_open_files_are_told_for_a_box_that_runs_and_for_one_that_is_to_be_started() {
    let few = ["sh", "-c", "ulimit -n 200; exec \"$@\"", "sh"];
    let hob = Start::default().wrapped(&few).fresh();
    doctor(&hob.data, &[]).assert("open files", "look", "may open 200");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]).arg(program("hob"));
    command.args(["doctor", "--json", "--data"]).arg(folder.path()).stdin(Stdio::null());
    Report::of(&command.output().unwrap()).assert("open files", "wrong", "may open 100");
}

#[tokio::test]
async fn a_certificate_that_is_none_is_wrong() {
    let hob = stopped_box().await;
    fs::write(hob.data.join("keys/tls.crt"), "-----BEGIN CERTIFICATE-----").unwrap();
    doctor(&hob.data, &[]).assert("certificate", "wrong", "no certificate");
}

/// On file systems of their own, in a user and mount namespace: `tests/recipes/small-disk`.
mod small_disk {
    use super::*;

    /// The doctor behind a script that mounts something, over a copy of a stopped box's folder.
    fn doctor_after(data: &Path, script: &str) -> Report {
        let unshare = tool("unshare", "util-linux");
        let mut command = Command::new(unshare);
        command.args(["-Urm", "sh", "-c", &format!("{script} && exec \"$@\""), "sh"]).arg(program("hob"));
        command.args(["doctor", "--json", "--data"]).arg(data);
        Report::of(&command.output().unwrap())
    }

    #[tokio::test]
    #[ignore = "needs user namespaces: tests/recipes/small-disk"]
    async fn the_doctor_tells_a_full_disk_a_read_only_one_and_file_systems_that_keep_what_is_overwritten() {
        let hob = stopped_box().await;
        let data = hob.data.display();
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        let box_there = folder.path().join("data");

        let tiny = format!("mount -t tmpfs -o size=40m,mode=700 hob {at} && cp -a {data} {at}/data");
        let report = doctor_after(&box_there, &tiny);
        report.assert("disk", "wrong", "free");
        report.assert("file system", "look", "tmpfs is memory");

        let read_only = format!("mount --bind {data} {data} && mount -o remount,ro,bind {data}");
        let report = doctor_after(&hob.data, &read_only);
        report.assert("disk", "wrong", "read-only");
        report.assert("log", "ok", "every record in its place");

        // What lies below an overlay must not be one itself, and its work folder lies on the same file system as upper.
        let overlay = format!(
            "mount -t tmpfs hob {at} && mkdir {at}/u {at}/w {at}/data && \
             mount -t overlay -o lowerdir={data},upperdir={at}/u,workdir={at}/w hob {at}/data"
        );
        doctor_after(&box_there, &overlay).assert("file system", "look", "overlay does not write over");
    }
}
