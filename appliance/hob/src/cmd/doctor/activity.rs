//! What was unusual in the last hour.

use crate::cmd::doctor::finding::Finding;
use crate::cmd::doctor::patient::Patient;

const CHECK: &str = "activity";

/// Asks the running box. What it tells was refused already, so there is nothing to do about it.
pub fn check(patient: &Patient, findings: &mut Vec<Finding>) {
    let Some(care) = &patient.care else { return };
    if care.status.unusual.is_empty() {
        findings.push(Finding::ok(CHECK, "nothing unusual in the last hour"));
    }
    findings.extend(care.status.unusual.iter().map(|unusual| Finding::ok(CHECK, unusual.text.clone())));
}
