//! Whether two sources agree on the time: what the box needs before it believes a date.

use crate::clock::is_set_by_a_time_service;
use crate::cmd::doctor::finding::{Finding, about};
use crate::cmd::doctor::patient::Patient;

const CHECK: &str = "time source";

/// Asks the running box; of a stopped one, says what it would find.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let Some(care) = &patient.care else {
        findings.push(if is_set_by_a_time_service() {
            Finding::ok(CHECK, "a time service has set the clock: with the clock itself that is two sources")
        } else {
            Finding::ok(CHECK, "no time service here: a started box asks its members' devices for the time")
        });
        return;
    };
    findings.push(match (care.time_confirmed, care.old_mail_until_s) {
        (true, _) => Finding::ok(CHECK, "two sources agree on the time"),
        (false, Some(left)) => Finding::look(
            CHECK,
            format!(
                "the clock was behind the box's records at the start and nobody confirmed it: mail from before the start \
                 is destroyed in {}",
                about(left)
            ),
            "set the clock by a time service (systemd-timesyncd), or let a member connect: a device tells its time",
        ),
        (false, None) => Finding::ok(
            CHECK,
            "no two sources agree yet; deadlines run on, and tokens and invitations wait with expiring until they do",
        ),
    });
}
