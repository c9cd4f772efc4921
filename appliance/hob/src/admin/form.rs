//! Fields as they were typed: `application/x-www-form-urlencoded` (URL Standard, section 5.1), bounded before anything is
//! made of it.

/// Fields of one form or query.
const FIELDS_MAX: usize = 64;

/// What was typed. Text only: other bytes are refused.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, String)>);

/// What came is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no form: text in UTF-8, at most 64 fields")]
pub struct NotAForm;

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Passwords are among them.
        let Self(fields) = self;
        write!(f, "Fields({})", fields.len())
    }
}

impl Fields {
    /// Reads a form's body or a query.
    ///
    /// # Errors
    /// Bytes that are no text, or too many fields.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAForm> {
        let mut fields = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return Err(NotAForm);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            fields.push((name, decoded(halves.next().unwrap_or_default())?));
        }
        Ok(Self(fields))
    }

    /// A field; empty if it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// A field without the blanks around it.
    pub fn trimmed(&self, name: &str) -> String {
        self.get(name).trim().to_owned()
    }

    /// Whether a box is checked.
    pub fn is_checked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }
}

fn decoded(bytes: &[u8]) -> Result<String, NotAForm> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => match hex_pair(after) {
                Some(byte) => {
                    decoded.push(byte);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => decoded.push(b'%'),
            },
            other => decoded.push(*other),
        }
    }
    String::from_utf8(decoded).map_err(|_| NotAForm)
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    u8::try_from(digit(bytes.first())? * 16 + digit(bytes.get(1))?).ok()
}

/// A text as it stands in a path or a query.
pub fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => {
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_what_was_typed() {
        let fields = Fields::read("a=b+c%26%3D&empty=&bare&%C3%BC=%E2%80%AEx&odd=100%".as_bytes()).unwrap();
        assert_eq!((fields.get("a"), fields.get("empty"), fields.get("bare")), ("b c&=", "", ""));
        assert_eq!((fields.get("ü"), fields.get("odd"), fields.get("none")), ("\u{202e}x", "100%", ""));
    }

    #[test]
    fn bytes_that_are_no_text_and_forms_without_end_are_refused() {
        assert!(Fields::read(b"a=%FF%FE").is_err());
        assert!(Fields::read(b"a=\xff").is_err());
        assert!(Fields::read("a=b&".repeat(65).as_bytes()).is_err());
        assert!(Fields::read("a=b&".repeat(64).as_bytes()).is_ok());
    }

    #[test]
    fn whatever_is_escaped_reads_back() {
        for text in ["/members?q=ä&b", "a+b %", "\u{202e}"] {
            let fields = Fields::read(format!("x={}", escaped(text)).as_bytes()).unwrap();
            assert_eq!(fields.get("x"), text);
        }
    }
}
