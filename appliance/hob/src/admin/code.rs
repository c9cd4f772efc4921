//! The set-up code: twelve digits that whoever stands at the machine can read.
//!
//! It is made anew at each start and is never written down. It opens the set-up for as long as nobody has a password, and
//! nothing after that.

use zeroize::Zeroizing;

/// Digits of the code.
const DIGITS: usize = 12;

/// The code of this run.
pub struct SetUpCode(Zeroizing<String>);

impl SetUpCode {
    /// A random one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        // 2^64 is so much more than 10^12 that no code is noticeably likelier than another.
        let number = getrandom::u64()? % 10_u64.pow(12);
        Ok(Self(Zeroizing::new(format!("{number:012}"))))
    }

    /// The digits.
    pub fn shown(&self) -> String {
        self.0.to_string()
    }

    /// Whether this is it: digits, with whatever people put between them. Takes as long whatever was typed.
    pub fn is(&self, typed: &str) -> bool {
        let digits: Zeroizing<String> = Zeroizing::new(
            typed.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '.')).take(DIGITS + 1).collect(),
        );
        // Hashes compare in constant time.
        blake3::hash(digits.as_bytes()) == blake3::hash(self.0.as_bytes())
    }
}

/// In groups of four, for people.
pub fn grouped(code: &str) -> String {
    let mut grouped = String::new();
    for (place, digit) in code.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_twelve_digits_and_is_taken_as_people_type_it() {
        let code = SetUpCode::new().unwrap();
        let shown = code.shown();
        assert!(shown.len() == 12 && shown.bytes().all(|b| b.is_ascii_digit()), "{shown}");
        assert!(code.is(&shown) && code.is(&grouped(&shown)) && code.is(&grouped(&shown).replace(' ', "-")));
        assert!(!code.is("") && !code.is(&shown[1..]) && !code.is(&format!("{shown}0")));
    }

    #[test]
    fn two_boxes_have_different_codes() {
        assert_ne!(SetUpCode::new().unwrap().shown(), SetUpCode::new().unwrap().shown());
    }
}
