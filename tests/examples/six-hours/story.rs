//! A box on a medium of its own: it takes envelopes in, in several windows; their deadline passes; then it is searched.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hob_log::files::RealFiles;
use hob_log::keys::BoxKey;
use hob_log::record::{BLOCK_HEADER_BYTES, Block, Bytes16, LogKeys, Opening};
use hob_protocol::frame::{ClientBody, ServerBody, Urgency};
use hob_tests::boxes::{HobBox, Start, wait_for};
use hob_tests::clock::{HOUR, WallClock};
use hob_tests::people::{drain, envelope, reachable};
use hob_tests::wire::Wire;

use crate::carve::{Carved, carve};
use crate::known::{Known, in_journals};
use crate::medium::{Medium, files};
use crate::search::Search;
use crate::table;

/// Windows that the envelopes are spread over.
const WINDOWS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The box runs while the deadline passes.
    RunsOn,
    /// It is stopped before, and killed as soon as it serves again after.
    IsStopped,
}

pub struct Story {
    ending: Ending,
    medium: Medium,
    known: Vec<Known>,
    /// The key file as it was while the envelopes could be read.
    old_keys: Vec<u8>,
    windows_left: bool,
}

impl Story {
    pub fn live(envelopes: usize, ending: Ending) -> Self {
        let medium = Medium::fresh();
        let clock = WallClock::right();
        let start = start(&clock);
        let mut hob = start.over(&medium.data()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let known = runtime.block_on(take_in(&hob, &clock, envelopes));
        assert_eq!(known.len(), envelopes, "the search knows every envelope as it lies on the disk");
        let old_keys = fs::read(key_file(&medium)).unwrap();
        let windows = medium.data().join("log/windows");
        let old: HashSet<PathBuf> = fs::read_dir(&windows).unwrap().flatten().map(|entry| entry.path()).collect();
        if ending == Ending::IsStopped {
            assert!(hob.stop().success(), "{}", hob.said());
            clock.off_by(9 * HOUR);
            hob.start_again();
        } else {
            clock.off_by(9 * HOUR);
            // The log looks every ten seconds of box time.
            wait_for("the windows' end", || old.iter().all(|window| !window.exists()) || is_sabotaged());
            std::thread::sleep(Duration::from_millis(u64::from(is_sabotaged()) * 3000));
        }
        let windows_left = old.iter().any(|window| window.exists());
        hob.kill();
        Self { ending, medium, known, old_keys, windows_left }
    }

    /// Searches everything, and tries everything.
    pub fn judge(mut self) -> Found {
        let data = self.medium.data();
        let box_key = BoxKey::load(&RealFiles, &data.join("keys"), false).unwrap();
        let key_file = fs::read(key_file(&self.medium)).unwrap();
        let folder = files(&data);
        let search = Search::new(needles(&self.known));
        let in_folder = folder.iter().map(|(_, content)| search.find(content).len()).sum();
        let raw = self.medium.raw();
        let on_medium = search.find(&raw);
        // A piece counts as the needle that it is of: sealed, at rest, index, in this order for each envelope.
        let pieces = |kind: usize| on_medium.iter().filter(|(_, piece)| piece.needle % 3 == kind).count();
        let whole: Vec<&Known> =
            self.known.iter().filter(|known| is_whole(known, &raw, &on_medium, &self.known)).collect();
        let secrets = |file: &[u8]| -> Vec<[u8; 32]> {
            let slots = [0, table::SLOT_BYTES].into_iter().filter_map(|at| table::slot(file.get(at..)?));
            slots.map(|(_, secret, _)| secret).collect()
        };
        eprintln!("  carving {} MiB", raw.len() >> 20);
        let carved = carve(&raw, &box_key, &secrets(&key_file));
        assert!(!carved.tables.is_empty(), "the carver is blind: it does not even find the present keys");
        let old = carve(&self.old_keys, &box_key, &secrets(&self.old_keys));
        let (would_open, _) = opened(&whole, &old.tables);
        let (opens, tries) = opened(&whole, &carved.tables);
        Found {
            ending: self.ending,
            envelopes: self.known.len(),
            files: folder.len(),
            folder_bytes: folder.iter().map(|(_, content)| content.len()).sum(),
            medium_bytes: raw.len(),
            in_folder,
            sealed_pieces: pieces(0),
            at_rest_pieces: pieces(1),
            index_pieces: pieces(2),
            whole: whole.len(),
            would_open,
            opens,
            tries,
            carved,
            windows_left: self.windows_left,
        }
    }
}

fn start(clock: &WallClock) -> Start {
    let build = std::env::var_os("HOB_TEST_DEMO_BOX").map(PathBuf::from);
    let file = clock.file();
    let words = ["--demo-clock", "--clock-file", file.to_str().unwrap()];
    let mut start = words.into_iter().fold(Start::default(), Start::arg);
    start.build = Some(build.unwrap_or_else(|| panic!("set HOB_TEST_DEMO_BOX, or run tests/recipes/six-hours")));
    start.env("HOB_LOG_LEVEL", "warn")
}

fn is_sabotaged() -> bool {
    std::env::var_os("HOB_TEST_SABOTAGE").is_some()
}

fn key_file(medium: &Medium) -> PathBuf {
    medium.data().join("keys/log.keys")
}

/// Envelopes come in over two hours; every third is read and acknowledged at once.
async fn take_in(hob: &HobBox, clock: &WallClock, envelopes: usize) -> Vec<Known> {
    let (ada, mut owner, to_ada) = reachable(hob).await;
    let (_, _, to_nobody) = reachable(hob).await;
    let mut submitted = Vec::new();
    let mut known = Vec::new();
    for window in 0..WINDOWS {
        clock.off_by(i64::try_from(window).unwrap() * (HOUR * 2 / 3));
        let mut sender = Wire::connect(hob.address).await;
        for number in (window..envelopes).step_by(WINDOWS) {
            let envelope = envelope(size(number));
            submitted.push(envelope.bytes().to_vec());
            let token = if number % 3 == 0 { &to_ada } else { &to_nobody };
            let submit = ClientBody::Submit {
                token: token.clone(),
                envelope,
                ttl: Duration::from_secs(5 * 3600 + 1800),
                urgency: Urgency::Quiet,
                online_only: false,
            };
            let answer = sender.ask(submit).await;
            assert!(matches!(answer, ServerBody::Accepted { duplicate: false, .. }), "{answer:?}");
        }
        // Before what nobody waits for is closed and loses its body key.
        known.extend(in_journals(&hob.data, &submitted.split_off(0)));
        if owner.close_code.is_none() {
            owner = ada.prove().await;
        }
        drop(drain(&mut owner).await);
    }
    known
}

/// For each envelope: what its sender sealed, that at rest, and its group's index.
fn needles(known: &[Known]) -> Vec<&[u8]> {
    known.iter().flat_map(|known| [&known.sealed[..], &known.at_rest[BLOCK_HEADER_BYTES..], &known.index[..]]).collect()
}

/// Whether the medium still has the whole block at rest.
fn is_whole(known: &Known, raw: &[u8], found: &[(usize, crate::search::Piece)], all: &[Known]) -> bool {
    found.iter().any(|(at, piece)| {
        let same = piece.needle % 3 == 1 && std::ptr::eq(&raw const all[piece.needle / 3], known) && piece.at == 0;
        same && at.checked_sub(BLOCK_HEADER_BYTES).is_some_and(|from| raw[from..].starts_with(&known.at_rest))
    })
}

/// How many of the blocks open with any key of the tables, and how many tries that took. All blocks of a log have one key,
/// so it is tried on the smallest, and where it fits on all.
fn opened(blocks: &[&Known], tables: &HashSet<Vec<u8>>) -> (usize, u64) {
    let keys: HashSet<[u8; 32]> = tables.iter().flat_map(|table| table::keys(table)).collect();
    let mut logs: HashMap<Bytes16, Vec<&Known>> = HashMap::new();
    for known in blocks {
        logs.entry(known.log_id).or_default().push(known);
    }
    let (mut count, mut tries) = (0, 0);
    for blocks in logs.values() {
        let smallest = blocks.iter().min_by_key(|known| known.at_rest.len()).unwrap();
        tries += keys.len() as u64;
        let fits = keys.iter().find(|key| opens(smallest, key));
        count += fits.map_or(0, |key| blocks.iter().filter(|known| opens(known, key)).count());
    }
    (count, tries)
}

fn opens(known: &Known, key: &[u8; 32]) -> bool {
    let block = Block::parse(&known.at_rest).unwrap();
    let mut sealed = known.at_rest[BLOCK_HEADER_BYTES..].to_vec();
    let opening = block.open(&LogKeys::new(known.log_id, key, Some(key)), known.sequence, &mut sealed);
    opening == Opening::Good && sealed == known.sealed
}

/// What came of it.
pub struct Found {
    ending: Ending,
    envelopes: usize,
    files: usize,
    folder_bytes: usize,
    medium_bytes: usize,
    in_folder: usize,
    sealed_pieces: usize,
    at_rest_pieces: usize,
    index_pieces: usize,
    whole: usize,
    would_open: usize,
    opens: usize,
    tries: u64,
    carved: Carved,
    windows_left: bool,
}

impl Found {
    /// Things that must not be.
    pub fn broken(&self) -> usize {
        self.in_folder + self.sealed_pieces + self.opens + usize::from(self.windows_left)
    }

