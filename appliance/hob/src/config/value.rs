//! Values with their units: what is typed, what is meant, what is allowed.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hob_protocol::address::Address;
use hob_protocol::limits::ADDRESSES_MAX;

use crate::config::Config;

/// A value as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawValue {
    /// A string of the file, a variable, or a flag.
    Text(String),
    /// A whole number of the file.
    Integer(String),
    /// A list of strings.
    List(Vec<String>),
    /// Anything else that TOML knows: its kind in words, and as typed.
    Other(&'static str, String),
}

impl fmt::Display for RawValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(text) | Self::Other(_, text) => f.write_str(text),
            Self::List(texts) => write!(f, "{texts:?}"),
        }
    }
}

/// What kind of value a setting takes, its bounds, and where in [`Config`] it lives.
pub enum Kind {
    /// A time with its unit.
    Duration {
        /// The shortest and the longest.
        bounds: (Duration, Duration),
        /// Its place.
        at: fn(&mut Config) -> &mut Duration,
    },
    /// A number of bytes with its unit.
    Size {
        /// The smallest and the largest, in bytes.
        bounds_bytes: (u64, u64),
        /// Its place.
        at: fn(&mut Config) -> &mut u64,
    },
    /// A number of things.
    Count {
        /// The smallest and the largest.
        bounds: (u32, u32),
        /// Its place.
        at: fn(&mut Config) -> &mut u32,
    },
    /// An address of this machine to listen on.
    Listen(fn(&mut Config) -> &mut SocketAddr),
    /// The same, or nowhere.
    ListenOrOff(fn(&mut Config) -> &mut Option<SocketAddr>),
    /// The same, on the loopback interface only, or nowhere.
    LoopbackOrOff(fn(&mut Config) -> &mut Option<SocketAddr>),
    /// Up to three addresses, host:port.
    Addresses(fn(&mut Config) -> &mut Vec<Address>),
    /// A file.
    File(fn(&mut Config) -> &mut Option<PathBuf>),
    /// A folder.
    Folder(fn(&mut Config) -> &mut Option<PathBuf>),
    /// One of some words.
    Choice {
        /// The words.
        of: &'static [&'static str],
        /// Its place.
        at: fn(&mut Config) -> &mut &'static str,
    },
}

impl Kind {
    /// Puts a value into its place.
    ///
    /// # Errors
    /// What is wrong and what is allowed, in words.
    pub fn set(&self, config: &mut Config, raw: &RawValue) -> Result<(), String> {
        match *self {
            Self::Duration { bounds, at } => *at(config) = self.duration(raw, bounds)?,
            Self::Size { bounds_bytes, at } => *at(config) = self.size(raw, bounds_bytes)?,
            Self::Count { bounds, at } => *at(config) = self.count(raw, bounds)?,
            Self::Listen(at) => *at(config) = self.text(raw)?.parse().map_err(|_| self.allowed())?,
            Self::ListenOrOff(at) => {
                *at(config) = match self.text(raw)? {
                    "off" => None,
                    text => Some(text.parse().map_err(|_| self.allowed())?),
                }
            }
            Self::LoopbackOrOff(at) => *at(config) = self.loopback_or_off(self.text(raw)?)?,
            Self::Addresses(at) => *at(config) = self.addresses(raw)?,
            Self::File(at) | Self::Folder(at) => match self.text(raw)? {
                "" => return Err(self.allowed()),
                folder => *at(config) = Some(PathBuf::from(folder)),
            },
            Self::Choice { of, at } => {
                let text = self.text(raw)?;
                *at(config) = of.iter().find(|word| **word == text).ok_or_else(|| self.allowed())?;
            }
        }
        Ok(())
    }

    /// The value that is in force, as one would write it in the file; `None`: nothing is set.
    pub fn shown(&self, config: &mut Config) -> Option<String> {
        Some(match *self {
            Self::Duration { at, .. } => format!("\"{}\"", Time(*at(config))),
            Self::Size { at, .. } => format!("\"{}\"", Size(*at(config))),
            Self::Count { at, .. } => at(config).to_string(),
            Self::Listen(at) => format!("\"{}\"", at(config)),
            Self::ListenOrOff(at) | Self::LoopbackOrOff(at) => match at(config) {
                Some(address) => format!("\"{address}\""),
                None => "\"off\"".to_owned(),
            },
            Self::Addresses(at) => {
                let quoted: Vec<String> = at(config).iter().map(|address| format!("\"{address}\"")).collect();
                format!("[{}]", quoted.join(", "))
            }
            Self::File(at) | Self::Folder(at) => format!("{:?}", at(config).as_ref()?),
            Self::Choice { at, .. } => format!("\"{}\"", at(config)),
        })
    }

    /// What is allowed, in words: the second half of an error, and a part of the help.
    pub fn allowed(&self) -> String {
        match *self {
            Self::Duration { bounds: (min, max), .. } => format!("a time, {} to {}", Time(min), Time(max)),
            Self::Size { bounds_bytes: (min, max), .. } => format!("a size, {} to {}", Size(min), Size(max)),
            Self::Count { bounds: (min, max), .. } => format!("a whole number, {min} to {max}"),
            Self::Listen(_) => {
                "an address of this machine and a port, for example \"[::]:8443\" or \"127.0.0.1:0\"".to_owned()
            }
            Self::ListenOrOff(_) => {
                "\"off\", or an address of this machine and a port, for example \"[::]:8444\"".to_owned()
            }
            Self::LoopbackOrOff(_) => {
                "\"off\", or a loopback address and a port, for example \"127.0.0.1:9443\"".to_owned()
            }
            Self::Addresses(_) => format!("one to {ADDRESSES_MAX} addresses, for example [\"box.example:8443\"]"),
            Self::File(_) => "a file".to_owned(),
            Self::Folder(_) => "a folder".to_owned(),
            Self::Choice { of, .. } => format!("one of \"{}\"", of.join("\", \"")),
        }
    }

