//! What the keeper asks of a running box.

use hob_protocol::invitation::Invitation;
use serde_json::Value;

use crate::running::{Running, new_data, serve};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_invitation_names_the_box_its_addresses_and_its_end() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let typed = running.keeper(&["invite", "--expires", "2h", "--json"]);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert_eq!(typed.stdout.lines().count(), 1);
    let invited = json(&typed.stdout);
    let keys: Vec<&String> = invited.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["expires", "link"]);
    let invitation = Invitation::parse(invited["link"].as_str().unwrap()).unwrap();
    assert_eq!(invitation.box_identity.to_string(), running.ready["identity"].as_str().unwrap());
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now_s + 7100..=now_s + 7200).contains(&invitation.expires_at_s));
    let expires = jiff::Timestamp::from_second(i64::try_from(invitation.expires_at_s).unwrap()).unwrap();
    assert_eq!(invited["expires"], expires.to_string());
}

#[test]
fn addresses_that_the_keeper_set_are_what_invitations_name() {
    let (_folder, data) = new_data();
    let mut command = serve(&data);
    command.args(["--address", "box.example:8443", "--address", "[2001:db8::1]:8443"]);
    let running = Running::start_as(command, &data);
    let invitation = Invitation::parse(running.ready["invitation"].as_str().unwrap()).unwrap();
    let names: Vec<&str> = invitation.addresses.iter().map(|address| address.as_str()).collect();
    assert_eq!(names, ["box.example:8443", "[2001:db8::1]:8443"]);
}

#[test]
fn without_a_terminal_an_invitation_is_not_printed() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let typed = running.keeper(&["invite"]);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    assert!(!typed.stdout.contains("hob://"), "{}", typed.stdout);
    let file = typed.stdout.trim().strip_prefix("the invitation is in ").unwrap();
    assert!(std::fs::read_to_string(file).unwrap().starts_with("hob://join/"));
}

#[test]
fn the_status_has_every_figure_that_was_promised() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let status = running.status();
    for figure in [
        "pending",
        "accepted",
        "delivered",
        "expired",
        "windows",
        "generation",
        "bytes_on_disk",
        "uptime_s",
        "online_only",
        "duplicates",
        "refused",
        "members",
        "devices",
        "connected",
        "lost_windows",
        "memory_bytes",
    ] {
        assert!(status[figure].is_u64(), "{figure}");
    }
    assert_eq!(status["storing_fails"], false);
    assert!(status["generation"].as_u64() >= Some(1));
    assert!(status["memory_bytes"].as_u64() > Some(1 << 20));
    let line = running.keeper(&["status"]);
    assert_eq!(line.stdout.lines().count(), 1);
}

#[test]
fn compacting_writes_a_new_generation_that_the_next_start_reads() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    let before = running.status()["generation"].as_u64().unwrap();
    let typed = running.keeper(&["compact", "--json"]);
    assert_eq!(typed.code, Some(0), "{}", typed.stderr);
    let after = json(&typed.stdout)["generation"].as_u64().unwrap();
    assert_eq!(after, before + 1);
    assert_eq!(running.status()["generation"], after);
    running.stop();
    let again = Running::start(&data);
    assert_eq!(again.status()["generation"], after);
}

#[test]
fn a_box_without_members_says_how_to_get_some_and_revokes_nobody() {
    let (_folder, data) = new_data();
    let running = Running::start(&data);
    assert_eq!(running.keeper(&["members"]).stdout, "nobody yet; `hob invite` makes an invitation\n");
    assert_eq!(running.keeper(&["members", "--json"]).stdout, "");
    let typed = running.keeper(&["revoke", "abcdef12", "--yes"]);
    assert_eq!(typed.code, Some(2));
    assert!(typed.stderr.contains("hob members"), "{}", typed.stderr);
}
