//! What templates ask for: texts, times, sizes and names, in the language and zone of the page.

use crate::plain;
use askama::Template;
use fluent_bundle::{FluentArgs, FluentValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::chrome::{Chrome, Here, Language, Role};
use crate::fill::Fill;
use crate::form::Field;
use crate::markup::{Markup, escape};
use crate::notice::{Told, told};
use crate::texts::{Texts, texts};
use crate::{assets, icons};

/// Given to each template as `ui`.
pub(crate) struct Ui<'a> {
    pub(crate) chrome: &'a Chrome,
    pub(crate) texts: &'static Texts,
}

impl<'a> Ui<'a> {
    pub(crate) fn new(chrome: &'a Chrome) -> Self {
        Self { chrome, texts: texts(chrome.language) }
    }

    // Texts.

    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.get(key, &FluentArgs::new())
    }

    pub(crate) fn t1(&self, key: &str, name: &str, value: impl Fill) -> String {
        self.texts.get(key, &[(name, self.fill(value))].into_iter().collect())
    }

    pub(crate) fn t2(&self, key: &str, name: &str, value: impl Fill, name2: &str, value2: impl Fill) -> String {
        self.texts.get(key, &[(name, self.fill(value)), (name2, self.fill(value2))].into_iter().collect())
    }

    #[expect(clippy::too_many_arguments, reason = "three pairs, for templates")]
    pub(crate) fn t3(
        &self,
        key: &str,
        name: &str,
        value: impl Fill,
        name2: &str,
        value2: impl Fill,
        name3: &str,
        value3: impl Fill,
    ) -> String {
        let args = [(name, self.fill(value)), (name2, self.fill(value2)), (name3, self.fill(value3))];
        self.texts.get(key, &args.into_iter().collect())
    }

    fn fill(&self, value: impl Fill) -> FluentValue<'static> {
        match (value.filled(), self.chrome.language) {
            // What is filled in is fenced, so that the test can tell it from what should have been translated.
            (FluentValue::String(text), Language::Pseudo) => {
                let text = text.replace("\\u{2068}", "\u{2068}").replace("\\u{2069}", "\u{2069}");
                FluentValue::from(format!("\u{2068}{text}\u{2069}"))
            }
            (value, _) => value,
        }
    }

    /// The text of a key that is made from a word of the box: `fallback` where the catalogue does not know the word.
    pub(crate) fn known(&self, prefix: &str, word: &str, fallback: &str) -> Markup {
        match self.known_text(prefix, word) {
            Some(text) => Markup::trusted(escape(&text)),
            None => self.data(fallback),
        }
    }

    /// Likewise, for a text; `None`: the catalogue does not know the word.
    pub(crate) fn known_text(&self, prefix: &str, word: &str) -> Option<String> {
        self.texts.find(&format!("{prefix}-{}", word.replace(['.', '_', ' '], "-")), &FluentArgs::new())
    }

    pub(crate) fn lang(&self) -> &'static str {
        "en"
    }

    // Who asks.

    pub(crate) fn keeps(&self) -> bool {
        self.may(Role::Keeper)
    }

    pub(crate) fn owns(&self) -> bool {
        self.may(Role::Owner)
    }

    fn may(&self, role: Role) -> bool {
        self.chrome.signed_in.as_ref().is_some_and(|who| who.role >= role)
    }

    pub(crate) fn role(&self, role: &Role) -> String {
        self.t(&format!("role-{}", role.name()))
    }

    pub(crate) fn roles(&self) -> Vec<(String, String)> {
        Role::ALL.iter().map(|role| (role.name().to_owned(), self.t(&format!("role-{}-means", role.name())))).collect()
    }

    pub(crate) fn role_names(&self) -> Vec<(String, String)> {
        Role::ALL.iter().map(|role| (role.name().to_owned(), self.role(role))).collect()
    }

    // The frame.

    pub(crate) fn style(&self) -> &'static str {
        assets::style()
    }

    pub(crate) fn script(&self) -> &'static str {
        assets::script()
    }

    pub(crate) fn icon_file(&self) -> &'static str {
        assets::icon()
    }

    pub(crate) fn box_name(&self) -> String {
        if self.chrome.box_name.trim().is_empty() {
            self.t("box-without-a-name")
        } else {
            plain::escape_line(&self.chrome.box_name)
        }
    }

    pub(crate) fn csrf(&self) -> Markup {
        Markup::trusted(format!("<input type=\"hidden\" name=\"csrf\" value=\"{}\">", escape(&self.chrome.csrf)))
    }

    pub(crate) fn icon(&self, name: &str) -> Markup {
        icons::icon(name)
    }

    pub(crate) fn nav(&self) -> Vec<Entry> {
        let entry = |here: &Here| Entry {
            path: here.path(),
            icon: here.name(),
            text: self.t(&format!("nav-{}", here.name())),
            lit: *here == self.chrome.here,
            count: match here {
                Here::Overview => self.chrome.problems,
                Here::Reports => self.chrome.open_reports.unwrap_or(0),
                _ => 0,
            },
            counts: match here {
                Here::Overview => self.t1("nav-problems", "count", self.chrome.problems),
                Here::Reports => self.t1("nav-open-reports", "count", self.chrome.open_reports.unwrap_or(0)),
                _ => String::new(),
            },
        };
        let takes_reports = self.chrome.open_reports.is_some();
        Here::ALL.iter().filter(|here| takes_reports || **here != Here::Reports).map(entry).collect()
    }

    pub(crate) fn notice(&self) -> Option<Told> {
        self.chrome.notice.as_ref().map(|notice| told(self, notice))
    }

    pub(crate) fn summary(&self, wrong: Vec<(String, String)>) -> Markup {
        Markup::trusted(Summary { ui: self, wrong }.render().unwrap_or_default())
    }

    pub(crate) fn input<'b>(&'b self, name: &str, label: &str) -> Field<'b> {
        Field::new(self, name, label)
    }

    // Data from outside.

    /// A name or another text of somebody: isolated, and with whatever deceives in it shown.
    pub(crate) fn data(&self, text: &str) -> Markup {
        Markup::trusted(format!("<bdi translate=\"no\">{}</bdi>", escape(&plain::escape_line(text))))
    }

    /// A text of somebody with its lines.
    pub(crate) fn prose(&self, text: &str) -> Markup {
        let html = escape(&plain::escape(text));
        Markup::trusted(format!("<div class=\"prose\" dir=\"auto\" translate=\"no\">{html}</div>"))
    }

    /// An id, an address, a path, a command: in the shape of a machine's words.
    pub(crate) fn code(&self, text: &str) -> Markup {
        Markup::trusted(format!("<code translate=\"no\">{}</code>", escape(&plain::escape_line(text))))
    }

    /// The first twelve characters of an id, with all of it on hover.
    pub(crate) fn short(&self, id: &str) -> Markup {
        let all = plain::escape_line(id);
        let short: String = all.chars().take(12).collect();
        Markup::trusted(format!("<code translate=\"no\" title=\"{}\">{}</code>", escape(&all), escape(&short)))
    }

    // Numbers with their units.

    pub(crate) fn count(&self, number: impl Fill) -> String {
        self.t1("number", "n", number)
    }

    /// Bytes, in the largest unit that leaves at least one, with one decimal below a hundred.
    pub(crate) fn bytes(&self, bytes: &u64) -> String {
        const UNITS: [&str; 5] = ["size-b", "size-kib", "size-mib", "size-gib", "size-tib"];
        let mut unit = 0;
        let mut tenths = u128::from(*bytes) * 10;
        while tenths >= 10_240 && unit + 1 < UNITS.len() {
            tenths /= 1024;
            unit += 1;
        }
        let key = UNITS.get(unit).copied().unwrap_or("size-b");
        if tenths >= 1000 || tenths.is_multiple_of(10) {
            return self.t1(key, "n", u64::try_from(tenths / 10).unwrap_or(u64::MAX));
        }
        self.t1(key, "n", format!("{}.{}", tenths / 10, tenths % 10))
    }

    /// Seconds in the two largest units that are not zero: "3 d 4 h", "12 min", "0 s".
    pub(crate) fn duration(&self, seconds: impl std::borrow::Borrow<u64>) -> String {
        let seconds = *seconds.borrow();
        let parts = [
            ("time-d", seconds / 86_400),
            ("time-h", seconds / 3600 % 24),
            ("time-min", seconds / 60 % 60),
            ("time-s", seconds % 60),
        ];
        let first = parts.iter().position(|(_, count)| *count > 0).unwrap_or(3);
        let two = parts.iter().skip(first).take(2).filter(|(_, count)| *count > 0 || first == 3);
        two.map(|(key, count)| self.t1(key, "n", *count)).collect::<Vec<_>>().join("\u{a0}")
    }

    // Times in the keeper's zone.

    /// Date and time; the exact one is in `datetime` and on hover.
    pub(crate) fn time(&self, unix_s: &u64) -> Markup {
        self.timed(*unix_s, |zoned| self.t2("date-and-time", "date", self.date_of(zoned), "time", clock(zoned)))
    }

    /// Only the time of the day.
    pub(crate) fn clock(&self, unix_s: &u64) -> Markup {
        self.timed(*unix_s, clock)
    }

    /// Only the day, and nothing finer anywhere.
    pub(crate) fn day(&self, unix_s: &u64) -> Markup {
        let Some(zoned) = at(*unix_s, &self.chrome.zone) else {
            return Markup::trusted(escape(&self.t("time-unknown")));
        };
        let date = zoned.strftime("%Y-%m-%d");
        Markup::trusted(format!("<time datetime=\"{date}\">{}</time>", escape(&self.day_of(&zoned))))
    }

    /// As [`Self::time`], for a text.
    pub(crate) fn time_text(&self, unix_s: &u64) -> String {
        at(*unix_s, &self.chrome.zone).map_or_else(
            || self.t("time-unknown"),
            |zoned| self.t2("date-and-time", "date", self.date_of(&zoned), "time", clock(&zoned)),
        )
    }

    /// The time of the day, for a text.
    pub(crate) fn clock_text(&self, unix_s: u64) -> String {
        at(unix_s, &self.chrome.zone).map_or_else(|| self.t("time-unknown"), |zoned| clock(&zoned))
    }

    fn timed(&self, unix_s: u64, text: impl Fn(&jiff::Zoned) -> String) -> Markup {
        let Some(zoned) = at(unix_s, &self.chrome.zone) else {
            return Markup::trusted(escape(&self.t("time-unknown")));
        };
        let exact = zoned.strftime("%Y-%m-%d %H:%M:%S %:z");
        let html =
            format!("<time datetime=\"{}\" title=\"{exact}\">{}</time>", zoned.timestamp(), escape(&text(&zoned)));
        Markup::trusted(html)
    }

    fn date_of(&self, zoned: &jiff::Zoned) -> String {
        let month = self.t(&format!("month-{}", zoned.month()));
        self.t3("date", "day", i64::from(zoned.day()), "month", month, "year", zoned.year().to_string())
    }

    /// "today", "yesterday", or the date.
    fn day_of(&self, zoned: &jiff::Zoned) -> String {
        let days_ago = at(self.chrome.now_unix_s, &self.chrome.zone)
            .and_then(|now| zoned.date().until(now.date()).ok())
            .map(|span| span.get_days());
        match days_ago {
            Some(0) => self.t("today"),
            Some(1) => self.t("yesterday"),
            _ => self.date_of(zoned),
        }
    }
}

