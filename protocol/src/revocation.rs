//! The revocation certificate: a member's word, signed in good days and kept on paper, that all devices known so far are
//! not theirs any more.
//!
//! Everybody may see it: it opens nothing. Whoever is given one cuts that member's devices off.

use ed25519_dalek::SigningKey;
use prost::Message;

use crate::ids::{MemberKey, WrongLength};
use crate::printed::{self, PrintedError};
use crate::transcript::Transcript;
use crate::wire;

const WHAT: &str = "revocation certificate";
const SCHEME: &str = "hob://revoked/";

/// A revocation certificate whose signature holds: there is no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    member_key: MemberKey,
    made_at_s: u64,
    signature: [u8; 64],
}

fn transcript(member_key: &MemberKey, made_at_s: u64) -> Transcript {
    Transcript::new("hob/1 revocation").fixed(member_key.as_bytes()).number(made_at_s)
}

impl Revocation {
    /// Signs one, to be printed and kept. `made_at_s`: Unix time in seconds.
    pub fn sign(member: &SigningKey, made_at_s: u64) -> Self {
        let member_key = MemberKey(member.verifying_key().to_bytes());
        let signature = transcript(&member_key, made_at_s).sign(member);
        Self { member_key, made_at_s, signature }
    }

    /// Whose devices.
    pub const fn member_key(&self) -> MemberKey {
        self.member_key
    }

    /// When it was signed, by its member's clock; Unix time in seconds. It may be used years later.
    pub const fn made_at_s(&self) -> u64 {
        self.made_at_s
    }

    /// `hob://revoked/…`
    pub fn to_code(&self) -> String {
        let code = wire::RevocationCode {
            member_key: self.member_key.0.to_vec().into(),
            made_at_s: self.made_at_s,
            signature: self.signature.to_vec().into(),
        };
        printed::print(SCHEME, &code.encode_to_vec())
    }

    /// Reads a certificate and checks its signature. White space in it is ignored: on paper it has several lines.
    ///
    /// # Errors
    /// [`PrintedError`] says what is wrong and where.
    pub fn parse(code: &str) -> Result<Self, PrintedError> {
        let code: String = code.split_whitespace().collect();
        let body = printed::parse(WHAT, SCHEME, &code)?;
        let field = |why: String| PrintedError::Field { what: WHAT, why };
        let length = |error: WrongLength| field(error.to_string());
        let code = wire::RevocationCode::decode(&body[..]).map_err(|error| field(error.to_string()))?;
        let member_key: MemberKey = code.member_key[..].try_into().map_err(length)?;
        let unsigned = || field("its member did not sign it".to_owned());
        let signature: [u8; 64] = code.signature[..].try_into().map_err(|_| unsigned())?;
        if !transcript(&member_key, code.made_at_s).is_signed_by(member_key.as_bytes(), &signature) {
            return Err(unsigned());
        }
        Ok(Self { member_key, made_at_s: code.made_at_s, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Revocation {
        Revocation::sign(&SigningKey::from_bytes(&[7; 32]), 1_790_000_000)
    }

    #[test]
    fn a_certificate_reads_back_as_it_was_printed_in_one_line_or_in_many() {
        let text = certificate().to_code();
        assert_eq!(Revocation::parse(&text), Ok(certificate()));
        let (first, second) = text.split_at(70);
        assert_eq!(Revocation::parse(&format!("  {first}\n  {second}\n")), Ok(certificate()));
    }

    #[test]
    fn one_changed_or_missing_character_is_noticed_wherever_it_is() {
        let text = certificate().to_code();
        for at in SCHEME.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(Revocation::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {at}");
            assert!(Revocation::parse(&text[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_certificate_that_another_key_signed_is_none() {
        let forged = |certificate: Revocation| Revocation::parse(&certificate.to_code()).unwrap_err().to_string();
        let of_another = Revocation { member_key: MemberKey([9; 32]), ..certificate() };
        let expected = "this revocation certificate is not whole: its member did not sign it";
        assert_eq!(forged(of_another), expected);
        assert_eq!(forged(Revocation { made_at_s: 5, ..certificate() }), expected);
        let other = Revocation::sign(&SigningKey::from_bytes(&[8; 32]), 1_790_000_000).signature;
        assert_eq!(forged(Revocation { signature: other, ..certificate() }), expected);
    }

    #[test]
    fn a_contact_code_is_not_taken_for_a_certificate() {
        let error = Revocation::parse("hob://contact/AAAA").unwrap_err();
        assert_eq!(error.to_string(), "this is no revocation certificate: it should start with hob://revoked/");
    }
}
