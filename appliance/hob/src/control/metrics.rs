//! The figures in Prometheus' text exposition format, version 0.0.4. No label names anyone: the only one is the name of
//! an error code.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::control::wire::StatusView;

/// The content type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures.
pub fn text(view: &StatusView, refusals: &BTreeMap<&'static str, u64>) -> String {
    let mut page = Page::default();
    let counters = [
        ("accepted", "Envelopes taken for keeping", view.accepted),
        ("delivered", "Envelopes acknowledged by their owners", view.delivered),
        ("expired", "Envelopes that passed their deadline", view.expired),
        ("duplicates", "Repeats of envelopes taken before", view.duplicates),
        ("pushed", "Envelopes pushed, repeats included", view.pushed),
        ("online_only", "Online-only envelopes handled, never kept", view.online_only),
    ];
    for (name, help, value) in counters {
        page.one(&format!("hob_envelopes_{name}_total"), "counter", help, value);
    }
    page.head("hob_refusals_total", "counter", "Refusals by error code");
    for (code, count) in refusals {
        page.labelled("hob_refusals_total", "code", code, *count);
    }
    let gauges = [
        ("hob_envelopes_pending", "Envelopes that wait", view.pending),
        ("hob_pending_bytes", "Bytes that wait", view.pending_bytes),
        ("hob_members", "Members", view.members),
        ("hob_devices", "Devices of members", view.devices),
        ("hob_devices_connected", "Devices connected now", view.connected),
        ("hob_senders_connected", "Other connections now", view.senders),
        ("hob_windows", "Windows of traffic on disk", view.windows),
        ("hob_windows_with_body_key", "Windows whose bodies can still be read", view.windows_with_body_key),
        ("hob_windows_lost", "Windows lost in this epoch", view.lost_windows),
        ("hob_damaged_records", "Records found damaged and kept aside", view.damaged_records),
        ("hob_ledger_generation", "The ledger's generation", view.generation),
        ("hob_log_bytes", "Bytes of the log on disk", view.bytes_on_disk),
        ("hob_storing_fails", "1 if the disk refused the last commit", u64::from(view.storing_fails)),
        ("process_resident_memory_bytes", "Resident memory", view.memory_bytes),
        ("hob_uptime_seconds", "Seconds since the start", view.uptime_s),
    ];
    for (name, help, value) in gauges {
        page.one(name, "gauge", help, value);
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {}", escaped(help, false));
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn labelled(&mut self, name: &str, label: &str, of: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{{{label}=\"{}\"}} {value}", escaped(of, true));
    }
}

/// Backslashes and line ends, and in label values quotation marks too, are escaped by a backslash.
fn escaped(text: &str, is_label: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '"' if is_label => escaped.push_str("\\\""),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The resident memory of this process, in bytes; 0 where the system does not tell.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_its_help_and_type_before_its_value() {
        let refusals = BTreeMap::from([("MailboxFull", 3), ("TooFast", 1)]);
        let text = text(&StatusView::default(), &refusals);
        let mut known = std::collections::BTreeSet::new();
        let mut helped = std::collections::BTreeSet::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", "HELP", name, ..] => assert!(helped.insert(name.to_owned()), "{name} is there twice"),
                ["#", "TYPE", name, "counter" | "gauge"] => {
                    assert!(helped.contains(name) && known.insert(name.to_owned()))
                }
                [name, value] => {
                    assert!(known.contains(name.split('{').next().unwrap()), "{line}");
                    assert!(value.parse::<u64>().is_ok(), "{line}");
                }
                _ => panic!("{line}"),
            }
        }
        assert!(text.contains("hob_refusals_total{code=\"MailboxFull\"} 3\n"));
        assert!(text.ends_with('\n'), "the last line must end");
    }

    #[test]
    fn alerts_and_the_drawn_dashboard_ask_for_figures_that_there_are() {
        let text = text(&StatusView::default(), &BTreeMap::from([("TooFast", 1)]));
        let monitoring = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitoring");
        let mut asked = 0;
        for file in ["alerts.yml", "alerts-test.yml", "grafana.json"] {
            let written = std::fs::read_to_string(monitoring.join(file)).unwrap();
            let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            for word in written.split(|c| !is_of_a_name(c)).filter(|word| word.starts_with("hob_")) {
                assert!(text.contains(&format!("# TYPE {word} ")), "{file}: {word}");
                asked += 1;
            }
        }
        assert!(asked > 20, "{asked}");
    }

    #[test]
    fn a_label_value_cannot_break_out_of_its_quotation_marks() {
        assert_eq!(escaped("a\"b\\c\nd", true), "a\\\"b\\\\c\\nd");
        assert_eq!(escaped("a\"b", false), "a\"b");
    }

    #[test]
    fn the_process_knows_how_much_memory_it_takes() {
        assert!(resident_bytes() > 1 << 20);
    }
}