/// 0 is a time that the box does not know.
fn at(unix_s: u64, zone: &TimeZone) -> Option<jiff::Zoned> {
    let seconds = i64::try_from(unix_s).ok().filter(|seconds| *seconds > 0)?;
    Some(Timestamp::from_second(seconds).ok()?.to_zoned(zone.clone()))
}

fn clock(zoned: &jiff::Zoned) -> String {
    format!("{:02}:{:02}", zoned.hour(), zoned.minute())
}

/// A value as it may stand in the query of a link.
pub(crate) fn in_query(value: &str) -> String {
    let mut query = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            query.push(char::from(byte));
        } else {
            query.push_str(&format!("%{byte:02X}"));
        }
    }
    query
}

/// An entry of the navigation.
pub(crate) struct Entry {
    pub(crate) path: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) text: String,
    pub(crate) lit: bool,
    pub(crate) count: u32,
    pub(crate) counts: String,
}

#[derive(Template)]
#[template(path = "summary.html")]
struct Summary<'a> {
    ui: &'a Ui<'a>,
    wrong: Vec<(String, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 21 November 2026, 13:05:09 UTC.
    const NOW: u64 = 1_795_266_309;

    fn chrome() -> Chrome {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        Chrome { zone, now_unix_s: NOW, ..Chrome::default() }
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_leaves_one() {
        let chrome = chrome();
        let ui = Ui::new(&chrome);
        let told = [0, 1023, 1024, 1536, 102_400, 5_373_952, 32 << 30, u64::MAX].map(|bytes| ui.bytes(&bytes));
        let expected =
            ["0 B", "1,023 B", "1 KiB", "1.5 KiB", "100 KiB", "5.1 MiB", "32 GiB", "16,777,215 TiB"].map(str::to_owned);
        assert_eq!(told, expected);
    }

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        let chrome = chrome();
        let ui = Ui::new(&chrome);
        let told = [0, 59, 60, 61, 3600, 7500, 86_400 + 59, 1_055_000].map(|seconds: u64| ui.duration(seconds));
        let expected = ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "2 h 5 min", "1 d", "12 d 5 h"];
        assert_eq!(
            told,
            expected.map(|text| text
                .replace(" min 1", " min\u{a0}1")
                .replace("h 5", "h\u{a0}5")
                .replace("d 5", "d\u{a0}5"))
        );
    }

    #[test]
    fn times_are_told_in_the_keepers_zone_with_the_exact_one_beside() {
        let chrome = chrome();
        let told = Ui::new(&chrome).time(&NOW).to_string();
        assert_eq!(
            told,
            "<time datetime=\"2026-11-21T13:05:09Z\" title=\"2026-11-21 14:05:09 +01:00\">21 Nov 2026, 14:05</time>"
        );
    }

    #[test]
    fn the_day_when_somebody_was_last_seen_tells_no_hour() {
        let chrome = chrome();
        let ui = Ui::new(&chrome);
        let told = [NOW, NOW - 86_400, NOW - 3 * 86_400].map(|unix_s| ui.day(&unix_s).to_string());
        let expected = [("2026-11-21", "today"), ("2026-11-20", "yesterday"), ("2026-11-18", "18 Nov 2026")];
        assert_eq!(told, expected.map(|(date, text)| format!("<time datetime=\"{date}\">{text}</time>")));
    }

    #[test]
    fn a_box_without_a_clock_tells_no_time() {
        let chrome = Chrome::default();
        let ui = Ui::new(&chrome);
        let told = [ui.time(&0), ui.day(&0), ui.clock(&0), ui.time(&u64::MAX)].map(|time| time.to_string());
        assert!(told.iter().all(|told| told == "unknown (the box has no clock)"), "{told:?}");
    }

    #[test]
    fn a_name_from_right_to_left_does_not_turn_its_sentence_around() {
        let chrome = chrome();
        let told = Ui::new(&chrome).t1("notice-member-removed", "name", "שלום");
        assert!(told.starts_with("\u{2068}שלום\u{2069} was removed"), "{told}");
    }
}
