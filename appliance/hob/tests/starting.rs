//! Folders, keys, ports and signals.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hob_protocol::invitation::Invitation;
use rustix::process::Signal;

use crate::running::{Running, STOP_WITHIN, new_data, serve};
use crate::typed::{ended, hob, run};

#[test]
fn a_first_start_asks_nothing_and_tells_one_line() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let ready = running.ready.as_object().unwrap().clone();
    let keys: Vec<&str> = ready.keys().map(String::as_str).collect();
    assert_eq!(keys, ["client", "identity", "invitation", "ready"]);
    assert_eq!(ready["ready"], true);
    let port: u16 = ready["client"].as_str().unwrap().strip_prefix("https://127.0.0.1:").unwrap().parse().unwrap();
    let invitation = Invitation::parse(ready["invitation"].as_str().unwrap()).unwrap();
    assert_eq!(invitation.box_identity.to_string(), ready["identity"].as_str().unwrap());
    assert_eq!(invitation.addresses[0].as_str(), format!("127.0.0.1:{port}"));
    let ended = running.stop();
    assert_eq!(ended.stdout, "", "one line, and nothing after it");
}

#[test]
fn a_later_start_is_the_same_box_and_makes_no_invitation() {
    let (_folder, data) = new_data();
    let first = Running::start(&data);
    let identity = first.ready["identity"].clone();
    first.stop();
    let second = Running::start(&data);
    assert_eq!(second.ready["identity"], identity);
    assert!(second.ready["invitation"].is_null());
}

#[test]
fn a_box_that_was_killed_starts_again_as_the_same_box() {
    let (_folder, data) = new_data();
    let first = Running::start(&data);
    let identity = first.ready["identity"].clone();
    first.end(Signal::KILL, STOP_WITHIN);
    assert!(data.join("control.sock").exists(), "it had no time to tidy up");
    let second = Running::start(&data);
    assert_eq!(second.ready["identity"], identity);
    assert_eq!(second.keeper(&["status"]).code, Some(0));
}

#[test]
fn both_signals_end_the_box_well_within_five_seconds() {
    for signal in [Signal::TERM, Signal::INT] {
        let (_folder, data) = new_data();
        let ended = Running::start(&data).end(signal, STOP_WITHIN);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(!data.join("control.sock").exists());
    }
}

#[test]
fn a_stop_does_not_wait_for_a_connection_that_says_nothing() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let silent = std::net::TcpStream::connect(running.address()).unwrap();
    let asked = std::os::unix::net::UnixStream::connect(data.join("control.sock")).unwrap();
    assert_eq!(running.stop().status.code(), Some(0));
    drop((silent, asked));
}

#[test]
fn a_second_start_on_a_folder_in_use_names_the_owner_and_changes_nothing() {
    let (_folder, data) = new_data();
    let first = Running::start(&data);
    let second = ended(serve(&data));
    assert_eq!(second.code, Some(1));
    assert_eq!(second.stdout, "");
    let pid = format!("process {}", first.pid());
    assert!(second.stderr.contains("in use") && second.stderr.contains(&pid), "{}", second.stderr);
    assert_eq!(first.keeper(&["status"]).code, Some(0), "the first one is still reached");
}

#[test]
fn a_port_in_use_ends_the_start_and_leaves_the_folder_to_the_next_one() {
    let (_folder, data) = new_data();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut command = hob();
    command.args(["serve", "--admin-listen", "off", "--listen", &format!("127.0.0.1:{port}"), "--data"]).arg(&data);
    let typed = ended(command);
    assert_eq!(typed.code, Some(1));
    assert!(typed.stderr.contains(&format!("port {port} is in use")), "{}", typed.stderr);
    Running::start(&data).stop();
}

fn every_file_below(folder: &Path, see: &mut dyn FnMut(&Path, &fs::Metadata)) {
    see(folder, &fs::metadata(folder).unwrap());
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            every_file_below(&entry.path(), see);
        } else {
            see(&entry.path(), &entry.metadata().unwrap());
        }
    }
}

