//! Runs worlds until time or number is up, and says what came of it.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use hob_sim::plan::Plan;
use hob_sim::sealing;
use hob_sim::shrink::shrink;
use hob_sim::world::{Counts, Outcome, World};

const HELP: &str = "\
Simulates whole boxes and devices: real rules, real clients, the real log, on a made-up network, disk and clock.

  sim                     two minutes: the seeds of all past failures, then fresh ones
  sim --seconds N         so many seconds
  sim --worlds N          so many worlds, however long they take
  sim --seed N            this world
  sim --seed N --verbose  this world, told in words
  sim --from N            fresh seeds begin here
  sim --sabotage          every planted fault must be caught (needs a build with the feature sabotage)
  sim --sabotage NAME     this one

A world that breaks a promise is shrunk and told; its seed belongs into tests/sim/seeds.txt, with a word about it.
The last line is the verdict. Exit: 0 all is well, 1 a promise is broken, 2 a mistake in the command line.";

/// Seeds of past failures: one a line, then what each of them found.
const SEEDS: &str = include_str!("../seeds.txt");

#[derive(Default)]
struct Wanted {
    seconds: Option<u64>,
    worlds: Option<u64>,
    seed: Option<u64>,
    from: Option<u64>,
    verbose: bool,
    sabotage: bool,
    only: Option<String>,
    help: bool,
}

