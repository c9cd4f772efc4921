//! The disk: full, read-only, not permitted, gone. Without root: a limit of the running process stands for a full disk,
//! and a box without privileges feels permissions even where the tests run as root. The same on a real small disk and a
//! real read-only one needs namespaces: see `small_disk`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hob_protocol::code::Code;
use hob_protocol::frame::{ClientBody, ServerBody};
use hob_protocol::ids::DeliveryToken;
use hob_tests::boxes::{HobBox, Start, tool, wait_for};
use hob_tests::chat::ada_and_bob;
use hob_tests::held::Held;
use hob_tests::people::{Device, drain, envelope, pushed, reachable, redeem, submit, submit_new};
use hob_tests::wire::{Wire, code_of};
use rustix::process::Resource;

/// A box that survives the signal which comes with a file that may not grow, as it does a disk without room.
fn limitable() -> Start {
    Start::default().wrapped(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"])
}

/// A box for which permissions hold, also where the tests run as root.
fn unprivileged() -> Start {
    if !rustix::process::geteuid().is_root() {
        return Start::default();
    }
    let setpriv = tool("setpriv", "util-linux");
    Start::default().wrapped(&[
        setpriv.to_str().unwrap(),
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--ambient-caps=-all",
    ])
}

/// Asks until the box stores again; what it is refused with until then is only that it cannot.
async fn submit_when_it_stores_again(sender: &mut Wire, token: &DeliveryToken) {
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let answer = sender.ask(submit(token, envelope(2048))).await;
        if matches!(answer, ServerBody::Accepted { .. }) {
            return;
        }
        assert_eq!(code_of(&answer), Some(Code::CannotStore), "{answer:?}");
        assert!(tokio::time::Instant::now() < until, "it never stores again");
        // Asking without a pause would only use up what the token may submit.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn assert_cannot_store(answer: &ServerBody) {
    match answer {
        ServerBody::Error { code, retry_after: Some(after), .. } if *after > Duration::ZERO => {
            assert_eq!(Code::from_number(*code), Some(Code::CannotStore));
        }
        other => panic!("a refusal that says when to come back, not {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_is_new_delivers_what_was_accepted_and_recovers() {
    let mut hob = limitable().fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(65_536)).await;
    let invitation = hob_protocol::invitation::Invitation::parse(&hob.invite()).unwrap();

    hob.limit(Resource::Fsize, Some(0));
    let refused = envelope(2048);
    assert_cannot_store(&sender.ask(submit(&token, refused.clone())).await);
    assert_cannot_store(&sender.ask(submit(&token, envelope(65_536))).await);
    sender.assert_open().await;
    let key = Device::random_key();
    let newcomer = redeem(&mut Wire::connect(hob.address).await, &invitation, &key).await;
    assert_cannot_store(&newcomer);
    let mut owner = device.prove().await;
    let delivered = pushed(&mut owner).await;
    let answer = owner.ask(ClientBody::Acknowledge { ids: vec![delivered] }).await;
    assert_eq!(answer, ServerBody::Done, "it still forgets");
    assert_eq!(hob.json(&["status", "--json"])["storing_fails"], true);
    assert!(String::from_utf8(hob.hob(&["status"]).stdout).unwrap().contains("DISK"), "the keeper reads it");
    drop(owner);

    hob.limit(Resource::Fsize, None);
    submit_when_it_stores_again(&mut sender, &token).await;
    assert_eq!(hob.json(&["status", "--json"])["storing_fails"], false);
    let newcomer = redeem(&mut Wire::connect(hob.address).await, &invitation, &key).await;
    assert!(matches!(newcomer, ServerBody::Admitted { .. }), "the invitation is not spent: {newcomer:?}");
    let answer = sender.ask(submit(&token, refused)).await;
    assert!(matches!(answer, ServerBody::Accepted { duplicate: false, .. }), "a refused one is no repeat: {answer:?}");
    hob.assert_well();
    hob.kill();
    hob.start_again();
    assert_eq!(drain(&mut device.prove().await).await.len(), 2);
    hob.assert_well();
}

#[test]
fn while_the_disk_is_full_a_message_waits_in_the_outbox_and_goes_out_later() {
    let mut hob = limitable().fresh();
    let (ada, bob) = ada_and_bob(&hob);
    hob.limit(Resource::Fsize, Some(0));
    let said = bob.fails(3, &["send", "ada", "supper at eight"]);
    assert!(said.contains("in the outbox") && said.contains("store"), "{said}");
    hob.limit(Resource::Fsize, None);
    // The box says how long to wait, and the client keeps to it; another message does not overtake the first.
    wait_for("the message goes out", || bob.run(&["send", "ada", "and bread", "--wait", "0s"]).status.success());
    let texts = ada.texts();
    assert_eq!(texts[0], "supper at eight", "{texts:?}");
    assert!(texts[1..].iter().all(|text| text == "and bread"), "{texts:?}");
    hob.assert_well();
}

#[tokio::test]
async fn permission_that_is_lost_while_running_loses_nothing_and_stops_nothing() {
    let mut hob = unprivileged().fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    forbid(&hob.data);
    // What needs a new file fails, and says so; the keeper's socket is behind the closed folder too.
    assert_eq!(hob.hob(&["compact"]).status.code(), Some(1));
    let mut accepted = 1;
    for _ in 0..3 {
        match sender.ask(submit(&token, envelope(2048))).await {
            ServerBody::Accepted { duplicate: false, .. } => accepted += 1,
            other => assert_cannot_store(&other),
        }
    }
    sender.assert_open().await;
    hob.assert_well();
    permit(&hob.data);
    submit_when_it_stores_again(&mut sender, &token).await;
    accepted += 1;
    hob.kill();
    hob.start_again();
    assert_eq!(drain(&mut device.prove().await).await.len(), accepted);
    hob.assert_well();
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_or_read_stops_the_start_with_a_sentence_and_nothing_is_lost() {
    let mut hob = unprivileged().fresh();
    let (device, owner, token) = reachable(&hob).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    assert!(hob.stop().success());
    for (folders, files) in [(0o500, 0o400), (0o000, 0o000), (0o700, 0o000)] {
        set_modes(&hob.data, folders, files);
        let said = unprivileged().over(&hob.data).err().expect("no start");
        permit(&hob.data);
        assert!(said.contains("exit status: 1") && said.contains("ermission denied"), "{folders:o}: {said}");
        assert!(said.contains(hob.data.to_str().unwrap()) && !said.contains("panic"), "{folders:o}: {said}");
    }
    hob.start_again();
    assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    hob.assert_well();
}

#[tokio::test]
async fn a_folder_that_is_removed_while_the_box_runs_stops_neither_box_nor_members() {
    let mut hob = HobBox::fresh();
    let (_, mut owner, token) = reachable(&hob).await;
    let mut sender = Wire::connect(hob.address).await;
    submit_new(&mut sender, &token, envelope(2048)).await;
    pushed(&mut owner).await;
    fs::remove_dir_all(&hob.data).unwrap();
    for size in [2048, 65_536] {
        match sender.ask(submit(&token, envelope(size))).await {
            // Whatever it still accepts it delivers, as long as it runs.
            ServerBody::Accepted { duplicate: false, .. } => drop(pushed(&mut owner).await),
            other => assert_cannot_store(&other),
        }
    }
    let output = hob.hob(&["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panic"));
    owner.assert_open().await;
    sender.assert_open().await;
    hob.assert_well();
    hob.tell_to_stop();
    hob.ended();
    assert!(!hob.said().contains("panic"), "{}", hob.said());
}

fn forbid(folder: &Path) {
    set_modes(folder, 0o500, 0o400);
}

fn permit(folder: &Path) {
    set_modes(folder, 0o700, 0o600);
}

/// Sets the modes of a folder and all that is in it, whatever they are now.
fn set_modes(folder: &Path, folders: u32, files: u32) {
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(folder, 0o700);
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            set_modes(&entry.path(), folders, files);
        } else if kind.is_file() {
            set(&entry.path(), files);
        }
    }
    set(folder, folders);
}

/// On a real file system of its own, small or read-only, in a user and mount namespace.
///
/// Not everywhere may users make one, so these run by recipe: `tests/recipes/small-disk`.
mod small_disk {
    use super::*;

    /// Runs `script` with the box behind it as `"$@"`, in a namespace where `folder` can be mounted over.
    fn in_namespace(script: &str) -> Start {
        let unshare = tool("unshare", "util-linux");
        Start::default().wrapped(&[unshare.to_str().unwrap(), "-Urm", "sh", "-c", script, "sh"])
    }

    #[tokio::test]
    #[ignore = "needs user namespaces: tests/recipes/small-disk"]
    async fn a_real_disk_without_room_refuses_what_is_new_and_delivers_what_was_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let mount = format!("mount -t tmpfs -o size=48m,mode=700 hob {} && exec \"$@\"", folder.path().display());
        let hob = in_namespace(&mount);
        // The box's view of its folder: ours is the empty one below the mount.
        let mut hob = hob.over(&folder.path().join("data")).unwrap();
        hob.data = format!("/proc/{}/root{}", hob.pid(), hob.data.display()).into();
        let (device, owner, token) = reachable(&hob).await;
        drop(owner);
        let mut sender = Wire::connect(hob.address).await;
        submit_new(&mut sender, &token, envelope(2048)).await;
        let filler = hob.data.parent().unwrap().join("filler");
        fill(&filler);
        let mut accepted = 1;
        loop {
            // What was reserved before the disk ran full may still be used; then nothing more is taken.
            match sender.ask(submit(&token, envelope(65_536))).await {
                ServerBody::Accepted { duplicate: false, .. } => accepted += 1,
                ServerBody::Error { code, retry_after: Some(after), .. } if code == Code::TooFast.number() => {
                    tokio::time::sleep(after).await;
                }
                other => break assert_cannot_store(&other),
            }
        }
        let got = drain(&mut device.prove().await).await;
        assert_eq!(got.len(), accepted);
        fs::remove_file(&filler).unwrap();
        submit_when_it_stores_again(&mut sender, &token).await;
        hob.assert_well();
    }

    fn fill(file: &Path) {
        use std::io::Write;
        let mut filler = fs::File::create(file).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        while filler.write_all(&[1; 64]).is_ok() {}
    }

    #[tokio::test]
    #[ignore = "needs user namespaces: tests/recipes/small-disk"]
    async fn a_folder_on_a_read_only_disk_stops_the_start_with_a_sentence() {
        let mut hob = HobBox::fresh();
        let (device, owner, token) = reachable(&hob).await;
        drop(owner);
        submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
        assert!(hob.stop().success());
        let data = hob.data.display();
        let script = format!("mount --bind {data} {data} && mount -o remount,ro,bind {data} && exec \"$@\"");
        let said = in_namespace(&script).over(&hob.data).err().expect("no start");
        assert!(said.contains("ead-only file system") && !said.contains("panic"), "{said}");
        hob.start_again();
        assert_eq!(drain(&mut device.prove().await).await.len(), 1);
    }
}

