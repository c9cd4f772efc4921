//! The recovery sheet: the member key on paper, wrapped by a printed key that is cut in two and kept elsewhere; and the
//! revocation certificate, for the day when nothing else helps.
//!
//! Each line is a label, groups of four characters (base32, RFC 4648, section 6) and a group that checks the line: so a
//! mistyped line is named.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use hkdf::Hkdf;
use hob_protocol::revocation::Revocation;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Client;
use crate::client::Step;
use crate::command::CommandError;
use crate::output::Outputs;

const CONTEXT: &[u8] = b"hob/1 recovery sheet";
const VERSION: u8 = 1;
const PRINTED_KEY_BYTES: usize = 20;
const NONCE_BYTES: usize = 24;
/// Version, nonce, wrapped seed and tag.
const WRAPPED_BYTES: usize = 1 + NONCE_BYTES + 32 + 16;
/// Bytes in one line of the wrapped key.
const LINE_BYTES: usize = 20;
/// Characters in one line of the certificate.
const CERTIFICATE_LINE: usize = 60;
/// A sheet has less; more is read by nobody.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// What was typed is no recovery sheet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// A line that does not check.
    #[error("line {label} was mistyped: compare each group of four with the sheet")]
    Line {
        /// Its label.
        label: String,
    },
    /// A line that is not there.
    #[error("line {label} is missing: type lines K1 to K4, and both halves of the printed key, A and B")]
    Missing {
        /// Its label.
        label: String,
    },
    /// Longer than any sheet.
    #[error("this is no recovery sheet: it is longer than any")]
    TooLong,
    /// Wrapped in a way that this program does not know.
    #[error("this sheet has version {got}, newer than this program: update it")]
    UnknownVersion {
        /// The version.
        got: u8,
    },
    /// Every line checks, and the printed key is not this sheet's.
    #[error("the printed key does not open this sheet: are both halves, A and B, of the same sheet?")]
    WrongKey,
}

fn labels() -> impl Iterator<Item = String> {
    (1..=WRAPPED_BYTES.div_ceil(LINE_BYTES)).map(|number| format!("K{number}"))
}

fn check(label: &str, bytes: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("hob/1 recovery sheet line");
    hasher.update(label.as_bytes());
    hasher.update(bytes);
    let mut sum = BASE32_NOPAD.encode(hasher.finalize().as_bytes());
    sum.truncate(4);
    sum
}

fn line(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE32_NOPAD.encode(bytes));
    let mut line = Zeroizing::new(format!("{label:<3}"));
    for (at, character) in encoded.chars().enumerate() {
        if at % 4 == 0 {
            line.push(' ');
        }
        line.push(character);
    }
    line.push_str("  ");
    line.push_str(&check(label, bytes));
    line
}

/// The bytes of a line, if it checks. What looks alike on paper is taken for what it must be.
fn read_line(label: &str, text: &str) -> Result<Zeroizing<Vec<u8>>, SheetError> {
    let wrong = || SheetError::Line { label: label.to_owned() };
    let missing = || SheetError::Missing { label: label.to_owned() };
    let rest = text.lines().find_map(|line| {
        let (first, rest) = line.trim().split_once(char::is_whitespace)?;
        first.eq_ignore_ascii_case(label).then_some(rest)
    });
    let characters = rest.ok_or_else(missing)?.chars().filter(|c| !c.is_whitespace() && *c != '-');
    let typed: Zeroizing<String> = Zeroizing::new(
        characters
            .map(|c| match c.to_ascii_uppercase() {
                '0' => 'O',
                '1' => 'I',
                '8' => 'B',
                c => c,
            })
            .collect(),
    );
    if !typed.is_ascii() || typed.len() < 4 {
        return Err(wrong());
    }
    let (encoded, sum) = typed.split_at(typed.len() - 4);
    let bytes = Zeroizing::new(BASE32_NOPAD.decode(encoded.as_bytes()).map_err(|_| wrong())?);
    if check(label, &bytes) == sum { Ok(bytes) } else { Err(wrong()) }
}

fn cipher(printed: &[u8]) -> XChaCha20Poly1305 {
    let mut key = Zeroizing::new([0; 32]);
    // 32 bytes are far below what HKDF can give.
    let _ = Hkdf::<Sha256>::new(None, printed).expand(CONTEXT, &mut *key);
    XChaCha20Poly1305::new(&Key::from(*key))
}

