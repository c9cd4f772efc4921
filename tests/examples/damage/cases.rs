//! What is done to a copy, and how the box must take it.

use std::path::Path;

use crate::stage::{Stage, copy};

/// How a box must take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing is missing.
    Whole,
    /// Something is missing: hello and status tell, the epoch is new, the rest is served.
    Told,
    /// Part of the ledger is gone in both of its copies: told, and a new epoch.
    LedgerTold,
    /// It does not start, and says what to do.
    Refused,
    /// Not noticed, and known not to be.
    Gap,
}

type Damage = dyn Fn(&Stage, &Path);

/// One damage.
pub struct Case {
    pub name: &'static str,
    pub expect: Expect,
    pub damage: Box<Damage>,
}

fn case(name: &'static str, expect: Expect, damage: impl Fn(&Stage, &Path) + 'static) -> Case {
    Case { name, expect, damage: Box::new(damage) }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

fn zero(path: &Path) {
    let bytes = std::fs::metadata(path).unwrap().len();
    std::fs::write(path, vec![0; usize::try_from(bytes).unwrap()]).unwrap();
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

fn older(stage: &Stage, data: &Path, path: &str) {
    remove(&data.join(path));
    copy(&stage.older.join(path), &data.join(path));
}

/// The ledger's folder: the one generation that there is.
fn ledger(data: &Path) -> std::path::PathBuf {
    let mut folders = std::fs::read_dir(data.join("log/ledger")).unwrap().flatten().map(|entry| entry.path());
    folders.find(|path| path.is_dir()).unwrap()
}

/// Groups of a journal, by their magic.
fn groups(bytes: &[u8]) -> Vec<usize> {
    let mut begins: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, four)| four == b"HOBG").map(|(at, _)| at).collect();
    begins.push(bytes.len());
    begins
}

const FIRST: &str = "log/windows/1/journal";
const SECOND: &str = "log/windows/2/journal";

fn swap_groups(data: &Path) {
    let bytes = std::fs::read(data.join(FIRST)).unwrap();
    let at = groups(&bytes);
    let swapped = [&bytes[..at[0]], &bytes[at[1]..at[2]], &bytes[at[0]..at[1]], &bytes[at[2]..]].concat();
    std::fs::write(data.join(FIRST), swapped).unwrap();
}

fn replay_group(data: &Path) {
    let (one, two) = (std::fs::read(data.join(FIRST)).unwrap(), std::fs::read(data.join(SECOND)).unwrap());
    let (of_one, of_two) = (groups(&one), groups(&two));
    let replayed = [&one[..of_one[1]], &two[of_two[0]..]].concat();
    std::fs::write(data.join(SECOND), replayed).unwrap();
}

/// All cases.
pub fn all() -> Vec<Case> {
    [windows(), databases(), of_ledger(), keys(), the_rest()].into_iter().flatten().collect()
}

fn windows() -> Vec<Case> {
    use Expect::{Told, Whole};
    // Of the first group's front sled has a copy; of a body there is one only.
    vec![
        case("nothing is damaged", Whole, |_, _| {}),
        case("a record's index flipped, sled has it", Whole, |_, data| flip(&data.join(FIRST), 100)),
        case("a record's index flipped, sled gone", Told, |_, data| {
            flip(&data.join(SECOND), 100);
            remove(&data.join("log/windows/2/events"));
        }),
        case("a waiting body flipped", Told, |_, data| flip(&data.join(SECOND), 3000)),
        case("two groups swapped", Told, |_, data| {
            swap_groups(data);
            remove(&data.join("log/windows/1/events"));
        }),
        case("a group replayed from another window", Told, |_, data| replay_group(data)),
        case("a window's journal zeroed", Told, |_, data| zero(&data.join(SECOND))),
        case("a window's journal emptied", Told, |_, data| std::fs::write(data.join(SECOND), []).unwrap()),
        case("a window's journal gone", Told, |_, data| remove(&data.join(SECOND))),
        case("a window's journal an older copy", Told, |stage, data| older(stage, data, SECOND)),
        case("a window's folder an older copy of itself", Told, |stage, data| older(stage, data, "log/windows/2")),
        case("a window's folder gone", Told, |_, data| remove(&data.join("log/windows/2"))),
        case("all windows gone", Told, |_, data| remove(&data.join("log/windows"))),
        case("all marks gone", Whole, |_, data| remove(&data.join("log/marks"))),
    ]
}

fn databases() -> Vec<Case> {
    use Expect::Whole;
    let window = "log/windows/2/events";
    vec![
        case("a window's sled database gone", Whole, move |_, data| remove(&data.join(window))),
        case("a window's sled database emptied", Whole, move |_, data| {
            remove(&data.join(window));
            std::fs::create_dir(data.join(window)).unwrap();
        }),
        case("a window's sled database zeroed", Whole, move |_, data| zero(&data.join(window).join("db"))),
        case("a window's sled database shortened", Whole, move |_, data| {
            let db = std::fs::OpenOptions::new().write(true).open(data.join(window).join("db")).unwrap();
            db.set_len(1000).unwrap();
        }),
        case("a window's sled database an older copy", Whole, move |stage, data| older(stage, data, window)),
        case("a window's sled database that of another", Whole, move |_, data| {
            remove(&data.join(window));
            copy(&data.join("log/windows/1/events"), &data.join(window));
        }),
        case("a torn snapshot in a sled database", Whole, move |_, data| {
            std::fs::write(data.join(window).join("snap.00000000000000ff.generating"), b"torn").unwrap();
        }),
    ]
}

