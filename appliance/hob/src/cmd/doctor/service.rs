//! Who starts the box again: systemd, if it does, and how that went.

use std::collections::HashMap;

use crate::cmd::doctor::finding::{Finding, about};
use crate::cmd::doctor::patient::{Patient, output_of};
use crate::control::wire::CareView;

const CHECK: &str = "service";

/// More restarts than this since the machine started have a reason.
const RESTARTS_MANY: u32 = 3;

/// Looks at the service.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let unit = unit();
    findings.push(match &patient.care {
        Some(care) => running(care, unit.as_ref()),
        None => stopped(unit.as_ref()),
    });
}

/// What systemd says of the unit; `None`: there is no systemd here, or no such unit.
fn unit() -> Option<Unit> {
    if !sd_notify::booted().unwrap_or(false) {
        return None;
    }
    let wanted = "--property=LoadState,ActiveState,Result,NRestarts,UnitFileState";
    Unit::parse(&output_of("systemctl", &["show", "hob.service", wanted])?)
}

#[derive(Debug, PartialEq, Eq)]
struct Unit {
    state: String,
    result: String,
    restarts: u32,
    is_enabled: bool,
}

impl Unit {
    fn parse(shown: &str) -> Option<Self> {
        let values: HashMap<&str, &str> = shown.lines().filter_map(|line| line.split_once('=')).collect();
        let of = |name: &str| values.get(name).copied().unwrap_or_default();
        (of("LoadState") == "loaded").then(|| Self {
            state: of("ActiveState").to_owned(),
            result: of("Result").to_owned(),
            restarts: of("NRestarts").parse().unwrap_or(0),
            is_enabled: of("UnitFileState").starts_with("enabled"),
        })
    }
}

fn running(care: &CareView, unit: Option<&Unit>) -> Finding {
    let up = format!("up for {}; before that: {}", about(care.status.uptime_s), care.status.last_stop);
    let service = &care.service;
    if let Some(unit) = unit
        && unit.restarts > RESTARTS_MANY
        && service.notifies
    {
        return Finding::look(
            CHECK,
            format!("{up}; systemd had to start it again {} times", unit.restarts),
            "see why: journalctl -u hob",
        );
    }
    match (service.notifies, service.watchdog_ms) {
        (true, Some(ms)) => {
            Finding::ok(CHECK, format!("{up}; the service manager watches it every {}", about(ms / 1000)))
        }
        (true, None) => Finding::look(
            CHECK,
            format!("{up}; the service manager would not notice if it hung"),
            "WatchdogSec=60 in the unit: see appliance/systemd",
        ),
        (false, _) => {
            Finding::ok(CHECK, format!("{up}; no service manager watches it: whatever started it must start it again"))
        }
    }
}

fn stopped(unit: Option<&Unit>) -> Finding {
    let Some(unit) = unit else {
        return Finding::ok(CHECK, "no unit hob.service here: start the box with `hob serve`");
    };
    match (unit.state.as_str(), unit.result.as_str()) {
        ("failed", result) => Finding::wrong(
            CHECK,
            format!("systemd gave it up ({result})"),
            "see why: journalctl -u hob; then systemctl reset-failed hob, systemctl start hob",
        ),
        ("activating", _) => Finding::look(CHECK, "systemd starts it again and again", "see why: journalctl -u hob"),
        _ if unit.is_enabled => {
            Finding::look(CHECK, "hob.service is stopped; it starts with the machine", "systemctl start hob")
        }
        _ => Finding::look(
            CHECK,
            "hob.service is there, stopped, and does not start with the machine",
            "systemctl enable --now hob",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::doctor::finding::Verdict;

    #[test]
    fn a_unit_that_systemd_gave_up_is_wrong_and_one_that_is_not_loaded_is_no_unit() {
        let shown = "LoadState=loaded\nActiveState=failed\nResult=watchdog\nNRestarts=5\nUnitFileState=enabled\n";
        let finding = stopped(Unit::parse(shown).as_ref());
        assert_eq!(finding.verdict, Verdict::Wrong);
        assert!(finding.says.contains("watchdog"));
        assert_eq!(Unit::parse("LoadState=not-found\nActiveState=inactive\n"), None);
        assert_eq!(stopped(None).verdict, Verdict::Ok);
    }

    #[test]
    fn a_running_box_that_was_started_again_many_times_is_worth_a_look() {
        let mut care = CareView::default();
        care.service.notifies = true;
        care.service.watchdog_ms = Some(60_000);
        let unit = |restarts| Unit { state: "active".into(), result: "success".into(), restarts, is_enabled: true };
        assert_eq!(running(&care, Some(&unit(0))).verdict, Verdict::Ok);
        assert_eq!(running(&care, Some(&unit(9))).verdict, Verdict::Look);
        care.service.watchdog_ms = None;
        assert_eq!(running(&care, Some(&unit(0))).verdict, Verdict::Look, "nobody would notice a hang");
    }
}
