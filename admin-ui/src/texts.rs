//! The message catalogues: a file a part of the dashboard and a folder a language.
//!
//! A missing key shows as `⟨key⟩`, so that the page is there all the same; a test finds it.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::chrome::Language;

const ENGLISH: &[&str] = &[
    include_str!("../locales/en/common.ftl"),
    include_str!("../locales/en/setup.ftl"),
    include_str!("../locales/en/overview.ftl"),
    include_str!("../locales/en/members.ftl"),
    include_str!("../locales/en/log.ftl"),
    include_str!("../locales/en/reports.ftl"),
    include_str!("../locales/en/settings.ftl"),
];

/// The texts of one language.
pub(crate) struct Texts {
    bundle: FluentBundle<FluentResource>,
}

static IN_ENGLISH: LazyLock<Texts> = LazyLock::new(|| Texts::new("en", ENGLISH));
static IN_PSEUDO: LazyLock<Texts> = LazyLock::new(|| {
    let mut texts = Texts::new("en", ENGLISH);
    texts.bundle.set_transform(Some(pseudo));
    texts
});

/// The texts of a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::English => &IN_ENGLISH,
        Language::Pseudo => &IN_PSEUDO,
    }
}

impl Texts {
    fn new(language: &str, files: &[&str]) -> Self {
        let language: LanguageIdentifier = language.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(number) => Some(grouped(number.value)),
            _ => None,
        }));
        for file in files {
            // A slip in a file loses that entry only; a test reads each file strictly.
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(resource, _)| resource);
            bundle.add_resource_overriding(resource);
        }
        Self { bundle }
    }

    /// The text of a key, if there is one.
    pub(crate) fn find(&self, key: &str, args: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(args), &mut errors).into_owned();
        if errors.is_empty() { Some(text) } else { Some(format!("⟨{key}: {errors:?}⟩")) }
    }

    /// The text of a key.
    pub(crate) fn get(&self, key: &str, args: &FluentArgs<'_>) -> String {
        self.find(key, args).unwrap_or_else(|| format!("⟨{key}⟩"))
    }
}

/// A number with its thousands parted, as English does it.
#[expect(clippy::cast_possible_truncation, reason = "counts and sizes: whole, and far below 2^53")]
fn grouped(value: f64) -> String {
    if value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = (value.abs() as i64).to_string();
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// English with accents, and longer by two fifths, as many languages are.
fn pseudo(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len() * 2);
    let mut letters = 0_u32;
    for character in text.chars() {
        let accented = match character {
            'a' => 'á',
            'b' => 'ƀ',
            'c' => 'ç',
            'd' => 'ð',
            'e' => 'é',
            'f' => 'ƒ',
            'g' => 'ĝ',
            'h' => 'ĥ',
            'i' => 'î',
            'j' => 'ĵ',
            'k' => 'ķ',
            'l' => 'ļ',
            'm' => 'ɱ',
            'n' => 'ñ',
            'o' => 'ö',
            'p' => 'þ',
            'q' => 'ǫ',
            'r' => 'ŕ',
            's' => 'š',
            't' => 'ţ',
            'u' => 'û',
            'v' => 'ṽ',
            'w' => 'ŵ',
            'x' => 'ẋ',
            'y' => 'ý',
            'z' => 'ž',
            'A' => 'Å',
            'B' => 'Ɓ',
            'C' => 'Ç',
            'D' => 'Ð',
            'E' => 'É',
            'F' => 'Ƒ',
            'G' => 'Ĝ',
            'H' => 'Ĥ',
            'I' => 'Î',
            'J' => 'Ĵ',
            'K' => 'Ķ',
            'L' => 'Ļ',
            'M' => 'Ṁ',
            'N' => 'Ñ',
            'O' => 'Ö',
            'P' => 'Þ',
            'Q' => 'Ǫ',
            'R' => 'Ŕ',
            'S' => 'Š',
            'T' => 'Ţ',
            'U' => 'Û',
            'V' => 'Ṽ',
            'W' => 'Ŵ',
            'X' => 'Ẋ',
            'Y' => 'Ý',
            'Z' => 'Ž',
            other => other,
        };
        out.push(accented);
        if character.is_ascii_alphabetic() {
            letters += 1;
            if letters.is_multiple_of(5) {
                out.push(accented);
                out.push(accented);
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_read_to_its_end() {
        for file in ENGLISH {
            let read = FluentResource::try_new((*file).to_owned());
            assert!(read.is_ok(), "{:?}", read.err().map(|(_, errors)| errors));
        }
    }

    #[test]
    fn no_key_stands_in_the_catalogue_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for line in ENGLISH.iter().flat_map(|file| file.lines()) {
            if let Some((key, _)) = line.split_once(" =")
                && !key.starts_with([' ', '#', '-'])
            {
                assert!(seen.insert(key), "{key} is there twice");
            }
        }
    }

    #[test]
    fn thousands_are_parted() {
        let all = [0.0, 999.0, 1000.0, 1_234_567.0, 36.6].map(grouped);
        assert_eq!(all, ["0", "999", "1,000", "1,234,567", "36.6"]);
    }
}
