//! What was written down: `/audit` and `/logs`, also to take away.

use axum::http::header;
use axum::response::IntoResponse as _;
use hob_admin_ui::Here;
use hob_admin_ui::view::audit::{Audit, Filter, Row};
use hob_admin_ui::view::logs::{Line, Logs};
use hob_relay::admin::{Answer, Ask};
use hob_relay::keeping::{AuditLine, Role};

use crate::admin::lines;
use crate::admin::pages::overview::unix_s_of;
use crate::admin::request::{At, Reply};

/// Lines of one page.
const PER_PAGE: usize = 100;

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn filter(at: &At) -> Filter {
    Filter {
        who: at.query.trimmed("who"),
        what: at.query.trimmed("what"),
        from: at.query.trimmed("from"),
        to: at.query.trimmed("to"),
    }
}

/// The day on which something was done, in the keeper's zone: what the filter's days are compared with.
fn day_of(at: &At, unix_s: u64) -> String {
    let zone = at.keeping.settings.time_zone.as_deref().and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
    let stamp = i64::try_from(unix_s).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    stamp.map(|stamp| stamp.to_zoned(zone.unwrap_or(jiff::tz::TimeZone::UTC)).date().to_string()).unwrap_or_default()
}

async fn all(at: &At) -> Result<Vec<AuditLine>, axum::response::Response> {
    match at.ask(Ask::AuditLog).await? {
        Answer::AuditLog(lines) => Ok(lines),
        _ => Ok(Vec::new()),
    }
}

fn found(at: &At, lines: Vec<AuditLine>, filter: &Filter) -> Vec<AuditLine> {
    let passes = |line: &AuditLine| {
        let day = day_of(at, line.at_s);
        (filter.who.is_empty() || line.who == filter.who)
            && (filter.what.is_empty() || line.what == filter.what)
            && (filter.from.is_empty() || day >= filter.from)
            && (filter.to.is_empty() || day <= filter.to)
    };
    lines.into_iter().filter(passes).collect()
}

fn row(line: &AuditLine) -> Row {
    // At the machine itself there is no address, and nobody signs in.
    let at_the_console = line.from.is_empty();
    Row {
        at_unix_s: line.at_s,
        who: if at_the_console { String::new() } else { line.who.clone() },
        what: line.what.clone(),
        about: line.about.clone(),
        from: line.from.clone(),
    }
}

fn sorted(words: impl Iterator<Item = String>) -> Vec<String> {
    words.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// `/audit`.
pub async fn audit(at: At) -> Reply {
    at.signed_in(Role::Keeper)?;
    let lines = all(&at).await?;
    let filter = filter(&at);
    let keepers = sorted(lines.iter().map(|line| line.who.clone()));
    let acts = sorted(lines.iter().map(|line| line.what.clone()));
    let found = found(&at, lines, &filter);
    let pages = found.len().div_ceil(PER_PAGE).max(1);
    let page = at.query.get("page").parse::<usize>().unwrap_or(1).clamp(1, pages);
    let view = Audit {
        filter,
        keepers,
        acts,
        rows: found.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).map(row).collect(),
        found: found.len() as u64,
        page: page as u64,
        pages: pages as u64,
    };
    Ok(at.page(Here::Audit, |chrome| view.render(chrome)))
}

/// `/audit.csv`: RFC 4180.
pub async fn audit_csv(at: At) -> Reply {
    at.signed_in(Role::Keeper)?;
    let found = found(&at, all(&at).await?, &filter(&at));
    let mut csv = String::from("number,time,who,what,about,from\r\n");
    for line in found {
        let time = crate::show::expires(line.at_s);
        let cells = [line.number.to_string(), time, line.who, line.what, line.about, line.from];
        csv.push_str(&cells.map(|text| cell(&text)).join(","));
        csv.push_str("\r\n");
    }
    Ok(download(csv.into_bytes(), "text/csv; charset=utf-8", "hob-audit.csv"))
}

/// A cell in quotation marks. What a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// Something to be saved as a file.
pub fn download(bytes: Vec<u8>, kind: &'static str, name: &str) -> axum::response::Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

/// A line as its parts, in either form of the log.
fn parsed(text: &str) -> Line {
    if let Ok(json) = serde_json::from_str::<serde_json::Value>(text) {
        let word = |key: &str| json.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        return Line {
            at_unix_s: unix_s_of(&word("timestamp")),
            level: word("level").to_lowercase(),
            text: word("message"),
        };
    }
    let (time, rest) = text.split_once(' ').unwrap_or_default();
    let (level, said) = rest.trim_start().split_once(' ').unwrap_or_default();
    let level = level.to_lowercase();
    match LEVELS.contains(&level.as_str()) {
        true => Line { at_unix_s: unix_s_of(time), level, text: said.to_owned() },
        false => Line { at_unix_s: 0, level: "info".to_owned(), text: text.to_owned() },
    }
}

fn log_lines(at: &At) -> (Vec<(String, Line)>, u64) {
    let (level, search) = (at.query.get("level"), at.query.trimmed("q").to_lowercase());
    let most = LEVELS.iter().position(|name| *name == level).unwrap_or(LEVELS.len());
    let all = lines::last();
    let kept = all.len() as u64;
    let lines = all.into_iter().rev().map(|text| (parsed(&text), text)).filter(|(line, text)| {
        let severe = LEVELS.iter().position(|name| *name == line.level).unwrap_or(0);
        severe <= most && (search.is_empty() || text.to_lowercase().contains(&search))
    });
    (lines.map(|(line, text)| (text, line)).collect(), kept)
}

/// `/logs`.
pub async fn logs(at: At) -> Reply {
    at.signed_in(Role::Keeper)?;
    let (found, kept) = log_lines(&at);
    let view = Logs {
        level: at.query.trimmed("level"),
        search: at.query.trimmed("q"),
        lines: found.into_iter().map(|(_, line)| line).collect(),
        kept,
    };
    Ok(at.page(Here::Logs, |chrome| view.render(chrome)))
}

/// `/logs.txt`.
pub async fn logs_text(at: At) -> Reply {
    at.signed_in(Role::Keeper)?;
    let (mut found, _) = log_lines(&at);
    found.reverse();
    let text: String = found.into_iter().map(|(text, _)| text + "\n").collect();
    Ok(download(text.into_bytes(), "text/plain; charset=utf-8", "hob-log.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_of_the_audit_log_is_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@sum(a)", "\tx", "\rx"] {
            assert!(cell(evil).starts_with("\"'"), "{evil}");
        }
        assert_eq!(cell("say \"hi\", twice"), "\"say \"\"hi\"\", twice\"");
    }

    #[test]
    fn a_line_of_the_log_is_read_in_both_forms() {
        let human = parsed("2026-11-21T10:00:00.000000Z  INFO ready port=8443");
        assert_eq!((human.level.as_str(), human.text.as_str()), ("info", "ready port=8443"));
        assert_eq!(human.at_unix_s, unix_s_of("2026-11-21T10:00:00Z"));
        let json = parsed(r#"{"timestamp":"2026-11-21T10:00:00.000000Z","level":"WARN","message":"x"}"#);
        assert_eq!((json.level.as_str(), json.text.as_str(), json.at_unix_s), ("warn", "x", human.at_unix_s));
        assert_eq!(parsed("nonsense").text, "nonsense");
    }
}
