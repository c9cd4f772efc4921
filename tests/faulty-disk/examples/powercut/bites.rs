//! That the harness notices. A check that has never failed proves nothing.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hob_faulty_disk::cut::{Manner, below};
use hob_faulty_disk::disk::Disk;
use hob_faulty_disk::faults::Rule;
use hob_faulty_disk::house::House;
use hob_faulty_disk::mount::Mounted;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::phases::{Phase, Scene};

/// Cuts of sled alone, half of them of each kind.
const CUTS_OF_SLED: u64 = 24;

/// The planted fault must be caught within so many cuts.
const CAUGHT_WITHIN: u64 = 20;

/// Whether both are caught.
pub fn run(rng: &mut ChaCha8Rng) -> bool {
    let (broken, of) = sled_alone(rng);
    let caught_at = planted_fault(rng);
    let is_well = broken > 0 && caught_at.is_some();
    let caught = caught_at.map_or("NOT caught".to_owned(), |cut| format!("caught at cut {cut}"));
    println!(
        "the power-cut harness bites: sled alone with flush() broke at {broken} of {of} cuts; \
         a box that answers before the sync is {caught}"
    );
    is_well
}

/// sled alone: how many cuts broke it.
fn sled_alone(rng: &mut ChaCha8Rng) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let mut broken = 0;
    for cut in 0..CUTS_OF_SLED {
        let manner = if cut % 2 == 0 { Manner::Pessimistic } else { Manner::Adversarial };
        let end = cut_sled(folder.path(), manner, rng);
        broken += u64::from(end != "ok");
        let kind = end.split([' ', ':']).next().unwrap_or_default().to_owned();
        *ends.entry(format!("{manner} {kind}")).or_default() += 1;
    }
    println!("sled alone, plain flush(), {CUTS_OF_SLED} cuts: {ends:?}");
    (broken, CUTS_OF_SLED)
}

fn cut_sled(at: &Path, manner: Manner, rng: &mut ChaCha8Rng) -> String {
    let disk = Mounted::new(Disk::default(), at).unwrap();
    disk.machine().faults.rules = vec![Rule::cut(10 + below(rng, 300), &[])];
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new(&this);
    command.args(["sled-writer", at.join("db").to_str().unwrap()]);
    let mut writer = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let told = BufReader::new(writer.stdout.take().unwrap());
    let listening = std::thread::spawn(move || told.lines().map_while(Result::ok).last());
    disk.wait_for_the_cut(Duration::from_secs(10));
    disk.machine().faults.is_frozen = true;
    let _ = writer.kill();
    writer.wait().unwrap();
    let acknowledged = listening.join().unwrap().unwrap_or_else(|| "0".to_owned());
    let left = disk.machine().disk.cut(manner, rng);
    disk.unmount().unwrap();
    let disk = Mounted::new(left, at).unwrap();
    let mut command = Command::new(&this);
    command.args(["sled-reader", at.join("db").to_str().unwrap(), &acknowledged]);
    let output = command.stderr(Stdio::null()).output().unwrap();
    disk.unmount().unwrap();
    match String::from_utf8_lossy(&output.stdout).trim() {
        "" => "died".to_owned(),
        said => said.to_owned(),
    }
}

/// A box that answers before the sync: the cut at which it is caught.
fn planted_fault(rng: &mut ChaCha8Rng) -> Option<u64> {
    let program = crate::program("HOB_TEST_SABOTAGED_BOX");
    let template = House::template(&program, 4);
    let mut scene = Scene { phase: Phase::Serving, program, rng: ChaCha8Rng::seed_from_u64(rng.next_u64()) };
    // What is found is what is wanted here: it is counted and not told at length.
    let mut told = u64::MAX;
    (1..=CAUGHT_WITHIN).find(|_| {
        let mut house = House::like(&template, &scene.program).with("HOB_TEST_SABOTAGE", "answer-before-sync");
        house.start().unwrap();
        let tally = scene.cycle(&mut house, &mut told);
        println!("planted: {} lost, {} refusals, {} other", tally.lost, tally.refusals, tally.wrong);
        tally.lost > 0
    })
}
