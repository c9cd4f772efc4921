//! The keeper's settings: what was typed ([`raw`]), what is meant ([`Config`]), and the one table between them.
//!
//! # Layout
//! - [`settings`]: the table; file, variable, flag, example file and help follow from it.
//! - [`value`]: durations, sizes, counts and addresses, each with its unit and bounds.
//! - `raw`: a file, the environment and the flags as they were typed, each value with its place.
//! - [`flags`]: the table as flags of `clap`; [`example`]: the table as `hob.example.toml`.

pub mod example;
pub mod flags;
mod raw;
pub mod settings;
pub mod value;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hob_protocol::address::Address;
use hob_relay::gate::GateConfig;
use hob_relay::quota;

use crate::config::flags::GivenFlags;
use crate::config::raw::Typed;
use crate::config::settings::{SETTINGS, Setting};

/// What the box is to do, checked: every value is possible, alone and beside the others.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where members reach the box.
    pub listen: SocketAddr,
    /// The data folder; `None`: systemd's or the XDG one.
    pub data: Option<PathBuf>,
    /// What invitations name; empty: found out from the machine.
    pub addresses: Vec<Address>,
    /// Quotas and rates of the rules.
    pub relay: quota::Config,
    /// How many connections one address may open.
    pub gate: GateSettings,
    /// The keeper's own certificate with its chain (PEM).
    pub tls_certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Where the keeper's dashboard is; `None`: there is none.
    pub admin: Option<SocketAddr>,
    /// Where health and figures are served besides the control socket.
    pub metrics: Option<SocketAddr>,
    /// "human" or "json".
    pub log_format: &'static str,
    /// The least severe level that is logged.
    pub log_level: &'static str,
}

/// [`GateConfig`], in the width that settings have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// Connections of one address that have shown neither token nor proof.
    pub half_open: u32,
    /// New connections of one address in a second.
    pub new_per_second: u32,
    /// New connections of one address at once.
    pub burst: u32,
    /// Connections of one address that may wait to be let in.
    pub waiting: u32,
}

#[expect(clippy::indexing_slicing, reason = "two literal places of lists that stand in the next file")]
impl Default for Config {
    fn default() -> Self {
        let gate = GateConfig::default();
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 8443)),
            data: None,
            addresses: Vec::new(),
            relay: quota::Config::default(),
            gate: GateSettings {
                half_open: small(gate.half_open),
                new_per_second: gate.new_per_second,
                burst: gate.burst,
                waiting: small(gate.waiting),
            },
            tls_certificate: None,
            tls_key: None,
            // In the image it is on the home network; whoever runs a box by hand decides that.
            admin: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8444))),
            metrics: None,
            log_format: settings::LOG_FORMATS[0],
            log_level: settings::LOG_LEVELS[2],
        }
    }
}

impl GateSettings {
    /// As the rules take it.
    pub fn to_rules(&self) -> GateConfig {
        let wide = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        GateConfig {
            half_open: wide(self.half_open),
            new_per_second: self.new_per_second,
            burst: self.burst,
            waiting: wide(self.waiting),
        }
    }
}

/// A setting cannot be used. The text names the place, the key, and what is allowed. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{place}: {why}")]
    NotToml {
        /// File and line.
        place: String,
        /// What the parser says.
        why: String,
    },
    /// There is no such key.
    #[error("{place}: there is no setting {key}{}; `hob config example` lists them all", DidYouMean(nearest.as_deref()))]
    NoSuchSetting {
        /// File and line, or the variable.
        place: String,
        /// What was typed.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A value is not possible.
    #[error("{place}: {why}")]
    Impossible {
        /// File and line with key and value, or the variable or flag with its value.
        place: String,
        /// What is allowed.
        why: String,
    },
}

struct DidYouMean<'a>(Option<&'a str>);

impl std::fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, " (did you mean {nearest}?)"),
            None => Ok(()),
        }
    }
}

impl Config {
    /// Reads the settings: defaults, then the file, then `HOB_…` variables, then flags.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing that is wrong in that order.
    pub fn load(file: Option<&Path>, flags: &GivenFlags) -> Result<Self, ConfigError> {
        let mut typed = Vec::new();
        if let Some(path) = file {
            typed.extend(raw::from_file(path)?);
        }
        typed.extend(raw::from_environment(std::env::vars_os())?);
        typed.extend(raw::from_flags(flags));
        Self::from_typed(typed)
    }

