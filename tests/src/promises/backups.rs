//! Back it up, move it: a box is lost and comes back elsewhere, and its members go on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, Grant, ServerBody, TokenKind};
use hob_tests::boxes::{HobBox, Start, program, wait_for};
use hob_tests::chat::{Person, ada_and_bob};
use hob_tests::people::{Device, envelope, reachable, submit};
use hob_tests::wire::Wire;
use serde_json::Value;

const PASSPHRASE: &str = "a window left open";

/// Where a keeper puts things: backups, secrets, folders of boxes.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.secret("passphrase", PASSPHRASE);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), format!("{text}\n")).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn hob(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("hob"));
        command.args(args).current_dir(self.0.path()).env_remove("STATE_DIRECTORY");
        command
    }

    fn backup(&self, data: &Path, file: &str) -> Value {
        let output = self.hob(&["backup", file, "--force", "--json", "--passphrase-file", "passphrase", "--data"]);
        of(with(output, data))
    }

    /// The same to a recovery key, which costs no second.
    fn keyed(&self, args: &[&str], data: &Path) -> Output {
        with(self.hob(&[args, &["--recovery-key-file", "key", "--data"]].concat()), data)
    }

    fn restore(&self, file: &str, name: &str) -> Value {
        let output = self.hob(&["restore", file, "--json", "--passphrase-file", "passphrase", "--data"]);
        of(with(output, &self.path(name)))
    }

    /// A restore that must fail and leave nothing; what it said.
    fn refuses(&self, file: &str, name: &str) -> String {
        let output = self.keyed(&["restore", file], &self.path(name));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!self.path(name).exists() && !self.path(&format!(".{name}.restoring")).exists(), "nothing was made");
        said(&output)
    }

    /// What stands on the desk.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn with(mut command: Command, data: &Path) -> Output {
    command.arg(data).output().unwrap()
}

fn of(output: Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_box_that_is_lost_comes_back_elsewhere_and_its_members_go_on_without_pairing() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&hob);
    let told = desk.backup(&hob.data, "box.hob-backup");
    assert_eq!((&told["members"], &told["devices"]), (&2.into(), &2.into()), "{told}");
    assert_eq!(fs::metadata(desk.path("box.hob-backup")).unwrap().permissions().mode() & 0o777, 0o600);
    // After the backup: a message that is on its way when the box is lost, and one that its owner has.
    bob.ok(&["send", "ada", "read before", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["read before"]);
    bob.ok(&["send", "ada", "lost with the box", "--wait", "0s"]);
    let (identity, old) = (hob.identity.clone(), hob.address);
    hob.kill();
    drop(hob);

    let restored = desk.restore("box.hob-backup", "elsewhere");
    assert_eq!(restored["identity"], identity);
    let mut hob = Start::default().over(&desk.path("elsewhere")).unwrap();
    assert_eq!(hob.identity, identity);
    assert_ne!(hob.address, old);
    assert!(hob.invitation.is_none(), "it is no first start");
    // The keeper tells them where it is; nobody pairs.
    for person in [&ada, &bob] {
        person.ok(&["home", "address", &hob.address.to_string()]);
    }
    let mut came = Vec::new();
    wait_for("what was lost with the box is sent again", || {
        bob.ok(&["receive"]);
        came.extend(ada.texts());
        !came.is_empty()
    });
    assert_eq!(came, ["lost with the box"], "once, and nothing that was read before");
    ada.ok(&["send", "bob", "both ways", "--wait", "0s"]);
    assert_eq!(bob.texts(), ["both ways"]);
    assert_eq!(ada.history("bob"), ["hello", "hello yourself", "read before", "lost with the box", "both ways"]);
    assert_eq!((hob.status("members"), hob.status("devices")), (2, 2));
    hob.assert_well();
}