/// The sheet as text, to be printed and cut.
fn write(member: &SigningKey, now_s: u64, rng: &mut dyn CryptoRng) -> Option<Zeroizing<String>> {
    let mut printed = Zeroizing::new([0; PRINTED_KEY_BYTES]);
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut *printed);
    rng.fill_bytes(&mut nonce);
    let payload = Payload { msg: member.as_bytes(), aad: CONTEXT };
    let sealed = cipher(&*printed).encrypt(&XNonce::from(nonce), payload).ok()?;
    let mut wrapped = vec![VERSION];
    wrapped.extend_from_slice(&nonce);
    wrapped.extend_from_slice(&sealed);
    let mut text = Zeroizing::new(String::from(
        "HOB RECOVERY SHEET\n\nIt gives a device the key that adds and removes your devices. Type lines K1 to K4, A and B into a\n\
         file and run `hob-chat device recover FILE` on a device of yours, or on a new one that has joined.\n\
         Keep this part at home:\n\n",
    ));
    for (label, bytes) in labels().zip(wrapped.chunks(LINE_BYTES)) {
        text.push_str(&line(&label, bytes));
        text.push('\n');
    }
    let (first, second) = printed.split_at(PRINTED_KEY_BYTES / 2);
    for (label, half) in [("A", first), ("B", second)] {
        text.push_str("\n- - - - - - - - - - cut here; whoever has all the parts has your key - - - - - - - - - -\n\n");
        text.push_str(&line(label, half));
        text.push('\n');
    }
    write_certificate(member, now_s, &mut text);
    Some(text)
}

/// The third part: nothing in it is secret.
fn write_certificate(member: &SigningKey, now_s: u64, text: &mut String) {
    text.push_str(
        "\n- - - - - - - - - - cut here; this part opens nothing, it only cuts your devices off - - - - - - - - - -\n\n\
         REVOCATION CERTIFICATE\n\nFor the day when all your devices are lost or in wrong hands. Give it to each contact, by \
         any way.\nThey type `hob-chat contact revoked` and the lines below; then nothing goes to those devices any more.\n\
         You become contacts again by new codes:\n\n",
    );
    let code = Revocation::sign(member, now_s).to_code();
    let (mut line_bytes, mut line) = (0, String::new());
    for character in code.chars() {
        line.push(character);
        line_bytes += 1;
        if line_bytes == CERTIFICATE_LINE {
            text.push_str(&std::mem::take(&mut line));
            text.push('\n');
            line_bytes = 0;
        }
    }
    text.push_str(&line);
    text.push('\n');
}

fn read(text: &str) -> Result<SigningKey, SheetError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SheetError::TooLong);
    }
    let mut wrapped = Zeroizing::new(Vec::new());
    for label in labels() {
        wrapped.extend_from_slice(&read_line(&label, text)?);
    }
    let mut printed = Zeroizing::new(Vec::new());
    for label in ["A", "B"] {
        printed.extend_from_slice(&read_line(label, text)?);
    }
    let (version, rest) = wrapped.split_first().ok_or(SheetError::WrongKey)?;
    if *version != VERSION {
        return Err(SheetError::UnknownVersion { got: *version });
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(SheetError::WrongKey)?;
    let payload = Payload { msg: sealed, aad: CONTEXT };
    let opened = cipher(&printed).decrypt(&XNonce::from(*nonce), payload).map_err(|_| SheetError::WrongKey)?;
    let seed = Zeroizing::new(<[u8; 32]>::try_from(&Zeroizing::new(opened)[..]).map_err(|_| SheetError::WrongKey)?);
    Ok(SigningKey::from_bytes(&seed))
}

impl Client {
    /// The recovery sheet's text: a fresh printed key and a fresh revocation certificate each time. Show it on a terminal, or write it for this user alone.
    ///
    /// # Errors
    /// [`CommandError::NoMemberKey`].
    pub fn recovery_sheet(&self, now_ms: u64, rng: &mut dyn CryptoRng) -> Result<Zeroizing<String>, CommandError> {
        let member = self.state.keys.member.as_ref().ok_or(CommandError::NoMemberKey)?;
        write(member, now_ms / 1000, rng).ok_or(CommandError::NoMemberKey)
    }

