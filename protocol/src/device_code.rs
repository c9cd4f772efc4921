//! The device code: what one device of a member shows another, so that it becomes one of the same member.
//!
//! It holds a ticket, by which the box admits the new device, and an introduction token, by which the new device reaches
//! the one that shows the code.

use prost::Message;

use crate::address::{self, Address};
use crate::ids::{BoxIdentity, DeliveryToken, DeviceKey, InvitationId, InvitationSecret, MemberKey, WrongLength};
use crate::invitation::Invitation;
use crate::printed::{self, PrintedError};
use crate::wire;

const WHAT: &str = "device code";
const SCHEME: &str = "hob://device/";

/// A device code. Whoever sees it first can use it: it is good once, and for an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The member that the new device is to be one of.
    pub member_key: MemberKey,
    /// The device that shows it, which holds the member key.
    pub device_key: DeviceKey,
    /// The token that takes the new device's first messages.
    pub introduction_token: DeliveryToken,
    /// The member's box.
    pub box_identity: BoxIdentity,
    /// Where that box can be reached; one to three.
    pub addresses: Vec<Address>,
    /// By which the box knows the ticket.
    pub ticket: InvitationId,
    /// What proves that it was shown; never sent.
    pub ticket_secret: InvitationSecret,
    /// Unix time in seconds; 0: the box had no clock when it made the ticket, and decides by itself.
    pub expires_at_s: u64,
}

impl DeviceCode {
    /// Whether some text is meant as a device code, be it good or not.
    pub fn is_meant(text: &str) -> bool {
        text.trim().starts_with(SCHEME)
    }

    /// What the box is shown: a ticket is redeemed like an invitation.
    pub fn invitation(&self) -> Invitation {
        Invitation {
            id: self.ticket,
            secret: self.ticket_secret.clone(),
            box_identity: self.box_identity,
            addresses: self.addresses.clone(),
            expires_at_s: self.expires_at_s,
        }
    }

    /// `hob://device/…`
    pub fn to_code(&self) -> String {
        let code = wire::DeviceCode {
            member_key: self.member_key.0.to_vec().into(),
            device_key: self.device_key.0.to_vec().into(),
            introduction_token: self.introduction_token.expose().to_vec().into(),
            box_identity: self.box_identity.0.to_vec().into(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            ticket: self.ticket.0.to_vec().into(),
            ticket_secret: self.ticket_secret.expose().to_vec().into(),
            expires_at_s: self.expires_at_s,
        };
        printed::print(SCHEME, &code.encode_to_vec())
    }

    /// Reads a code; white space around it is ignored.
    ///
    /// # Errors
    /// [`PrintedError`] says what is wrong and where.
    pub fn parse(code: &str) -> Result<Self, PrintedError> {
        let body = printed::parse(WHAT, SCHEME, code)?;
        let field = |why: String| PrintedError::Field { what: WHAT, why };
        let length = |error: WrongLength| field(error.to_string());
        let code = wire::DeviceCode::decode(&body[..]).map_err(|error| field(error.to_string()))?;
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
            ticket: code.ticket[..].try_into().map_err(length)?,
            ticket_secret: code.ticket_secret[..].try_into().map_err(length)?,
            expires_at_s: code.expires_at_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> DeviceCode {
        DeviceCode {
            member_key: MemberKey([1; 32]),
            device_key: DeviceKey([2; 32]),
            introduction_token: DeliveryToken([3; 32]),
            box_identity: BoxIdentity([4; 32]),
            addresses: vec![Address::parse("192.168.178.20:8443").unwrap()],
            ticket: InvitationId([5; 16]),
            ticket_secret: InvitationSecret([6; 16]),
            expires_at_s: 1_790_000_000,
        }
    }

    #[test]
    fn a_device_code_reads_back_as_it_was_printed() {
        assert_eq!(DeviceCode::parse(&format!(" {}\n", code().to_code())), Ok(code()));
        assert!(DeviceCode::is_meant(&code().to_code()));
    }

    #[test]
    fn neither_an_invitation_nor_a_contact_code_is_taken_for_a_device_code() {
        for other in ["hob://join/AAAA", "hob://contact/AAAA"] {
            let error = DeviceCode::parse(other).unwrap_err();
            assert_eq!(error.to_string(), "this is no device code: it should start with hob://device/");
        }
        assert!(Invitation::parse(&code().to_code()).is_err());
    }

    #[test]
    fn one_changed_or_missing_character_is_noticed_wherever_it_is() {
        let text = code().to_code();
        for at in SCHEME.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(DeviceCode::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {at}");
            assert!(DeviceCode::parse(&text[..at]).is_err(), "cut at {at}");
        }
    }
}