#[tokio::test]
async fn however_many_owners_wait_for_a_disk_that_hangs_the_box_takes_few_threads() {
    const OWNERS: usize = 40;
    let reads = Held::reads();
    let hob = reads.on(Start::default()).fresh();
    let mut owners = Vec::new();
    let mut sender = Wire::connect(hob.address).await;
    for _ in 0..OWNERS {
        let (device, owner, token) = reachable(&hob).await;
        drop(owner);
        owners.push((device, token));
    }
    wait_for("the owners' leaving", || hob.status("connected") == 0);
    for (_, token) in &owners {
        submit_new(&mut sender, token, envelope(2048)).await;
    }
    let threads = || fs::read_dir(format!("/proc/{}/task", hob.pid())).unwrap().count();
    let before = threads();
    reads.hold();
    let mut waiting = Vec::new();
    for (device, _) in &owners {
        let mut owner = Wire::connect(hob.address).await;
        // What answers it waits for the disk, too.
        let proof = device.proof(&owner);
        owner.send(proof).await;
        waiting.push(owner);
    }
    wait_for("the owners' proofs", || hob.status("connected") == OWNERS as u64);
    let more = threads() - before;
    reads.release();
    assert!(more <= 16, "{OWNERS} owners wait for the disk, and the box took {more} threads for them");
    for owner in &mut waiting {
        let proved = owner.unasked().await;
        assert!(matches!(proved, ServerBody::Proved { .. }), "{proved:?}");
        assert_eq!(drain(owner).await.len(), 1, "and each gets what waited");
    }
}