#[test]
fn who_joined_after_the_backup_is_told_what_to_do_and_gets_the_same_mailbox_and_contacts() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let ada = Person::joined(&hob.invite(), "ada");
    let before = hob.invite();
    desk.backup(&hob.data, "box.hob-backup");
    let bob = Person::joined(&hob.invite(), "bob");
    bob.add(&ada.code(), "ada");
    bob.ok(&["send", "ada", "hello", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["hello"]);
    let mailbox = bob.json(&["home"])[0]["mailbox"].clone();
    let port = hob.address.port();
    hob.kill();
    drop(hob);
    desk.restore("box.hob-backup", "elsewhere");
    let mut hob = Start::default().port(port).over(&desk.path("elsewhere")).unwrap();
    let told = ada.fails(3, &["send", "bob", "are you there?"]);
    assert!(told.contains("waits for the contact's device"), "{told}");
    let told = said(&bob.run(&["receive"]));
    assert!(told.contains("ask its keeper for an invitation and join with it here"), "{told}");
    // An invitation from before is void, and says so.
    let told = bob.fails(1, &["join", &before, "--name", "bob"]);
    assert!(told.contains("this invitation is not good here"), "{told}");
    bob.ok(&["join", &hob.invite(), "--name", "bob"]);
    assert_eq!(bob.json(&["home"])[0]["mailbox"], mailbox);
    wait_for("Ada's message arrives", || {
        ada.ok(&["receive"]);
        bob.history("ada").contains(&"are you there?".to_owned()) || bob.texts() == ["are you there?"]
    });
    bob.ok(&["send", "ada", "yes", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["yes"]);
    assert_eq!((hob.status("members"), hob.status("devices")), (2, 2));
    hob.assert_well();
}

#[test]
fn who_was_taken_out_after_the_backup_is_shown_to_the_keeper_until_the_members_are_checked() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    assert!(!said(&hob.hob(&["status"])).contains("never backed up"), "an empty box needs no backup");
    let (_ada, _bob) = ada_and_bob(&hob);
    assert!(said(&hob.hob(&["status"])).contains("never backed up"));
    let made = desk.backup(&hob.data, "box.hob-backup")["made"].as_str().unwrap().to_owned();
    let status = hob.json(&["status", "--json"]);
    assert_eq!((&status["last_backup"], &status["restored_from"]), (&made.clone().into(), &Value::Null));
    let members = said(&hob.hob(&["members"]));
    let bob = members.lines().find(|line| line.contains("  bob  ")).unwrap();
    assert!(hob.hob(&["revoke", &bob[..8], "--yes"]).status.success());
    assert_eq!(hob.status("members"), 1);
    assert!(hob.stop().success());
    desk.restore("box.hob-backup", "again");
    let hob = Start::default().over(&desk.path("again")).unwrap();
    assert_eq!(hob.status("members"), 2, "the backup cannot know better");
    for command in ["status", "members"] {
        let told = said(&hob.hob(&[command]));
        assert!(told.contains(&format!("from a backup of {made}: members and devices taken out")), "{told}");
    }
    assert!(hob.hob(&["members", "--checked"]).status.success());
    for command in ["status", "members"] {
        assert!(!said(&hob.hob(&[command])).contains("taken out"));
    }
}

#[tokio::test]
async fn a_token_taken_back_after_the_backup_is_good_until_its_owner_was_there_and_one_given_after_it_is_good_then() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let (device, mut owner, token) = reachable(&hob).await;
    desk.backup(&hob.data, "box.hob-backup");
    let later = device.grant(&mut owner, TokenKind::Contact).await;
    owner.ask(ClientBody::TokenRevoke { token_hash: token.hash() }).await;
    hob.kill();
    desk.restore("box.hob-backup", "again");
    let mut hob = Start::default().port(hob.address.port()).over(&desk.path("again")).unwrap();
    let device = Device { address: hob.address, ..device };
    let mut sender = Wire::connect(hob.address).await;
    assert!(matches!(sender.ask(submit(&token, envelope(2048))).await, ServerBody::Accepted { .. }));
    let refused =
        |body: ServerBody| matches!(body, ServerBody::Error { code, .. } if code == Code::NoSuchToken.number());
    assert!(refused(sender.ask(submit(&later, envelope(2048))).await));
    // A restart of the box before the owner was there changes nothing.
    hob.kill();
    hob.start_again();
    let mut owner = Wire::connect(hob.address).await;
    let proved = device.prove_on(&mut owner).await;
    assert!(matches!(proved, ServerBody::Proved { wants_token_list: true, wants_bundle: true, .. }), "{proved:?}");
    let grants = vec![Grant { token_hash: later.hash(), kind: TokenKind::Contact }];
    owner.ask(ClientBody::TokenList { grants }).await;
    let mut sender = Wire::connect(hob.address).await;
    assert!(refused(sender.ask(submit(&token, envelope(2048))).await));
    assert!(matches!(sender.ask(submit(&later, envelope(2048))).await, ServerBody::Accepted { .. }));
    hob.assert_well();
}

