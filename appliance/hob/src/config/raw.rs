//! Settings as they were typed, each with the place where: a line of the file, a variable, a flag.

use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::config::flags::GivenFlags;
use crate::config::settings::{SETTINGS, Setting};
use crate::config::value::RawValue;
use crate::config::{ConfigError, setting};

/// Variables that begin like settings and belong to others: the client, tests and benches.
const OTHERS_VARIABLES: [&str; 4] = ["HOB_CONFIG", "HOB_CHAT_", "HOB_TEST_", "HOB_BENCH_"];

/// One setting as typed.
#[derive(Clone)]
pub struct Typed {
    /// Which.
    pub setting: &'static Setting,
    /// Where: "hob.toml:12: quota.members", "`HOB_QUOTA_MEMBERS`" or "--quota-members".
    place: String,
    /// What.
    pub value: RawValue,
}

impl Typed {
    /// The error for this value.
    pub fn impossible(&self, why: String) -> ConfigError {
        ConfigError::Impossible { place: format!("{} = {}", self.place, self.value), why }
    }
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, is no TOML, or names a setting that does not exist.
pub fn from_file(path: &Path) -> Result<Vec<Typed>, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    from_text(path, &text)
}

/// Reads the text of a file.
///
/// # Errors
/// As [`from_file`].
pub fn from_text(path: &Path, text: &str) -> Result<Vec<Typed>, ConfigError> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| ConfigError::NotToml {
        place: file.place(&error.span().unwrap_or_default()),
        why: error.message().replace('\n', ", "),
    })?;
    let mut typed = Vec::new();
    file.table("", table.get_ref(), &mut typed)?;
    Ok(typed)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// "hob.toml:12"
    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        format!("{}:{line}", self.path.display())
    }

    fn table(&self, prefix: &str, table: &DeTable<'_>, typed: &mut Vec<Typed>) -> Result<(), ConfigError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let place = self.place(&name.span());
            match (setting(&key), value.get_ref()) {
                (Some(setting), value_typed) => typed.push(Typed {
                    setting,
                    place: format!("{place}: {key}"),
                    value: self.value(value_typed, &value.span()),
                }),
                (None, DeValue::Table(inner)) if is_group(&key) => self.table(&format!("{key}."), inner, typed)?,
                (None, _) => return Err(no_such(place, key)),
            }
        }
        Ok(())
    }

    fn value(&self, value: &DeValue<'_>, span: &Range<usize>) -> RawValue {
        let as_typed = || self.text.get(span.clone()).unwrap_or_default().trim().to_owned();
        match value {
            DeValue::String(text) => RawValue::Text(text.to_string()),
            DeValue::Integer(_) => RawValue::Integer(as_typed()),
            DeValue::Array(items) => {
                let texts: Option<Vec<String>> =
                    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
                texts.map_or_else(|| RawValue::Other("a list of something else", as_typed()), RawValue::List)
            }
            DeValue::Float(_) => RawValue::Other("a fraction", as_typed()),
            DeValue::Boolean(_) => RawValue::Other("true or false", as_typed()),
            DeValue::Datetime(_) => RawValue::Other("a date", as_typed()),
            DeValue::Table(_) => RawValue::Other("a table", "{…}".to_owned()),
        }
    }
}

fn is_group(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.group_and_name().0 == Some(name))
}

fn no_such(place: String, key: String) -> ConfigError {
    let groups = SETTINGS.iter().filter_map(|setting| setting.group_and_name().0);
    let keys = SETTINGS.iter().map(|setting| setting.key).chain(groups);
    let nearest = nearest(&key, keys.map(str::to_owned));
    ConfigError::NoSuchSetting { place, key, nearest }
}

/// What was probably meant: up to three letters away, and fewer than half of them.
fn nearest(typed: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|one| (distance(typed, &one), one))
        .min()
        .filter(|(distance, _)| *distance <= 3 && distance * 2 < typed.len())
        .map(|(_, one)| one)
}

/// Levenshtein's distance: letters to change, put in or leave out.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            *cell = changed.min(left + 1).min(*cell + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Reads the environment: every variable that begins with `HOB_` must be a setting, so that a misspelt one is noticed.
///
/// # Errors
/// There is no such setting.
pub fn from_environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<Typed>, ConfigError> {
    let mut typed = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let ours = name.starts_with("HOB_") && !OTHERS_VARIABLES.iter().any(|others| name.starts_with(others));
        if !ours {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) else {
            let place = "environment".to_owned();
            return Err(no_such_variable(place, name.into_owned()));
        };
        typed.push(Typed {
            setting,
            place: name.into_owned(),
            value: RawValue::Text(value.to_string_lossy().into_owned()),
        });
    }
    Ok(typed)
}

fn no_such_variable(place: String, name: String) -> ConfigError {
    let nearest = nearest(&name, SETTINGS.iter().map(Setting::variable));
    ConfigError::NoSuchSetting { place, key: name, nearest }
}

/// The settings among the flags.
pub fn from_flags(flags: &GivenFlags) -> Vec<Typed> {
    flags
        .0
        .iter()
        .map(|(setting, values)| Typed {
            setting,
            place: format!("--{}", setting.flag()),
            value: match values.as_slice() {
                [one] => RawValue::Text(one.clone()),
                several => RawValue::List(several.to_vec()),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        from_text(Path::new("hob.toml"), text).err().unwrap().to_string()
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_line() {
        assert!(error_of("retention = \"6h\"\nlisten = \n").starts_with("hob.toml:2: "));
        assert!(error_of("retention = \"6h\"\nretention = \"6h\"\n").starts_with("hob.toml:2: "));
    }

    #[test]
    fn an_unknown_group_is_refused_as_a_whole() {
        assert!(error_of("[qouta]\nmembers = 3\n").starts_with("hob.toml:1: there is no setting qouta"));
    }

    #[test]
    fn a_variable_that_is_no_setting_is_refused_unless_it_is_the_clients() {
        let variables = |name: &str| from_environment([(name.into(), "1".into())].into_iter());
        let error = variables("HOB_QUOTA_MEMBER").err().unwrap().to_string();
        assert!(error.contains("did you mean HOB_QUOTA_MEMBERS?"), "{error}");
        assert!(variables("HOB_CHAT_PASSPHRASE").unwrap().is_empty());
        assert!(variables("HOME").unwrap().is_empty());
    }

    #[test]
    fn the_distance_counts_letters_changed_put_in_and_left_out() {
        assert_eq!(distance("retention", "retention"), 0);
        assert_eq!(distance("retentoin", "retention"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
