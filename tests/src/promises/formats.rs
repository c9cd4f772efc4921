//! Data folders of every released format open with today's box; one of a newer format is not touched.
//!
//! What is in `tests/formats`, and how it came there, says its `README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use hob_protocol::frame::{ServerBody, TokenKind};
use hob_protocol::ids::{DeliveryToken, DeviceKey, MailboxId};
use hob_tests::boxes::{HobBox, Start, program};
use hob_tests::people::{Device, drain, envelope, reachable, submit, submit_new};
use hob_tests::wire::Wire;
use serde_json::{Value, json};

/// Every file below a folder, by its path in it, with its content.
pub fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                files.insert(path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn formats() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("formats")
}

/// The folder of a format, unpacked, and what is known of it.
fn unpacked(format: &str) -> (tempfile::TempDir, PathBuf, Value) {
    let folder = tempfile::tempdir().unwrap();
    let packed = formats().join(format!("{format}.tar.gz"));
    let unpacked = Command::new("tar").arg("-xzf").arg(&packed).arg("-C").arg(folder.path()).status().unwrap();
    assert!(unpacked.success(), "{}", packed.display());
    let known = fs::read(formats().join(format!("{format}.json"))).unwrap();
    let data = folder.path().join("data");
    (folder, data, serde_json::from_slice(&known).unwrap())
}

fn bytes<const N: usize>(hex: &Value) -> [u8; N] {
    HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_data_folder_of_every_released_format_opens_with_todays_box() {
    let mut seen = 0;
    for entry in fs::read_dir(formats()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(format) = name.strip_suffix(".tar.gz") else { continue };
        seen += 1;
        let (_folder, data, known) = unpacked(format);
        let mut hob = Start::default().over(&data).unwrap();
        assert_eq!(hob.identity, known["identity"], "format {format}");
        assert!(hob.invitation.is_none(), "it is no first start");
        assert_eq!(Some(hob.status("members")), known["members"].as_u64());
        assert_eq!((hob.status("lost_windows"), hob.status("damaged_records")), (0, 0));
        let key = SigningKey::from_bytes(&bytes(&known["device"]));
        let mailbox = MailboxId::of_device(&DeviceKey(key.verifying_key().to_bytes()));
        let device = Device { key, mailbox, address: hob.address };
        let token = DeliveryToken(bytes(&known["token"]));
        let mut sender = Wire::connect(hob.address).await;
        let fresh = envelope(2048);
        let id = fresh.id_in(&device.mailbox);
        assert!(matches!(sender.ask(submit(&token, fresh)).await, ServerBody::Accepted { .. }));
        // What waited in the folder has expired, but on the day on which it was made.
        assert_eq!(drain(&mut device.prove().await).await.last(), Some(&id), "the device is known by its key");
        assert!(hob.stop().success());
        let checked = hob.hob(&["verify-log"]);
        assert!(checked.status.success(), "{checked:?}");
    }
    assert!(seen > 0, "there is one at least");
}

#[test]
fn a_folder_of_a_newer_format_is_refused_and_nothing_in_it_is_touched() {
    let (_folder, data, _) = unpacked("1");
    let newer = hob_log::disk::FORMAT + 1;
    fs::write(data.join("format"), format!("{newer}\n")).unwrap();
    // What an older box would make anew, were it to begin.
    for gone in ["lock", "keys/tls.key", "keys/tls.crt"] {
        fs::remove_file(data.join(gone)).unwrap();
    }
    let before = snapshot(&data);
    let refused = Start::default().over(&data).map(|hob| hob.identity.clone()).unwrap_err();
    let why = format!("has format {newer}, and this box knows formats up to {}: use a newer hob", newer - 1);
    assert!(refused.contains(&why), "{refused}");
    for command in [&["verify-log"][..], &["backup", "never-made", "--recovery-key-file", "key"]] {
        let scratch = tempfile::tempdir().unwrap();
        let mut hob = Command::new(program("hob"));
        let told = hob.args(command).arg("--data").arg(&data).current_dir(scratch.path()).output().unwrap();
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert!(String::from_utf8_lossy(&told.stderr).contains(&why), "{told:?}");
        assert!(!scratch.path().join("never-made").exists());
    }
    assert_eq!(snapshot(&data), before);
}

#[tokio::test]
#[ignore = "makes a folder of tests/formats, which is done once a format: see the README.md there"]
async fn makes_the_folder_of_todays_format() {
    let format = std::env::var("HOB_TEST_FORMAT").expect("HOB_TEST_FORMAT names it");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut hob = Start::default().over(&data).unwrap();
    let (device, mut owner, token) = reachable(&hob).await;
    let other = Device::join(hob.address, &hob.invite()).await;
    other.grant(&mut other.prove().await, TokenKind::Introduction).await;
    device.grant(&mut owner, TokenKind::Contact).await;
    drop(owner);
    submit_new(&mut Wire::connect(hob.address).await, &token, envelope(2048)).await;
    assert_eq!((hob.status("members"), hob.status("pending")), (2, 1));
    assert!(hob.stop().success());
    write_down(&format, &hob, &device, &token);
    let packed = formats().join(format!("{format}.tar.gz"));
    let script = "tar -C \"$1\" --owner=0 --group=0 --sort=name -cf - data | gzip -9n > \"$2\"";
    let done = Command::new("sh").args(["-c", script, "sh"]).arg(folder.path()).arg(&packed).status().unwrap();
    assert!(done.success());
}

fn write_down(format: &str, hob: &HobBox, device: &Device, token: &DeliveryToken) {
    let known = json!({
        "identity": hob.identity,
        "members": 2,
        "device": HEXLOWER.encode(&device.key.to_bytes()),
        "token": HEXLOWER.encode(token.expose()),
    });
    let text = serde_json::to_string_pretty(&known).unwrap() + "\n";
    fs::write(formats().join(format!("{format}.json")), text).unwrap();
}