    fn from_typed(typed: Vec<Typed>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut places = Vec::new();
        for one in typed {
            one.setting.kind.set(&mut config, &one.value).map_err(|why| one.impossible(why))?;
            places.retain(|(setting, _): &(&Setting, Typed)| setting.key != one.setting.key);
            places.push((one.setting, one));
        }
        config.check_together(&places)?;
        Ok(config)
    }

    /// What no value shows alone.
    fn check_together(&self, places: &[(&Setting, Typed)]) -> Result<(), ConfigError> {
        let relay = &self.relay;
        let rules = [
            (
                relay.mailbox_small_places > relay.mailbox_envelopes,
                ["quota.mailbox_small_places", "quota.mailbox_envelopes"],
                format!(
                    "quota.mailbox_small_places must be at most quota.mailbox_envelopes, which is {}",
                    relay.mailbox_envelopes
                ),
            ),
            (
                relay.mailbox_bytes > relay.box_bytes,
                ["quota.mailbox_bytes", "quota.box_bytes"],
                format!(
                    "quota.mailbox_bytes must be at most quota.box_bytes, which is {}",
                    value::Size(relay.box_bytes)
                ),
            ),
        ];
        let pair = [self.tls_certificate.is_some(), self.tls_key.is_some()];
        let rules = rules.into_iter().chain([(
            pair[0] != pair[1],
            ["tls.certificate", "tls.key"],
            "a certificate and its key go together: set tls.certificate and tls.key, or neither".to_owned(),
        )]);
        for (broken, keys, why) in rules {
            if broken {
                let typed = keys.iter().find_map(|key| places.iter().find(|(setting, _)| setting.key == *key));
                return Err(match typed {
                    Some((_, typed)) => typed.impossible(why),
                    None => ConfigError::Impossible { place: "defaults".to_owned(), why },
                });
            }
        }
        Ok(())
    }

    /// The data folder: as set, or systemd's `STATE_DIRECTORY`, or `hob` in the XDG data folder.
    ///
    /// # Errors
    /// There is neither, and no home folder.
    pub fn data_folder(&self) -> Result<PathBuf, ConfigError> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        // systemd separates several by colons; the first is the unit's own.
        if let Some(state) = std::env::var_os("STATE_DIRECTORY").filter(|state| !state.is_empty()) {
            let state = state.to_string_lossy();
            return Ok(PathBuf::from(state.split(':').next().unwrap_or_default()));
        }
        directories::ProjectDirs::from("", "", "hob").map(|folders| folders.data_dir().to_owned()).ok_or_else(|| {
            ConfigError::Impossible {
                place: "data".to_owned(),
                why: "there is no home folder to keep the box's data in: say where with --data DIR".to_owned(),
            }
        })
    }
}

/// The setting of a key.
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Config, String> {
        let typed = raw::from_text(Path::new("hob.toml"), text).map_err(|error| error.to_string())?;
        Config::from_typed(typed).map_err(|error| error.to_string())
    }

    #[test]
    fn no_setting_is_needed_at_all() {
        assert_eq!(with("").unwrap().relay, quota::Config::default());
    }

    #[test]
    fn a_size_without_a_unit_is_refused_with_file_line_key_and_what_is_allowed() {
        let error = with("\n# comment\n[quota]\nmailbox_bytes = 32\n").unwrap_err();
        assert_eq!(
            error,
            "hob.toml:4: quota.mailbox_bytes = 32: a size needs a unit, for example \"32MiB\" (1MiB to 1GiB)"
        );
    }

    #[test]
    fn a_misspelt_key_is_refused_and_the_right_one_is_named() {
        let error = with("retentoin = \"2h\"").unwrap_err();
        assert!(error.starts_with("hob.toml:1: there is no setting retentoin (did you mean retention?)"), "{error}");
    }

    #[test]
    fn settings_that_are_possible_only_alone_are_refused_together() {
        let error = with("[quota]\nmailbox_envelopes = 100\nmailbox_small_places = 101").unwrap_err();
        assert!(error.starts_with("hob.toml:3: quota.mailbox_small_places = 101: "), "{error}");
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let error = with("[tls]\ncertificate = \"box.crt\"").unwrap_err();
        assert!(error.starts_with("hob.toml:2: tls.certificate") && error.contains("go together"), "{error}");
    }

    #[test]
    fn a_later_place_wins_over_an_earlier_one() {
        let mut typed = raw::from_text(Path::new("hob.toml"), "retention = \"2h\"").unwrap();
        let variable = [("HOB_RETENTION".into(), "3h".into())];
        typed.extend(raw::from_environment(variable.into_iter()).unwrap());
        let config = Config::from_typed(typed).unwrap();
        assert_eq!(config.relay.retention, std::time::Duration::from_secs(3 * 3600));
    }
}
