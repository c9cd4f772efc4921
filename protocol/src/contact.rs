//! The contact code: what one device shows another so that it can write to it.

use prost::Message;

use crate::address::{self, Address};
use crate::ids::{BoxIdentity, DeliveryToken, DeviceKey, MemberKey, WrongLength};
use crate::limits::CONTACT_CODE_BYTES_MAX;
use crate::printed::{self, PrintedError};
use crate::wire;

const WHAT: &str = "contact code";
const SCHEME: &str = "hob://contact/";

/// A contact code; at most 256 bytes before base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCode {
    /// The member whose device shows it.
    pub member_key: MemberKey,
    /// The device that shows it.
    pub device_key: DeviceKey,
    /// The token that takes the first messages.
    pub introduction_token: DeliveryToken,
    /// The device's box.
    pub box_identity: BoxIdentity,
    /// Where that box can be reached; one to three.
    pub addresses: Vec<Address>,
}

impl ContactCode {
    /// `hob://contact/…`
    ///
    /// # Errors
    /// [`PrintedError::Field`] if the addresses are too long to fit: use shorter or fewer ones.
    pub fn to_code(&self) -> Result<String, PrintedError> {
        let code = wire::ContactCode {
            member_key: self.member_key.0.to_vec().into(),
            device_key: self.device_key.0.to_vec().into(),
            introduction_token: self.introduction_token.expose().to_vec().into(),
            box_identity: self.box_identity.0.to_vec().into(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
        };
        let body = code.encode_to_vec();
        let got_bytes = printed::pack(&body).len();
        if got_bytes > CONTACT_CODE_BYTES_MAX {
            let why = format!("its addresses make it {got_bytes} bytes long, more than {CONTACT_CODE_BYTES_MAX}");
            return Err(PrintedError::Field { what: WHAT, why });
        }
        Ok(printed::print(SCHEME, &body))
    }

    /// Reads a code; white space around it is ignored.
    ///
    /// # Errors
    /// [`PrintedError`] says what is wrong and where.
    pub fn parse(code: &str) -> Result<Self, PrintedError> {
        let body = printed::parse(WHAT, SCHEME, code)?;
        let field = |why: String| PrintedError::Field { what: WHAT, why };
        let length = |error: WrongLength| field(error.to_string());
        let code = wire::ContactCode::decode(&body[..]).map_err(|error| field(error.to_string()))?;
        let addresses = address::parse_list(&code.addresses).map_err(|error| field(error.to_string()))?;
        if addresses.is_empty() {
            return Err(field("it names no address".to_owned()));
        }
        Ok(Self {
            member_key: code.member_key[..].try_into().map_err(length)?,
            device_key: code.device_key[..].try_into().map_err(length)?,
            introduction_token: code.introduction_token[..].try_into().map_err(length)?,
            box_identity: code.box_identity[..].try_into().map_err(length)?,
            addresses,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> ContactCode {
        ContactCode {
            member_key: MemberKey([1; 32]),
            device_key: DeviceKey([2; 32]),
            introduction_token: DeliveryToken([3; 32]),
            box_identity: BoxIdentity([4; 32]),
            addresses: vec![Address::parse("192.168.178.20:8443").unwrap()],
        }
    }

    #[test]
    fn a_contact_code_reads_back_as_it_was_printed() {
        assert_eq!(ContactCode::parse(&code().to_code().unwrap()), Ok(code()));
    }

    #[test]
    fn a_code_that_would_not_fit_its_qr_code_is_not_printed() {
        let long =
            ContactCode { addresses: vec![Address::parse(&format!("{}:1", "a".repeat(120))).unwrap(); 3], ..code() };
        assert!(long.to_code().unwrap_err().to_string().contains("more than 256"));
    }

    #[test]
    fn an_invitation_is_not_taken_for_a_contact_code() {
        let error = ContactCode::parse("hob://join/AAAA").unwrap_err();
        assert_eq!(error.to_string(), "this is no contact code: it should start with hob://contact/");
    }
}
