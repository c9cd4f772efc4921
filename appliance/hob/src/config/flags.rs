//! The table of settings as flags of `clap`.

use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::settings::{SETTINGS, Setting};
use crate::config::value::Kind;

/// Settings that were given as flags, with their values as typed.
#[derive(Clone, Default)]
pub struct GivenFlags(pub Vec<(&'static Setting, Vec<String>)>);

impl std::fmt::Debug for GivenFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let given = self.0.iter().map(|(setting, values)| (setting.key, values));
        f.debug_map().entries(given).finish()
    }
}

/// Every setting is a flag: for `serve` and `config check`.
#[derive(Debug, Clone)]
pub struct AllFlags(pub GivenFlags);

/// Only the data folder is: for the commands that speak to a running box.
#[derive(Debug, Clone)]
pub struct DataFlag(pub GivenFlags);

const fn all(_: &Setting) -> bool {
    true
}

fn only_data(setting: &Setting) -> bool {
    setting.key == "data"
}

/// Flags of everyday use; the others show in `--help` and not in `-h`.
const EVERYDAY: [&str; 5] = ["listen", "data", "addresses", "retention", "metrics.listen"];

/// The names of the flags, in the order of the table: `clap` wants names that live as long as the program.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| SETTINGS.iter().map(Setting::flag).collect());

fn flag(setting: &'static Setting, name: &'static str) -> Arg {
    let several = matches!(setting.kind, Kind::Addresses(_));
    let mut defaults = crate::config::Config::default();
    let mut help = format!("{} [{}]", setting.doc, setting.kind.allowed());
    match setting.kind.shown(&mut defaults) {
        Some(default) if default != "[]" => help.push_str(&format!(" [default: {}]", default.trim_matches('"'))),
        _ => {}
    }
    Arg::new(setting.key)
        .long(name)
        .value_name(setting.kind.value_name())
        .action(if several { ArgAction::Append } else { ArgAction::Set })
        .hide_short_help(!EVERYDAY.contains(&setting.key))
        .help_heading("Settings (each also a key of the file and a HOB_… variable)")
        .help(help)
}

fn augment(command: Command, which: fn(&Setting) -> bool) -> Command {
    SETTINGS
        .iter()
        .zip(NAMES.iter())
        .filter(|(setting, _)| which(setting))
        .fold(command, |command, (setting, name)| command.arg(flag(setting, name)))
}

fn given(matches: &ArgMatches, which: fn(&Setting) -> bool) -> GivenFlags {
    let typed = SETTINGS.iter().filter(|setting| which(setting)).filter_map(|setting| {
        let values: Vec<String> = matches.get_many::<String>(setting.key)?.cloned().collect();
        Some((setting, values))
    });
    GivenFlags(typed.collect())
}

macro_rules! settings_as_args {
    ($name:ident, $which:ident) => {
        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok(Self(given(matches, $which)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                self.0 = given(matches, $which);
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                augment(command, $which)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $which)
            }
        }
    };
}

settings_as_args!(AllFlags, all);
settings_as_args!(DataFlag, only_data);