fn of_ledger() -> Vec<Case> {
    use Expect::{LedgerTold, Refused, Whole};
    vec![
        case("the ledger's journal flipped", Whole, |_, data| flip(&ledger(data).join("journal"), 300)),
        case("the ledger's journal zeroed", Whole, |_, data| zero(&ledger(data).join("journal"))),
        case("the ledger's journal gone", Whole, |_, data| remove(&ledger(data).join("journal"))),
        case("the ledger's journal shortened", Whole, |_, data| {
            let file = std::fs::OpenOptions::new().write(true).open(ledger(data).join("journal")).unwrap();
            file.set_len(700).unwrap();
        }),
        case("the ledger's sled database gone", Whole, |_, data| remove(&ledger(data).join("events"))),
        case("the ledger's sled database zeroed", Whole, |_, data| zero(&ledger(data).join("events/db"))),
        case("the ledger's journal flipped and its sled database gone", LedgerTold, |_, data| {
            flip(&ledger(data).join("journal"), 300);
            remove(&ledger(data).join("events"));
        }),
        case("the ledger's folder an older copy of itself", LedgerTold, |stage, data| {
            let name = ledger(data).file_name().unwrap().to_string_lossy().into_owned();
            older(stage, data, &format!("log/ledger/{name}"));
        }),
        case("the ledger's folder gone", Refused, |_, data| remove(&ledger(data))),
        case("the manifest gone", Whole, |_, data| remove(&data.join("log/ledger/current"))),
        case("the manifest unreadable", Whole, |_, data| {
            std::fs::write(data.join("log/ledger/current"), [0xff; 9]).unwrap();
        }),
    ]
}

fn keys() -> Vec<Case> {
    use Expect::{Refused, Whole};
    let mut cases = vec![
        case("one slot of the log keys flipped", Whole, |_, data| flip(&data.join("keys/log.keys"), 70_000)),
        case("the other slot of the log keys flipped", Whole, |_, data| flip(&data.join("keys/log.keys"), 230_000)),
        case("both slots of the log keys zeroed", Refused, |_, data| zero(&data.join("keys/log.keys"))),
        case("the log keys gone", Refused, |_, data| remove(&data.join("keys/log.keys"))),
        case("the box key gone", Refused, |_, data| remove(&data.join("keys/box.key"))),
        case("the box key shortened", Refused, |_, data| std::fs::write(data.join("keys/box.key"), [1; 31]).unwrap()),
        case("the identity gone", Refused, |_, data| remove(&data.join("keys/identity.key"))),
        case("the identity emptied", Refused, |_, data| std::fs::write(data.join("keys/identity.key"), []).unwrap()),
        case("the certificate gone", Whole, |_, data| remove(&data.join("keys/tls.crt"))),
        case("the certificate and its key gone", Whole, |_, data| {
            remove(&data.join("keys/tls.crt"));
            remove(&data.join("keys/tls.key"));
        }),
        case("the certificate's key zeroed", Refused, |_, data| zero(&data.join("keys/tls.key"))),
        case("the certificate zeroed", Refused, |_, data| zero(&data.join("keys/tls.crt"))),
        case("all keys gone", Refused, |_, data| remove(&data.join("keys"))),
    ];
    // Every tenth byte.
    for at in [0, 10, 20, 30, 40] {
        cases.push(case("the identity flipped", Refused, move |_, data| flip(&data.join("keys/identity.key"), at)));
    }
    for at in [0, 10, 20, 30] {
        cases.push(case("the box key flipped", Refused, move |_, data| flip(&data.join("keys/box.key"), at)));
    }
    cases
}

fn the_rest() -> Vec<Case> {
    use Expect::{Gap, Refused, Whole};
    vec![
        case("the clock zeroed", Whole, |_, data| zero(&data.join("log/clock/mark"))),
        case("the clock gone", Whole, |_, data| remove(&data.join("log/clock/mark"))),
        case("the format gone", Whole, |_, data| remove(&data.join("format"))),
        case("the format unreadable", Refused, |_, data| std::fs::write(data.join("format"), b"\xff").unwrap()),
        case("a newer format", Refused, |_, data| std::fs::write(data.join("format"), b"2\n").unwrap()),
        case("why it stopped, unreadable", Whole, |_, data| {
            std::fs::write(data.join("last-stop"), [0xff; 4000]).unwrap();
        }),
        case("strangers in every folder", Whole, |_, data| {
            for folder in ["log/windows", "log/tmp", "log/ledger", "log/marks", "log/quarantine", "keys"] {
                std::fs::write(data.join(folder).join("stranger"), b"?").unwrap();
                std::fs::create_dir(data.join(folder).join("strangers")).unwrap();
            }
        }),
        case("the whole data folder an older copy of itself", Gap, |stage, data| {
            remove(data);
            copy(&stage.older, data);
        }),
    ]
}
