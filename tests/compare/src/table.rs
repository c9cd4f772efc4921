//! The tables of `docs/compared.md`.

use std::process::Command;

use crate::server::{Kind, Row, Setting};
use crate::work::Figures;

/// Where the tables lie in the page.
const BEGIN: &str = "<!-- measured -->";
const END: &str = "<!-- /measured -->";

/// Replaces the measured part of the page; `None` if it has none.
pub fn put_into(page: &str, measured: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{measured}{END}{after}"))
}

/// All that was measured, as Markdown.
pub fn print(figures: &[Figures]) -> String {
    let mut out = format!("Measured on {}, {}.\n\n", today(), versions(figures));
    out.push_str("Messages per CPU-second of the server:\n\n");
    out.push_str(
        "| | online, 2 KiB | 1 KiB | 500 a second, 2 KiB | stored, 2 KiB | 1 KiB | drained, 2 KiB | 1 KiB |\n",
    );
    out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for of in figures {
        let small = |pick: fn(&crate::work::Rates) -> f64| {
            of.small.as_ref().map_or("–".to_owned(), |rates| number(pick(rates)))
        };
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |\n",
            of.row.name(),
            number(of.large.online),
            small(|rates| rates.online),
            number(of.paced),
            number(of.large.stored),
            small(|rates| rates.stored),
            number(of.large.drained),
            small(|rates| rates.drained),
        ));
    }
    out.push_str("\nEverything else:\n\n");
    out.push_str(
        "| | lost by SIGKILL | bytes on the device a message | as the process counts | memory, MiB | each idle client, KiB \
         | disk KiB: empty, stored, drained | start, ms | installed, KiB |\n",
    );
    out.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for of in figures {
        let [empty, stored, drained, after] = of.disk_kib;
        let window = if of.row.kind == Kind::Hob {
            format!("; {} after the window", number(after as f64))
        } else {
            String::new()
        };
        out.push_str(&format!(
            "| {} | {} of {} | {} | {} | {:.1} | {:.1} | {}, {}, {}{window} | {} | {} |\n",
            of.row.name(),
            number(of.lost.0 as f64),
            number(of.lost.1 as f64),
            of.device_bytes.map_or("–".to_owned(), number),
            number(of.process_bytes),
            of.fresh_kib as f64 / 1024.0,
            of.client_kib,
            number(empty as f64),
            number(stored as f64),
            number(drained as f64),
            of.start.as_millis(),
            installed_kib(of.row).map_or("–".to_owned(), |kib| number(kib as f64)),
        ));
    }
    out
}

/// Digits in groups of three.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "too little to measure".to_owned();
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

fn versions(figures: &[Figures]) -> String {
    let mut kinds: Vec<Row> = Vec::new();
    for of in figures.iter().filter(|of| of.row.setting != Setting::Tls) {
        if kinds.iter().all(|row| row.kind != of.row.kind) {
            kinds.push(of.row);
        }
    }
    let of = |row: &Row| match row.kind {
        Kind::Hob => format!("hob {}", env!("CARGO_PKG_VERSION")),
        _ => format!("{} {}", row.program().1, said("dpkg-query", &["-W", "-f", "${Version}", row.program().1])),
    };
    kinds.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// The package, and the packages of its language that Debian installs with it.
fn installed_kib(row: Row) -> Option<u64> {
    let packages: &[&str] = match row.kind {
        Kind::Hob => {
            let bytes = std::fs::metadata(hob_tests::boxes::program("hob")).ok()?.len();
            return Some(bytes / 1024);
        }
        Kind::Mosquitto => &["mosquitto", "libwebsockets*", "libcjson*", "libdlt*"],
        Kind::Nats => &["nats-server"],
        Kind::Prosody => &["prosody", "lua5.4", "liblua5.4-0", "lua-*"],
        Kind::Ejabberd => &["ejabberd", "erlang-*"],
    };
    let words = [&["-W", "-f", "${db:Status-Abbrev} ${Installed-Size}\n"], packages].concat();
    let lines = said("dpkg-query", &words);
    let sizes = lines.lines().filter_map(|line| line.strip_prefix("ii").map(str::trim));
    sizes.map(|size| size.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_of_the_page_is_replaced() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nb");
        assert_eq!(put_into(&page, "new\n").unwrap(), format!("a\n{BEGIN}\nnew\n{END}\nb"));
        assert_eq!(put_into("a page without a place", "new"), None);
    }

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        assert_eq!(
            [number(0.0), number(999.4), number(1000.0), number(1_234_567.0)],
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