    /// Gives this device the member key of a recovery sheet, and makes a new list: with the devices that are known here,
    /// or, on a new profile, with this one alone. Then lost devices can be removed.
    ///
    /// # Errors
    /// [`CommandError::NotJoined`], [`CommandError::BadSheet`], [`CommandError::SheetOfAnother`].
    pub fn recover(&mut self, now_ms: u64, rng: &mut dyn CryptoRng, sheet: &str) -> Result<Outputs, CommandError> {
        if self.state.home.is_none() {
            return Err(CommandError::NotJoined);
        }
        let member = read(sheet).map_err(|why| CommandError::BadSheet { why })?;
        let is_own = member.verifying_key().to_bytes() == self.state.keys.member_key().0;
        if !is_own && !self.state.persons.is_empty() {
            return Err(CommandError::SheetOfAnother);
        }
        let mut s = Step::new(now_ms, rng);
        let before = self.state.keys.member_key();
        self.state.keys.hold(member);
        if !is_own {
            self.state.lists.retain(|list| list.member != before);
            self.run.wants_bundle = true;
        }
        self.state.removed = false;
        self.state.pairing = None;
        let (devices, revoked) = self.listed().ok_or(CommandError::NoMemberKey)?;
        self.publish_list(devices, revoked, &mut s)?;
        Ok(self.settle(s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn sheet() -> (SigningKey, Zeroizing<String>) {
        let key = SigningKey::from_bytes(&[5; 32]);
        let text = write(&key, 1_790_000_000, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
        (key, text)
    }

    #[test]
    fn a_sheet_gives_the_member_key_back_however_it_is_typed() {
        let (key, text) = sheet();
        assert_eq!(read(&text).unwrap().to_bytes(), key.to_bytes());
        let typed = text.to_lowercase().replace('o', "0").replace("  ", " ");
        assert_eq!(read(&typed).unwrap().to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_mistyped_or_missing_line_is_named() {
        let (_, text) = sheet();
        for label in ["K1", "K2", "K3", "K4", "A", "B"] {
            let mistype = |line: &str| {
                let (head, groups) = line.split_at(4);
                let turned: String = groups.chars().map(|c| if c == 'A' { 'Z' } else { 'A' }).collect();
                format!("{head}{}{}", &turned[..10], &groups[10..])
            };
            let start = format!("{label} ");
            let wrong: Vec<String> =
                text.lines().map(|l| if l.starts_with(&start) { mistype(l) } else { l.to_owned() }).collect();
            let named = label.to_owned();
            assert_eq!(read(&wrong.join("\n")).unwrap_err(), SheetError::Line { label: named });
            let without: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{label} "))).collect();
            let label = label.to_owned();
            assert_eq!(read(&without.join("\n")).unwrap_err(), SheetError::Missing { label });
        }
    }

    #[test]
    fn the_sheet_has_a_certificate_that_says_which_member_and_opens_nothing() {
        let (key, text) = sheet();
        let (before, after) = text.split_once("hob://revoked/").unwrap();
        let certificate = Revocation::parse(&format!("hob://revoked/{after}")).unwrap();
        assert_eq!(certificate, Revocation::sign(&key, 1_790_000_000));
        assert!(after.lines().all(|line| line.len() <= CERTIFICATE_LINE), "it fits on paper");
        assert_eq!(read(before).unwrap().to_bytes(), key.to_bytes(), "and the key is whole without it");
        assert!(read(after).is_err());
    }

    #[test]
    fn half_of_another_sheets_printed_key_opens_nothing() {
        let (key, text) = sheet();
        let other = write(&key, 1_790_000_000, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
        let b = other.lines().find(|line| line.starts_with("B ")).unwrap();
        let mixed: Vec<&str> = text.lines().map(|line| if line.starts_with("B ") { b } else { line }).collect();
        assert_eq!(read(&mixed.join("\n")).unwrap_err(), SheetError::WrongKey);
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_makes_reading_a_sheet_panic(text in "(K[1-4]|A|B|x| |\n|[A-Z2-7]{4}|\\PC){0,60}") {
            prop_assert!(read(&text).is_err());
        }
    }
}
