//! The recovery key of a box's backup, as its keeper writes it down: `hob://recovery/…`.

use crate::ids::{RecoveryKey, WrongLength};
use crate::printed::{self, PrintedError};

const WHAT: &str = "recovery key";
const SCHEME: &str = "hob://recovery/";

impl RecoveryKey {
    /// `hob://recovery/…`: shown to its keeper only.
    pub fn to_text(&self) -> String {
        printed::print(SCHEME, self.expose())
    }

    /// Reads what was written down; white space around it is ignored.
    ///
    /// # Errors
    /// [`PrintedError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, PrintedError> {
        let body = zeroize::Zeroizing::new(printed::parse(WHAT, SCHEME, text)?);
        Self::try_from(&body[..])
            .map_err(|error: WrongLength| PrintedError::Field { what: WHAT, why: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_key_reads_back_as_it_was_printed_and_no_character_may_change() {
        let key = RecoveryKey([0xa5; 32]);
        let text = key.to_text();
        assert_eq!(RecoveryKey::parse(&format!(" {text}\n")), Ok(key));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(RecoveryKey::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {at}");
            assert!(RecoveryKey::parse(&text[..at]).is_err(), "cut at {at}");
        }
    }
}
