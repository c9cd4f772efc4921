//! How a command ends when it cannot do its work: one line for the person, and the exit code.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use crate::config::ConfigError;

/// A command could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// 2: what was typed or set is not possible. 1: everything else.
    code: u8,
    /// What was being done, why it failed, and the next step.
    text: String,
}

impl Failure {
    /// The work failed. The causes are told after the text, each once.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self { code: 1, text: chain(error) }
    }

    /// The work failed, in words.
    pub fn because(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// What was typed is not possible.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into() }
    }

    /// Tells the person on stderr and gives the exit code.
    pub fn tell(&self) -> ExitCode {
        // Nobody may be reading; the exit code says it all the same.
        let _ = writeln!(std::io::stderr().lock(), "hob: {}", self.text);
        ExitCode::from(self.code)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { code: 2, text: chain(&error) }
    }
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