    pub const fn tried(&self) -> u64 {
        self.tries + self.carved.tries
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let story = match self.ending {
            Ending::RunsOn => "the box ran past the deadline",
            Ending::IsStopped => "the box was stopped before the deadline, started after it, and killed once it served",
        };
        let there = if self.windows_left { "; A WINDOW'S FOLDER IS STILL THERE" } else { "" };
        writeln!(f, "{story}: {} known envelopes{there}", self.envelopes)?;
        writeln!(
            f,
            "  data folder: {} files, {} KiB, every offset: {} pieces of them",
            self.files,
            self.folder_bytes >> 10,
            self.in_folder
        )?;
        writeln!(
            f,
            "  raw medium: {} MiB, every offset: {} pieces of what senders sealed, {} of that sealed at rest ({} blocks \
             whole), {} of indexes",
            self.medium_bytes >> 20,
            self.sealed_pieces,
            self.at_rest_pieces,
            self.whole,
            self.index_pieces
        )?;
        writeln!(
            f,
            "  wrapped keys: {} places tried, {} slots, {} open, which are the present ones and those behind them",
            self.carved.candidates,
            self.carved.slots,
            self.carved.tables.len()
        )?;
        write!(
            f,
            "  of the whole blocks {} open with what the medium has; {} would with the keys that were destroyed",
            self.opens, self.would_open
        )
    }
}

/// All sizes, the largest seldom.
const fn size(number: usize) -> usize {
    match number % 20 {
        0 => 64 << 10,
        1 | 2 => 16 << 10,
        3..6 => 8 << 10,
        _ => 2 << 10,
    }
}
