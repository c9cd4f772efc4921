//! Ten thousand idle connections, then floods of strangers over them: bad tokens, TLS handshakes that are never finished,
//! owners who read nothing, a crowd from one address. Meanwhile members write to each other. Their messages have to get
//! through in under a second, and the box's memory has to stay within what its own limits allow.
//!
//! `tests/recipes/load` builds what it needs, raises the limit of descriptors, and runs it.
//!
//! # Layout
//! - [`members`]: who writes and is timed, on a thread of their own. [`floods`]: who is in the way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a measurement: where something is not as it must be, it ends there and says what"
)]

mod floods;
mod members;

use std::time::{Duration, Instant};

use floods::{Flood, IDLE_PER_ADDRESS, PREFIX_AT_ONCE, UNREAD_OWNERS};
use hob_tests::boxes::{HobBox, Start};
use hob_tests::measure::{cpu_seconds, resident_kib, resident_kib_max};
use members::{Members, Times};

const HELP: &str = "\
Floods a real box, and times the messages of its members meanwhile. Ends with one line; 1 when a promise broke.

Usage: tests/recipes/load [CONNECTIONS] [SECONDS]
  CONNECTIONS  idle connections [10000]
  SECONDS      that each flood lasts [20]";

/// What the promise is: 99 of 100 messages take less, beyond what they take on a box beside it that nobody floods. On a
/// quiet machine those take some milliseconds; on a busy one it would be others who are measured.
const AT_MOST: Duration = Duration::from_secs(1);

/// What one connection may cost (DESIGN, section 10).
const CONNECTION_KIB: u64 = 24;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument.starts_with('-')) {
        println!("{HELP}");
        return;
    }
    let number = |at: usize, usual: u64| arguments.get(at).map_or(usual, |text| text.parse().unwrap());
    let (idle, seconds) = (number(0, 10_000), number(1, 20));
    let start = Start::default().env("HOB_LOG_LEVEL", "warn");
    let start = start.arg("--quota-token-burst=10000000").arg("--quota-token-per-second=10000000");
    let mut flooded = start.clone();
    // For the recipe: a build in which one fault can be planted, to see it found. Only the flooded box has it.
    flooded.build = std::env::var_os("HOB_TEST_LOAD_BOX").map(Into::into);
    if let Ok(fault) = std::env::var("HOB_TEST_LOAD_FAULT") {
        flooded = flooded.env("HOB_TEST_SABOTAGE", &fault);
    }
    if let Err(why) = run(flooded.fresh(), &start.fresh(), idle, Duration::from_secs(seconds)) {
        println!("load: FAILED {why}");
        std::process::exit(1);
    }
}

fn run(mut hob: HobBox, beside: &HobBox, idle: u64, each: Duration) -> Result<(), String> {
    let base = resident_kib(hob.pid());
    let mut members = Members::start(&hob);
    let mut others = Members::start(beside);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let quiet = members.times_of(Duration::from_secs(3));
    println!("{:<28} {quiet}", "quiet");

    let before = resident_kib(hob.pid());
    let flood = runtime.block_on(Flood::prepare(&hob, idle));
    let began = Instant::now();
    let crowd = runtime.block_on(flood.idle(idle));
    let connecting = members.times();
    println!("{:<28} {connecting}; in {:.0} s", "while the idle ones come", began.elapsed().as_secs_f64());
    members.times_of(Duration::from_secs(2));
    let kib = (resident_kib(hob.pid()).saturating_sub(before)) as f64 / idle as f64;
    let with_idle = members.times_of(each);
    println!("{:<28} {with_idle}; {kib:.1} KiB for each connection", format!("{idle} idle connections"));

    let mut all = vec![quiet, connecting, with_idle];
    let mut counts = Vec::new();
    for (name, kind) in floods::KINDS {
        let cpu = cpu_seconds(hob.pid());
        let running = flood.start(&runtime, *kind);
        let times = members.times_of(each);
        let count = running.end(&runtime);
        let share = (cpu_seconds(hob.pid()) - cpu) / each.as_secs_f64();
        println!(
            "{name:<28} {times}; {count} of them, {:.0} % of a core, {} MiB",
            share * 100.0,
            resident_kib(hob.pid()) >> 10
        );
        counts.push(format!("{count} {name}"));
        all.push(times);
    }
    drop(crowd);
    let after = members.times_of(Duration::from_secs(3));
    println!("{:<28} {after}", "afterwards");
    all.push(after);
    let unflooded = others.times();
    println!("{:<28} {unflooded}", "a box beside it, all along");
    members.end();
    others.end();
    hob.assert_well();
    judge(&hob, base, idle, kib, (&Times::together(&all), &unflooded), &counts)
}

/// The last line.
fn judge(
    hob: &HobBox,
    base: u64,
    idle: u64,
    kib: f64,
    (all, unflooded): (&Times, &Times),
    counts: &[String],
) -> Result<(), String> {
    let (peak, bound) = (resident_kib_max(hob.pid()), base + bound_kib(idle));
    println!("the floods: {}", counts.join(", "));
    let summary = format!(
        "{idle} idle connections at {kib:.1} KiB; {all} (99 % on a box beside it: {} ms); peak {} MiB of at most {} MiB",
        unflooded.most().as_millis(),
        peak >> 10,
        bound >> 10
    );
    if all.most() > unflooded.most() + AT_MOST {
        return Err(format!("members waited: {summary}"));
    }
    // Of a few connections the noise is measured.
    if kib > CONNECTION_KIB as f64 && idle >= 1000 {
        return Err(format!("more than {CONNECTION_KIB} KiB a connection: {summary}"));
    }
    if let Some(none) = counts.iter().find(|count| count.starts_with("0 ")) {
        return Err(format!("a flood did not come about: {none}"));
    }
    if peak > bound {
        return Err(format!("more memory than the box's limits explain: {summary}"));
    }
    println!("load: {summary}");
    Ok(())
}

/// What the box's own limits allow, beyond an empty box.
fn bound_kib(idle: u64) -> u64 {
    let connections = idle + floods::HALF_OPEN + PREFIX_AT_ONCE + IDLE_PER_ADDRESS;
    // An owner who reads nothing: 256 KiB of bodies read ahead, twice while they are written; and what the log keeps in
    // memory of a body that waits (its index) beside.
    let unread = UNREAD_OWNERS * 2 * 256;
    // Bodies between a socket and the disk: each at most a frame, as many as the writer takes and the next that wait.
    let under_way = 16 << 10;
    connections * CONNECTION_KIB + unread + under_way
}