    /// The word for the value in `--help`.
    pub const fn value_name(&self) -> &'static str {
        match self {
            Self::Duration { .. } => "TIME",
            Self::Size { .. } => "SIZE",
            Self::Count { .. } => "N",
            Self::Listen(_) | Self::ListenOrOff(_) | Self::LoopbackOrOff(_) => "ADDR:PORT",
            Self::Addresses(_) => "HOST:PORT",
            Self::File(_) => "FILE",
            Self::Folder(_) => "DIR",
            Self::Choice { .. } => "WORD",
        }
    }

    fn text<'a>(&self, raw: &'a RawValue) -> Result<&'a str, String> {
        match raw {
            RawValue::Text(text) => Ok(text),
            RawValue::Integer(_) => Err(format!("this is a number; allowed is {}", self.allowed())),
            RawValue::List(_) => Err(format!("this is a list; allowed is {}", self.allowed())),
            RawValue::Other(kind, _) => Err(format!("this is {kind}; allowed is {}", self.allowed())),
        }
    }

    fn duration(&self, raw: &RawValue, (min, max): (Duration, Duration)) -> Result<Duration, String> {
        let needs_unit =
            || format!("a time needs a unit, for example \"{}\" ({} to {})", Time(max), Time(min), Time(max));
        let text = match raw {
            RawValue::Integer(_) => return Err(needs_unit()),
            other => self.text(other)?,
        };
        let duration = parse_duration(text).ok_or_else(needs_unit)?;
        if duration < min || duration > max {
            return Err(format!("allowed is {}", self.allowed()));
        }
        Ok(duration)
    }

    fn size(&self, raw: &RawValue, (min, max): (u64, u64)) -> Result<u64, String> {
        let example = Size((32 << 20).clamp(min, max));
        let needs_unit = || format!("a size needs a unit, for example \"{example}\" ({} to {})", Size(min), Size(max));
        let text = match raw {
            RawValue::Integer(_) => return Err(needs_unit()),
            other => self.text(other)?,
        };
        let bytes = parse_size(text).ok_or_else(needs_unit)?;
        if bytes < min || bytes > max {
            return Err(format!("allowed is {}", self.allowed()));
        }
        Ok(bytes)
    }

    fn count(&self, raw: &RawValue, (min, max): (u32, u32)) -> Result<u32, String> {
        // Variables and flags have no types, so a text is taken where it is a number.
        let text = match raw {
            RawValue::Integer(text) => text,
            other => self.text(other)?,
        };
        text.parse::<u32>()
            .ok()
            .filter(|count| (min..=max).contains(count))
            .ok_or_else(|| format!("allowed is {}", self.allowed()))
    }

    fn loopback_or_off(&self, text: &str) -> Result<Option<SocketAddr>, String> {
        if text == "off" {
            return Ok(None);
        }
        let address: SocketAddr = text.parse().map_err(|_| format!("allowed is {}", self.allowed()))?;
        if !address.ip().is_loopback() {
            return Err(format!(
                "these figures are not for the network, put a proxy before them; allowed is {}",
                self.allowed()
            ));
        }
        Ok(Some(address))
    }

    fn addresses(&self, raw: &RawValue) -> Result<Vec<Address>, String> {
        let texts: Vec<&str> = match raw {
            RawValue::List(texts) => texts.iter().map(String::as_str).collect(),
            other => self.text(other)?.split(',').map(str::trim).collect(),
        };
        if texts.len() > ADDRESSES_MAX {
            return Err(format!("these are {}; allowed are {}", texts.len(), self.allowed()));
        }
        texts.into_iter().map(|text| Address::parse(text).map_err(|error| format!("{text:?}: {error}"))).collect()
    }
}

const TIME_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads "6h", "5h30m", "500ms". A number alone is refused: it could mean anything.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total_ms = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (_, unit_ms) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
        total_ms = total_ms.checked_add(number.checked_mul(*unit_ms)?)?;
        rest = next;
    }
    Some(Duration::from_millis(total_ms))
}

const SIZE_UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

/// Reads "32MiB", "64 KiB", "1GiB".
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text.trim())?;
    let (_, shift) = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.checked_mul(1 << shift)
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

/// A time as one would write it.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left_ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left_ms == 0 {
            return f.write_str("0s");
        }
        for (unit, unit_ms) in TIME_UNITS {
            if left_ms >= unit_ms {
                write!(f, "{}{unit}", left_ms / unit_ms)?;
                left_ms %= unit_ms;
            }
        }
        Ok(())
    }
}

/// A number of bytes as one would write it: in the largest unit that needs no fraction.
#[derive(Debug, Clone, Copy)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, shift): &&(&str, u32)| self.0 > 0 && self.0.is_multiple_of(1 << shift);
        let (unit, shift) = SIZE_UNITS.iter().find(fits).unwrap_or(&("B", 0));
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_as_it_is_shown() {
        for text in ["6h", "5h30m", "90s", "1d2h3m4s5ms", "0s"] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(parse_duration(&Time(duration).to_string()), Some(duration), "{text}");
        }
        assert_eq!(parse_duration("5h30m"), Some(Duration::from_secs(19_800)));
        for bad in ["", "6", "h", "6 h", "-1h", "6h30", "1y", "99999999999999999999s", "9999999999999999d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_size_reads_back_as_it_is_shown() {
        for text in ["32MiB", "1GiB", "1KiB", "1023B", "0B"] {
            assert_eq!(Size(parse_size(text).unwrap()).to_string(), text);
        }
        for bad in ["", "32", "32MB", "32mib", "MiB", "-1B", "99999999999GiB"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
