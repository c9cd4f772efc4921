//! Two hundred devices come and go for an hour, on a box whose time runs twenty-four times as fast: windows open, close and
//! end as they would in a day. What the box takes of memory, descriptors, threads and disk must not grow.
//!
//! `tests/recipes/soak` builds the demo box that it needs and runs it.
//!
//! # Layout
//! - [`crowd`]: the devices. [`gauge`]: what the box takes, every few seconds. [`slope`]: whether it grows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a check: where something is not as it must be, it ends there and says what; how far it is goes to stderr"
)]

mod crowd;
mod gauge;
mod slope;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hob_tests::boxes::{HobBox, Start};
use hob_tests::chance::Chance;
use hob_tests::clock::WallClock;
use hob_tests::measure::cpu_seconds;

use crowd::{Counts, Crowd};
use gauge::Gauge;

const HELP: &str = "\
Two hundred devices come and go, write and read on a real box; prints the slopes of memory, descriptors, threads and disk.

  soak [MINUTES] [--seed N]    so long (60)
  soak --sabotage              eight minutes with a planted leak, which must be noticed

The box's time runs 24 times as fast: windows fill, close and are destroyed. Until the first one is, the number of windows
grows: that is warm-up, a quarter of an hour, and not counted. A run of less than 40 minutes keeps for one hour instead of
six, so that its warm-up is short. Something grows where its slope is more than three times its own standard error, both
halves of the run rise by themselves, and it would add more than a tenth in 24 such hours.";

const DEVICES: usize = 200;
/// How much faster the box's time runs. Faster still, and its patience with silent connections would be over at once.
const SPEED: f64 = 24.0;
const LONG_MINUTES: f64 = 40.0;
const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// How often it is told how far it is.
const TELLS: usize = 20;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (mut minutes, mut seed) = (60.0, Chance::fresh_seed());
    while let Some(word) = words.next() {
        let parsed = match word.as_str() {
            "--seed" => words.next().and_then(|text| text.parse().ok()).map(|given| seed = given),
            count => count.parse().ok().filter(|count| *count > 0.0).map(|given| minutes = given),
        };
        if parsed.is_none() {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    }
    eprintln!("soak: {minutes} minutes, seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(soak(minutes, seed))
}

async fn soak(minutes: f64, seed: u64) -> ExitCode {
    // Every cut connection is counted; what it says on its way is of no use.
    std::panic::set_hook(Box::new(|_| {}));
    let clock = WallClock::right();
    let kept_hours = if minutes < LONG_MINUTES { 1.0 } else { 6.0 };
    let hob = start(&clock, kept_hours);
    let crowd = Arc::new(Crowd::join(&hob, DEVICES).await);
    crowd.begin(&mut Chance::new(seed));
    let length = Duration::from_secs_f64(minutes * 60.0);
    let samples = watch(&hob, &clock, length, &crowd.counts).await;
    let cpu = cpu_seconds(hob.pid());
    crowd.counts.over.store(true, Ordering::Relaxed);
    // When the first window was destroyed, there are as many as there will be.
    let warm_up_s = (kept_hours + 0.5) * 3600.0 / SPEED;
    let settled: Vec<&Gauge> = samples.iter().filter(|gauge| gauge.at_s > warm_up_s).collect();
    let mut grows = Vec::new();
    for (name, unit, is_judged, read) in gauge::READINGS {
        let points: Vec<(f64, f64)> = settled.iter().map(|gauge| (gauge.at_s / 3600.0, read(gauge))).collect();
        let slope = slope::of(&points);
        println!("{}", slope.line(name, unit, *is_judged));
        if *is_judged && slope.grows() {
            grows.push(*name);
        }
    }
    let told = crowd.counts.told();
    println!("{told}; {} windows at the end; {cpu:.0} s of CPU", hob.status("windows"));
    let (refused, cut) = (hob.status("refused"), crowd.counts.cut.load(Ordering::Relaxed));
    if grows.is_empty() && crowd.counts.is_busy() {
        println!(
            "soak: ok, {DEVICES} devices, {minutes} minutes, {} samples, nothing grows; {refused} refusals, {cut} cut connections",
            samples.len()
        );
        return ExitCode::SUCCESS;
    }
    let what = if grows.is_empty() { "nothing happened".to_owned() } else { format!("{} grow", grows.join(", ")) };
    println!("soak: BROKEN, {what}; see it again with: tests/recipes/soak {minutes} --seed {seed}");
    ExitCode::FAILURE
}

fn start(clock: &WallClock, kept_hours: f64) -> HobBox {
    let build = std::env::var_os("HOB_TEST_DEMO_BOX").map(PathBuf::from);
    let file = clock.file();
    // The jumping clock must not look like silent connections.
    let words = ["--demo-clock", "--clock-file", file.to_str().unwrap(), "--quota-unproven-for", "10m"];
    let retention = format!("{kept_hours}h");
    let more = ["--quota-sender-idle-for", "24h", "--retention", &retention];
    let mut start = words.into_iter().chain(more).fold(Start::default(), Start::arg);
    start.build = Some(build.unwrap_or_else(|| hob_tests::boxes::program("hob")));
    // What is freed is given back at once, so that memory shows what is in use (mallopt(3)). As it is shipped, the C library
    // keeps some for the next time: docs/proof.md.
    let gives_back =
        [("MALLOC_ARENA_MAX", "2"), ("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")];
    let start = gives_back.into_iter().fold(start, |start, (name, value)| start.env(name, value));
    start.env("HOB_LOG_LEVEL", "warn").fresh()
}

/// Takes samples, and moves the box's clock with each.
async fn watch(hob: &HobBox, clock: &WallClock, length: Duration, counts: &Counts) -> Vec<Gauge> {
    let begun = Instant::now();
    let mut samples = Vec::new();
    let count = usize::try_from(length.as_secs() / SAMPLE_EVERY.as_secs()).unwrap();
    for number in 1..=count {
        tokio::time::sleep(SAMPLE_EVERY).await;
        let passed = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_possible_truncation, reason = "some days, in seconds")]
        clock.off_by((SPEED * passed) as i64);
        let gauge = Gauge::read(hob, passed);
        if number.is_multiple_of((count / TELLS).max(1)) {
            eprintln!("  {:4.1} min: {gauge}; {}", passed / 60.0, counts.told());
        }
        samples.push(gauge);
    }
    samples
}