#[test]
fn two_boxes_with_one_identity_are_said_loudly_once() {
    const LOUD: &str = "WITH A NEWER MEMORY BEFORE: two boxes run with one identity";
    let desk = Desk::new();
    let old = HobBox::fresh();
    let (ada, bob) = ada_and_bob(&old);
    desk.backup(&old.data, "box.hob-backup");
    desk.restore("box.hob-backup", "second");
    let second = Start::default().over(&desk.path("second")).unwrap();
    for person in [&ada, &bob] {
        // The restored box is what should be: nothing to say.
        let told = said(&person.run(&["home", "address", &second.address.to_string()]));
        assert!(!told.contains(LOUD), "{told}");
        person.ok(&["receive"]);
    }
    bob.ok(&["send", "ada", "by the second", "--wait", "0s"]);
    assert_eq!(ada.texts(), ["by the second"]);
    // Somebody never stopped the old one, and Ada's device finds that.
    let told = said(&ada.run(&["home", "address", &old.address.to_string()]));
    assert!(told.contains("!!! YOUR BOX") && told.contains(LOUD), "{told}");
    let told = said(&ada.run(&["home", "address", &second.address.to_string()]));
    assert!(!told.contains(LOUD), "once: {told}");
    let told = said(&ada.run(&["home", "address", &old.address.to_string()]));
    assert!(!told.contains(LOUD), "once: {told}");
}

#[test]
fn an_older_copy_of_the_data_folder_is_said_loudly_to_who_has_seen_the_newer_one() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let (ada, _bob) = ada_and_bob(&hob);
    assert!(hob.stop().success());
    let copied = Command::new("cp").arg("-a").arg(&hob.data).arg(desk.path("copy")).status().unwrap();
    assert!(copied.success());
    for _ in 0..2 {
        hob.start_again();
        let told = said(&ada.run(&["receive"]));
        assert!(!told.contains("NEWER MEMORY"), "a start is none: {told}");
        assert!(hob.stop().success());
    }
    let _older = Start::default().port(hob.address.port()).over(&desk.path("copy")).unwrap();
    let told = said(&ada.run(&["receive"]));
    assert!(told.contains("!!! YOUR BOX WAS HERE WITH A NEWER MEMORY BEFORE"), "{told}");
}

