//! `hob doctor`: looks at everything that a box needs, and says what to do. Changes nothing.
//!
//! # Layout
//! - [`finding`]: what a check says; `patient`: what all checks look at; `proc`: the kernel's own tables.
//! - One file a check: `clock`, `sources` of time, `disk`, `wear`, `rights`, `ports` (and `probe`, a real connection),
//!   `descriptors`, `memory`, `certificate`, `log`, `service`, `activity`.

mod activity;
pub mod certificate;
mod clock;
mod descriptors;
mod disk;
pub mod finding;
mod log;
mod memory;
mod patient;
mod ports;
mod probe;
pub mod proc;
mod rights;
mod service;
mod sources;
mod wear;

use std::process::ExitCode;

use serde::Serialize;

use crate::cli::Doctor;
use crate::cmd::doctor::finding::{Finding, Verdict};
use crate::cmd::doctor::patient::Patient;
use crate::cmd::{say, say_json};
use crate::config::Config;
use crate::failure::Failure;

#[derive(Serialize)]
struct Report<'a> {
    verdict: Verdict,
    running: bool,
    findings: &'a [Finding],
}

/// Looks and tells.
///
/// # Errors
/// A setting is not possible.
pub fn run(args: &Doctor) -> Result<ExitCode, Failure> {
    let config = Config::load(args.config.as_deref(), &args.settings.0)?;
    let data = config.data_folder()?;
    let patient = Patient::meet(config, data);
    let findings = examine(&patient);
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    if args.json {
        say_json(&Report { verdict, running: patient.care.is_some(), findings: &findings })?;
    } else {
        tell(&patient, &findings)?;
    }
    Ok(ExitCode::from(verdict.exit_code()))
}

fn examine(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    rights::check(patient, &mut findings);
    clock::check(patient, &mut findings);
    sources::check(patient, &mut findings);
    disk::check(patient, &mut findings);
    wear::check(patient, &mut findings);
    ports::check(patient, &mut findings);
    descriptors::check(patient, &mut findings);
    memory::check(patient, &mut findings);
    certificate::check(patient, &mut findings);
    log::check(patient, &mut findings);
    service::check(patient, &mut findings);
    activity::check(patient, &mut findings);
    findings
}

fn tell(patient: &Patient, findings: &[Finding]) -> Result<(), Failure> {
    let state = match (&patient.care, &patient.asked) {
        (Some(care), _) => {
            format!("a box runs on {} (process {}, hob {})", patient.data.display(), care.pid, care.version)
        }
        (None, patient::Asked::NoBox) => format!("no box runs on {}", patient.data.display()),
        (None, _) => format!("a box may run on {}, and does not answer", patient.data.display()),
    };
    say(&state)?;
    for finding in findings {
        say(&format!("  {:<5}  {:<12}  {}", finding.verdict.word(), finding.check, finding.says))?;
        if let Some(next) = &finding.next {
            say(&format!("  {:<5}  {:<12}  -> {next}", "", ""))?;
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    say(&match (count(Verdict::Wrong), count(Verdict::Look)) {
        (0, 0) => "all is well".to_owned(),
        (0, looks) => format!("nothing is wrong; {looks} to look at"),
        (wrong, looks) => format!("{wrong} wrong, {looks} to look at"),
    })
}