#[test]
fn nobody_else_can_open_the_folder_or_read_a_key() {
    let (_folder, data) = new_data();
    let _running = Running::start(&data);
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o7777, 0o700);
    let mut seen = 0;
    every_file_below(&data, &mut |path, metadata| {
        let mode = metadata.mode() & 0o7777;
        let is_key = path.parent().is_some_and(|parent| parent.ends_with("keys"));
        if metadata.is_dir() && path.ends_with("keys") {
            assert_eq!(mode, 0o700, "{}", path.display());
        } else if is_key || path.ends_with("control.sock") {
            assert_eq!(mode, 0o600, "{}", path.display());
            seen += 1;
        }
    });
    assert!(seen >= 4, "three keys and the socket at least, not {seen}");
}

#[test]
fn a_folder_that_the_service_manager_made_open_is_closed() {
    let (_folder, data) = new_data();
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    let _running = Running::start(&data);
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    let (_folder, data) = new_data();
    Running::start(&data).stop();
    let key = data.join("keys/identity.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let typed = ended(serve(&data));
    assert_eq!(typed.code, Some(1));
    assert!(typed.stderr.contains("mode 0644") && typed.stderr.contains("chmod 600"), "{}", typed.stderr);
}

#[test]
fn a_damaged_identity_is_told_and_never_replaced() {
    let (_folder, data) = new_data();
    Running::start(&data).stop();
    let key = data.join("keys/identity.key");
    let mut bytes = fs::read(&key).unwrap();
    bytes[20] ^= 1;
    fs::write(&key, &bytes).unwrap();
    let typed = ended(serve(&data));
    assert_eq!(typed.code, Some(1));
    assert!(typed.stderr.contains("damaged") && typed.stderr.contains("backup"), "{}", typed.stderr);
    assert_eq!(fs::read(&key).unwrap(), bytes);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let mut unusable = vec![std::path::PathBuf::from("/proc/hob"), file];
    // Root writes wherever it likes.
    if !rustix::process::geteuid().is_root() {
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
        unusable.push(closed);
    }
    for data in unusable {
        let typed = ended(serve(&data));
        assert_eq!(typed.code, Some(1), "{}", data.display());
        assert!(typed.stderr.contains("--data") || typed.stderr.contains("writable"), "{}", typed.stderr);
    }
}

#[test]
fn a_box_lives_in_a_folder_with_a_path_longer_than_a_sockets() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d".repeat(150));
    let running = Running::start(&data);
    assert_eq!(running.status()["pending"], 0);
    assert_eq!(running.stop().status.code(), Some(0));
}

#[test]
fn without_a_terminal_the_invitation_goes_into_a_private_file_whose_name_is_logged() {
    let (_folder, data) = new_data();
    let mut command = hob();
    command.args(["serve", "--admin-listen", "off", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("ready") {
        assert_ne!(std::io::BufRead::read_line(&mut stderr, &mut log).unwrap(), 0, "{log}");
    }
    let file = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(log.contains(file.to_str().unwrap()), "{log}");
    assert!(!log.contains("hob://"), "{log}");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    Invitation::parse(text.lines().next().unwrap()).unwrap();
}

#[test]
fn verify_log_checks_a_stopped_box_and_refuses_a_running_one() {
    let (_folder, data) = new_data();
    let path = data.to_str().unwrap().to_owned();
    let running = Running::start(&data);
    let while_running = run(&["verify-log", "--data", &path]);
    assert_eq!(while_running.code, Some(1));
    assert!(while_running.stderr.contains("in use"), "{}", while_running.stderr);
    running.stop();
    let stopped = run(&["verify-log", "--json", "--data", &path]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.stderr);
    let records: u64 = stopped
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .inspect(|line| assert_eq!(line["damaged"], 0))
        .map(|line| line["records"].as_u64().unwrap())
        .sum();
    assert!(records >= 1, "the invitation at least");
}

#[test]
fn a_folder_without_a_box_has_no_log_to_verify() {
    let folder = tempfile::tempdir().unwrap();
    let typed = run(&["verify-log", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(typed.code, Some(1));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_box_is_ready_within_seconds() {
    let (_folder, data) = new_data();
    let started = std::time::Instant::now();
    let _running = Running::start(&data);
    assert!(started.elapsed() < Duration::from_secs(10));
}