#[test]
fn a_file_that_is_cut_changed_newer_empty_or_of_another_kind_makes_nothing_and_says_why() {
    let desk = Desk::new();
    let hob = HobBox::fresh();
    let _two = ada_and_bob(&hob);
    assert!(desk.keyed(&["backup", "good"], &hob.data).status.success());
    let good = fs::read(desk.path("good")).unwrap();
    let refuses = |bytes: &[u8], why: &[&str]| {
        fs::write(desk.path("bad"), bytes).unwrap();
        let told = desk.refuses("bad", "made");
        assert!(why.iter().any(|why| told.contains(why)), "{told}");
    };
    refuses(b"", &["no backup of a box"]);
    refuses(b"something else altogether", &["no backup of a box"]);
    for cut in 1..=24 {
        refuses(&good[..good.len() * cut / 25], &["too early", "damaged"]);
    }
    refuses(&good[..good.len() - 1], &["too early", "damaged"]);
    for at in (0..24).map(|part| good.len() * part / 24).chain([good.len() - 1]) {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        refuses(&changed, &["damaged", "no backup", "newer", "not the recovery key"]);
    }
    let mut newer = good.clone();
    newer[8] = 2;
    refuses(&newer, &["a newer hob made this backup (its version is 2, this program knows 1)"]);
    refuses(&[&good[..], b"more"].concat(), &["damaged"]);
    let told =
        said(&desk.hob(&["restore", "good", "--passphrase-file", "passphrase", "--data", "made"]).output().unwrap());
    assert!(told.contains("opened by a recovery key, not by a passphrase"), "{told}");
    let told = said(&desk.hob(&["restore", "nothing-here", "--data", "made"]).output().unwrap());
    assert!(told.contains("cannot read nothing-here"), "{told}");
    let made = desk.keyed(&["restore", "good"], &desk.path("made"));
    assert!(made.status.success(), "{}", said(&made));
    // A folder with anything in it is left alone.
    let again = desk.keyed(&["restore", "good"], &desk.path("made"));
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("already"), "{}", said(&again));
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_a_short_one_is_not_taken() {
    let desk = Desk::new();
    let hob = HobBox::fresh();
    desk.backup(&hob.data, "box");
    desk.secret("wrong", "a window left closed");
    desk.secret("short", "window");
    let told = desk.hob(&["restore", "box", "--passphrase-file", "wrong", "--data", "made"]).output().unwrap();
    assert!(said(&told).contains("not the passphrase of this backup"), "{}", said(&told));
    let told = with(desk.hob(&["backup", "other", "--passphrase-file", "short", "--data"]), &hob.data);
    assert!(said(&told).contains("at least 10 characters"), "{}", said(&told));
    fs::set_permissions(desk.path("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    let told = with(desk.hob(&["backup", "other", "--passphrase-file", "passphrase", "--data"]), &hob.data);
    assert!(said(&told).contains("can be read by others"), "{}", said(&told));
    // Nobody sits at a terminal.
    let told = with(desk.hob(&["backup", "other", "--data"]), &hob.data);
    assert!(said(&told).contains("--passphrase-file"), "{}", said(&told));
    assert!(!desk.path("other").exists() && !desk.path("made").exists());
}

#[test]
fn a_stopped_box_is_backed_up_as_well_and_nothing_in_its_folder_changes_but_a_note() {
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let _two = ada_and_bob(&hob);
    assert!(hob.stop().success());
    let before = super::formats::snapshot(&hob.data);
    let told = desk.backup(&hob.data, "box");
    assert_eq!((&told["members"], &told["devices"]), (&2.into(), &2.into()), "{told}");
    let mut after = super::formats::snapshot(&hob.data);
    assert!(after.remove(Path::new("last-backup")).is_some());
    assert_eq!(before, after);
    // What is there is not written over without a word.
    let bytes = fs::read(desk.path("box")).unwrap();
    let told = with(desk.hob(&["backup", "box", "--passphrase-file", "passphrase", "--data"]), &hob.data);
    assert!(said(&told).contains("is there already"), "{}", said(&told));
    assert_eq!(fs::read(desk.path("box")).unwrap(), bytes);
    let told = with(desk.hob(&["backup", "box2", "--passphrase-file", "passphrase", "--data"]), &desk.path("no-box"));
    assert!(said(&told).contains("no box ever ran"), "{}", said(&told));
}

/// Starts a command and kills it after a while; whether it had ended by itself.
fn killed_after(mut command: Command, after: Duration) -> bool {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + after;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let _ = child.kill();
    child.wait().unwrap();
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_that_is_killed_anywhere_leaves_the_old_file_or_the_new_one() {
    const KILLS: u32 = 40;
    let desk = Desk::new();
    let mut hob = HobBox::fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let (address, ending) = (hob.address, std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let ended = std::sync::Arc::clone(&ending);
    let load = tokio::spawn(async move {
        let mut owner = device.prove().await;
        let mut sender = Wire::connect(address).await;
        let mut accepted = 0;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            device.grant(&mut owner, TokenKind::Contact).await;
            let answer = sender.ask(submit(&token, envelope(2048))).await;
            accepted += u32::from(matches!(answer, ServerBody::Accepted { .. }));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        accepted
    });
    let began = Instant::now();
    assert!(desk.keyed(&["backup", "box"], &hob.data).status.success());
    let whole = began.elapsed();
    let mut finished = 0;
    for kill in 0..KILLS {
        let mut command = desk.hob(&["backup", "box", "--force", "--recovery-key-file", "key", "--data"]);
        command.arg(&hob.data);
        finished += u32::from(killed_after(command, whole * (kill + 1) / KILLS));
        let made = format!("made-{kill}");
        let restored = desk.keyed(&["restore", "box"], &desk.path(&made));
        assert!(restored.status.success(), "kill {kill}: {}", said(&restored));
        fs::remove_dir_all(desk.path(&made)).unwrap();
    }
    ending.store(true, std::sync::atomic::Ordering::Relaxed);
    let accepted = load.await.unwrap();
    assert!(finished < KILLS, "at least one was killed");
    assert!(accepted > 0, "the box served meanwhile");
    assert!(desk.keyed(&["backup", "box", "--force"], &hob.data).status.success());
    assert_eq!(desk.names(), ["box", "key", "passphrase"], "what killed ones left is gone");
    hob.assert_well();
}

#[test]
fn a_restore_that_is_killed_anywhere_leaves_nothing_or_a_whole_box() {
    const KILLS: u32 = 60;
    let desk = Desk::new();
    let hob = HobBox::fresh();
    let _two = ada_and_bob(&hob);
    assert!(desk.keyed(&["backup", "box"], &hob.data).status.success());
    let began = Instant::now();
    assert!(desk.keyed(&["restore", "box"], &desk.path("made")).status.success());
    let whole = began.elapsed();
    fs::remove_dir_all(desk.path("made")).unwrap();
    let mut there = 0;
    for kill in 0..KILLS {
        let mut command = desk.hob(&["restore", "box", "--recovery-key-file", "key", "--data"]);
        command.arg(desk.path("made"));
        killed_after(command, whole * (kill + 1) / KILLS);
        if !desk.path("made").exists() {
            continue;
        }
        there += 1;
        let checked = with(desk.hob(&["verify-log", "--data"]), &desk.path("made"));
        assert!(checked.status.success(), "kill {kill}: {}", said(&checked));
        let mut again = Start::default().over(&desk.path("made")).unwrap();
        assert_eq!((again.identity.as_str(), again.status("members")), (hob.identity.as_str(), 2), "kill {kill}");
        again.kill();
        fs::remove_dir_all(desk.path("made")).unwrap();
    }
    assert!(there < KILLS, "at least one was killed in the middle");
    assert!(desk.keyed(&["restore", "box"], &desk.path("made")).status.success(), "left-overs hold up nobody");
    assert_eq!(desk.names(), ["box", "key", "made", "passphrase"]);
}

#[test]
fn on_a_full_disk_neither_backup_nor_restore_leaves_anything_half() {
    let desk = Desk::new();
    let hob = HobBox::fresh();
    assert!(desk.keyed(&["backup", "box"], &hob.data).status.success());
    let good = fs::read(desk.path("box")).unwrap();
    // No file of this shell and of what it becomes may be longer than so many blocks of 512 bytes.
    let full = |blocks: u32, args: &[&str], data: &Path| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(program("hob")).args(args).current_dir(desk.0.path());
        with(
            {
                command.args(["--recovery-key-file", "key", "--data"]);
                command
            },
            data,
        )
    };
    let told = full(0, &["backup", "box", "--force"], &hob.data);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    assert!(said(&told).contains("the backup") || said(&told).contains("cannot write"), "{}", said(&told));
    assert_eq!(fs::read(desk.path("box")).unwrap(), good, "the old one stays");
    for blocks in [0, 1, 8, 400] {
        let told = full(blocks, &["restore", "box"], &desk.path("made"));
        assert_eq!(told.status.code(), Some(1), "{blocks}: {told:?}");
        assert_eq!(desk.names(), ["box", "key", "passphrase"], "{blocks}: {}", said(&told));
    }
}
