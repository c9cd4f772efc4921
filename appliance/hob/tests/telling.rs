//! The log's rule, health and figures.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::running::{Running, new_data, serve};

fn get(mut stream: impl std::io::Read + std::io::Write, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.0\r\nHost: hob\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn health_and_figures_are_on_the_control_socket_and_when_asked_on_a_loopback_port() {
    let (_folder, data) = new_data();
    let mut command = serve(&data);
    command.args(["--metrics-listen", "127.0.0.1:0"]);
    let running = Running::start_as(command, &data);
    let port = running.ready["metrics"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let control = || UnixStream::connect(data.join("control.sock")).unwrap();
    let loopback = || TcpStream::connect(&port).unwrap();
    for path in ["/healthz", "/readyz", "/metrics"] {
        for answer in [get(control(), path), get(loopback(), path)] {
            assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
        }
    }
    assert!(get(loopback(), "/metrics").contains("\nhob_envelopes_pending 0\n"));
    assert!(get(loopback(), "/metrics").contains("content-type: text/plain; version=0.0.4"));
    for keepers in ["/v1/status", "/v1/members", "/v1/invite"] {
        assert!(get(loopback(), keepers).starts_with("HTTP/1.0 404"), "{keepers} is on the socket only");
    }
}

#[test]
fn no_label_of_the_figures_names_anyone() {
    let (_folder, data) = new_data();
    let _running = Running::start(&data);
    let figures = get(UnixStream::connect(data.join("control.sock")).unwrap(), "/metrics");
    let labels = figures.lines().filter(|line| !line.starts_with('#') && line.contains('{'));
    for line in labels {
        assert!(line.starts_with("hob_refusals_total{code=\""), "{line}");
    }
}

/// At its most talkative, while somebody comes, speaks nonsense and is invited.
fn log_of_a_busy_box(format: &str) -> (String, Vec<String>) {
    let (_folder, data) = new_data();
    let mut command = serve(&data);
    command.args(["--log-level", "trace", "--log-format", format]);
    let running = Running::start_as(command, &data);
    let mut garbage = TcpStream::connect(running.address()).unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The answer does not matter here, only that the box has dealt with it.
    let _ = garbage.read_to_end(&mut answer);
    let own = garbage.local_addr().unwrap();
    let link = running.keeper(&["invite", "--json"]).stdout;
    let members = running.keeper(&["members", "--json"]).stdout;
    let secrets = vec![
        own.ip().to_string(),
        own.port().to_string(),
        "hob://".to_owned(),
        link.get(12..60).unwrap().to_owned(),
        running.ready["invitation"].as_str().unwrap()[11..].to_owned(),
    ];
    assert_eq!(members, "");
    (running.stop().stderr, secrets)
}

#[test]
fn the_log_names_no_address_and_no_invitation_at_any_level() {
    for format in ["human", "json"] {
        let (log, secrets) = log_of_a_busy_box(format);
        assert!(log.contains("ready") && log.contains("stopped"), "{log}");
        for secret in secrets {
            assert!(!log.contains(&secret), "{secret:?} in:\n{log}");
        }
    }
}

#[test]
fn a_log_for_programs_is_one_object_a_line() {
    let (log, _) = log_of_a_busy_box("json");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
}

/// What lines of the log may tell besides their fixed text. None of these names anyone.
const FIELDS: [&str; 15] = [
    "after",
    "before",
    "bytes",
    "error",
    "file",
    "generation",
    "log",
    "pending_lost",
    "port",
    "records",
    "speed",
    "tails",
    "why",
    "window",
    "windows",
];

#[test]
fn every_field_of_a_log_line_in_the_source_is_one_that_names_nobody() {
    let appliance = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut calls = 0;
    for crate_name in ["hob", "hob-log", "hob-relay"] {
        for_each_source(&appliance.join(crate_name).join("src"), &mut |path, text| {
            for level in ["error", "warn", "info", "debug", "trace"] {
                let opening = format!("tracing::{level}!(");
                for (at, _) in text.match_indices(&opening) {
                    calls += 1;
                    let arguments = arguments_of(&text[at + opening.len()..]);
                    check_fields(path, &arguments);
                }
            }
            assert!(!text.contains("#[instrument"), "{}: spans would record arguments", path.display());
        });
    }
    assert!(calls >= 10, "only {calls} calls were found: is the search still right?");
}

fn for_each_source(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            for_each_source(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The arguments of a call, split at its own commas, up to its closing bracket.
fn arguments_of(text: &str) -> Vec<String> {
    let mut arguments = vec![String::new()];
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for c in text.chars() {
        match c {
            '"' if !escaped => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        arguments.last_mut().unwrap().push(c);
    }
    arguments.iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

fn check_fields(path: &Path, arguments: &[String]) {
    for argument in arguments {
        if let Some(text) = argument.strip_prefix('"') {
            assert!(!text.contains('{'), "{}: {argument} puts a value into its text", path.display());
            continue;
        }
        let name = argument.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
        assert!(FIELDS.contains(&name), "{}: a log line has the field {name:?}", path.display());
    }
}

#[test]
fn the_service_manager_is_told_when_the_box_is_ready_and_when_it_stops() {
    let (folder, data) = new_data();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(crate::running::STOP_WITHIN)).unwrap();
    let told = || {
        let mut message = [0; 256];
        let bytes = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..bytes].to_vec()).unwrap()
    };
    let mut command = serve(&data);
    command.env("NOTIFY_SOCKET", &path);
    let running = Running::start_as(command, &data);
    assert!(told().starts_with("READY=1\nSTATUS=serving members on port "));
    running.stop();
    assert!(told().starts_with("STOPPING=1\n"));
}