fn main() -> ExitCode {
    let wanted = match read(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => {
            println!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    if wanted.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    // A panic in a world is caught and told as a broken promise.
    std::panic::set_hook(Box::new(|_| {}));
    match wanted {
        Wanted { sabotage: true, only, seconds, .. } => sabotage(only.as_deref(), seconds),
        Wanted { seed: Some(seed), verbose, .. } => one(seed, verbose),
        wanted => many(&wanted),
    }
}

fn read(args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        let mut number = || -> Result<Option<u64>, String> {
            let text = args.next().ok_or(format!("{arg} wants a number"))?;
            text.parse().map(Some).map_err(|_| format!("{text:?} is no number"))
        };
        match arg.as_str() {
            "--seconds" => wanted.seconds = number()?,
            "--worlds" => wanted.worlds = number()?,
            "--seed" => wanted.seed = number()?,
            "--from" => wanted.from = number()?,
            "--verbose" => wanted.verbose = true,
            "--sabotage" => {
                wanted.sabotage = true;
                wanted.only = args.next_if(|next| !next.starts_with('-'));
            }
            "--help" | "-h" => wanted.help = true,
            other => return Err(format!("{other:?} is not known")),
        }
    }
    Ok(wanted)
}

/// The seeds of past failures.
fn past() -> Vec<u64> {
    SEEDS.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

/// What was run so far.
#[derive(Default)]
struct Sum {
    worlds: u64,
    really_sealed: u64,
    counts: Counts,
    failed: Vec<u64>,
}

impl Sum {
    fn add(&mut self, plan: &Plan, outcome: &Outcome) {
        self.worlds += 1;
        self.really_sealed += u64::from(sealing::is_real(plan));
        self.counts += outcome.counts;
    }

    fn verdict(&self) -> String {
        let counts = &self.counts;
        let days = counts.box_ms / 86_400_000;
        format!(
            "sim: {} worlds ({} really sealed), {days} box-days ({}.{} box-years), {} envelopes, {} of {} messages read, \
             {} restarts, {} power cuts, {} refused commits, {} compactions, {} times bits flipped, {} devices killed, \
             {} connections: {}",
            self.worlds,
            self.really_sealed,
            days / 365,
            days % 365 * 10 / 365,
            counts.envelopes,
            counts.read,
            counts.letters,
            counts.restarts,
            counts.cuts,
            counts.refused_commits,
            counts.compactions,
            counts.flips,
            counts.kills,
            counts.connections,
            if self.failed.is_empty() {
                "every promise held".to_owned()
            } else {
                format!("BROKEN by seeds {:?}", self.failed)
            }
        )
    }
}

fn one(seed: u64, verbose: bool) -> ExitCode {
    let plan = Plan::new(seed);
    let outcome = World::run(&plan, verbose);
    for line in &outcome.story {
        println!("{line}");
    }
    let mut sum = Sum::default();
    sum.add(&plan, &outcome);
    if let Some((at_ms, wrong)) = &outcome.failure {
        println!("after {} s: {}: {}", at_ms / 1000, wrong.rule, wrong.what);
        sum.failed.push(seed);
    }
    println!("trace {:016x}", outcome.trace);
    println!("{}", sum.verdict());
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(wanted: &Wanted) -> ExitCode {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed.
    let fresh = wanted.from.unwrap_or(u64::try_from(now.as_millis()).unwrap_or(0) % 1_000_000_000 * 1_000);
    let begun = Instant::now();
    let at_most = match (wanted.seconds, wanted.worlds) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Some(_)) => Duration::MAX,
        (None, None) => Duration::from_secs(120),
    };
    println!("fresh seeds from {fresh}");
    let mut sum = Sum::default();
    let mut told = Instant::now();
    for (number, seed) in past().into_iter().chain(fresh..).enumerate() {
        let enough = wanted.worlds.is_some_and(|worlds| number as u64 >= worlds);
        if begun.elapsed() >= at_most || enough {
            break;
        }
        let plan = Plan::new(seed);
        let outcome = World::run_until(&plan, begun.checked_add(at_most));
        if outcome.is_unfinished {
            // Time is up in the middle of it: it counts for nothing.
            break;
        }
        sum.add(&plan, &outcome);
        if outcome.failure.is_some() {
            sum.failed.push(seed);
            tell_failure(&plan, &outcome);
        } else if number == 0 && World::run(&plan, false).trace != outcome.trace {
            println!("seed {seed} gave another trace the second time");
            sum.failed.push(seed);
        }
        if sum.failed.len() >= 5 {
            break;
        }
        if told.elapsed() >= Duration::from_secs(20) {
            told = Instant::now();
            println!("… {} worlds, {} box-days", sum.worlds, sum.counts.box_ms / 86_400_000);
            // Nobody may be looking.
            let _ = std::io::stdout().flush();
        }
    }
    println!("{}", sum.verdict());
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell_failure(plan: &Plan, outcome: &Outcome) {
    let Some((_, wrong)) = &outcome.failure else { return };
    println!("seed {}: {}: {}", plan.seed, wrong.rule, wrong.what);
    let smallest = shrink(plan, outcome, Duration::from_secs(30));
    let again = World::run(&smallest, true);
    let people = smallest.members.iter().filter(|member| member.is_here).count();
    println!("the smallest world that breaks it has {people} members and {} steps; its end:", smallest.steps.len());
    let from = again.story.len().saturating_sub(60);
    for line in again.story.iter().skip(from) {
        println!("  {line}");
    }
    if let Some((_, wrong)) = &again.failure {
        println!("  {}: {}", wrong.rule, wrong.what);
    }
    println!("to see all of it: sim --seed {} --verbose", plan.seed);
}

#[cfg(not(feature = "sabotage"))]
fn sabotage(_only: Option<&str>, _seconds: Option<u64>) -> ExitCode {
    println!("this build knows no planted faults: tests/recipes/sim --sabotage builds one that does");
    ExitCode::from(2)
}

#[cfg(feature = "sabotage")]
fn sabotage(only: Option<&str>, seconds: Option<u64>) -> ExitCode {
    use hob_sim::sabotage::{FAULTS, hunt, is_well_without};
    let at_most = Duration::from_secs(seconds.unwrap_or(60));
    let names: Vec<_> = FAULTS.iter().filter(|name| only.is_none_or(|only| only == **name)).collect();
    let (mut escaped, begun) = (Vec::new(), Instant::now());
    for name in &names {
        let hunt = hunt(name, 1, at_most);
        let took = hunt.took.as_secs_f32();
        match hunt.caught {
            Some((seed, rule)) if is_well_without(seed) => {
                println!("{name}: caught by world {seed} after {} worlds, {took:.1} CPU-s: {rule}", hunt.worlds);
            }
            Some((seed, rule)) => {
                println!("{name}: world {seed} breaks {rule:?} without it, too");
                escaped.push(*name);
            }
            None => {
                println!("{name}: NOT CAUGHT in {} worlds, {took:.1} CPU-s", hunt.worlds);
                escaped.push(*name);
            }
        }
    }
    let caught = names.len() - escaped.len();
    println!(
        "sim --sabotage: {caught} of {} planted faults caught in {} s{}",
        names.len(),
        begun.elapsed().as_secs(),
        if escaped.is_empty() { String::new() } else { format!("; not caught: {escaped:?}") }
    );
    if escaped.is_empty() && !names.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
