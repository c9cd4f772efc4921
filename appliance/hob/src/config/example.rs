//! The table of settings as an example file: `hob.example.toml` is this text, and a test says when it is not.

use std::fmt::Write as _;

use crate::config::Config;
use crate::config::settings::SETTINGS;
use crate::config::value::Kind;

const HEAD: &str = "\
# Settings of a Hob box. None is needed: what stands here, commented out, is what holds without a file.
# Use it with `hob serve --config FILE`; check it with `hob config check --config FILE`.
# A flag goes before its HOB_… variable, a variable before the file. Times and sizes carry their unit: \"6h\", \"32MiB\".
# Made by `hob config example`.
";

/// The example file.
pub fn text() -> String {
    let mut defaults = Config::default();
    let mut text = HEAD.to_owned();
    let mut group = None;
    for setting in SETTINGS {
        let (this_group, name) = setting.group_and_name();
        if this_group != group {
            group = this_group;
            let _ = write!(text, "\n[{}]\n", group.unwrap_or_default());
        }
        let shown = setting.kind.shown(&mut defaults);
        let value = shown.as_deref().unwrap_or(match setting.kind {
            Kind::File(_) => "\"/var/lib/hob/FILE.pem\"",
            _ => "\"/var/lib/hob\"",
        });
        let _ = write!(
            text,
            "\n# {}.\n# Allowed: {}. Also {} and --{}.\n#{name} = {value}\n",
            setting.doc,
            setting.kind.allowed(),
            setting.variable(),
            setting.flag(),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_without_its_comment_signs_says_what_holds_anyway() {
        let active: String = text()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && !rest.contains("/var/lib/hob") => rest.to_owned(),
                _ => line.to_owned(),
            })
            .map(|line| line + "\n")
            .collect();
        let typed = crate::config::raw::from_text(std::path::Path::new("example"), &active).unwrap();
        let paths = SETTINGS.iter().filter(|setting| matches!(setting.kind, Kind::Folder(_) | Kind::File(_))).count();
        assert_eq!(typed.len() + paths, SETTINGS.len(), "every setting but folder and files was read");
        let config = Config::from_typed(typed).unwrap();
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn the_example_file_in_the_repository_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hob.example.toml");
        let stored = std::fs::read_to_string(path).unwrap();
        assert_eq!(stored, text(), "run `hob config example > hob.example.toml`");
    }
}
