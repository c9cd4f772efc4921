//! The one-time ticket that admits a member's device.

use prost::Message;

use crate::address::{self, Address};
use crate::ids::{BoxIdentity, InvitationId, InvitationSecret};
use crate::printed::{self, PrintedError};
use crate::wire;

const WHAT: &str = "invitation";
const SCHEME: &str = "hob://join/";

/// An invitation as its QR code or link shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What the box knows it by.
    pub id: InvitationId,
    /// What proves that it was shown; never sent.
    pub secret: InvitationSecret,
    /// The box that made it: to be pinned.
    pub box_identity: BoxIdentity,
    /// Where the box can be reached; one to three.
    pub addresses: Vec<Address>,
    /// Unix time in seconds; 0: the box had no clock when it made it, and decides by itself.
    pub expires_at_s: u64,
}

impl Invitation {
    /// `hob://join/…`
    pub fn to_link(&self) -> String {
        let code = wire::InvitationCode {
            id: self.id.0.to_vec().into(),
            secret: self.secret.expose().to_vec().into(),
            box_identity: self.box_identity.0.to_vec().into(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            expires_at_s: self.expires_at_s,
        };
        printed::print(SCHEME, &code.encode_to_vec())
    }

    /// Reads a link; white space around it is ignored.
    ///
    /// # Errors
    /// [`PrintedError`] says what is wrong and where.
    pub fn parse(link: &str) -> Result<Self, PrintedError> {
        let body = printed::parse(WHAT, SCHEME, link)?;
        let field = |why: String| PrintedError::Field { what: WHAT, why };
        let code = wire::InvitationCode::decode(&body[..]).map_err(|error| field(error.to_string()))?;
        let addresses = address::parse_list(&code.addresses).map_err(|error| field(error.to_string()))?;
        if addresses.is_empty() {
            return Err(field("it names no address".to_owned()));
        }
        Ok(Self {
            id: code.id[..].try_into().map_err(|error: crate::ids::WrongLength| field(error.to_string()))?,
            secret: code.secret[..].try_into().map_err(|error: crate::ids::WrongLength| field(error.to_string()))?,
            box_identity: code.box_identity[..]
                .try_into()
                .map_err(|error: crate::ids::WrongLength| field(error.to_string()))?,
            addresses,
            expires_at_s: code.expires_at_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation {
        Invitation {
            id: InvitationId([1; 16]),
            secret: InvitationSecret([2; 16]),
            box_identity: BoxIdentity([3; 32]),
            addresses: vec![Address::parse("[2001:db8::1]:8443").unwrap(), Address::parse("hob.local:8443").unwrap()],
            expires_at_s: 1_790_000_000,
        }
    }

    #[test]
    fn an_invitation_reads_back_as_it_was_printed() {
        assert_eq!(Invitation::parse(&format!(" {}\n", invitation().to_link())), Ok(invitation()));
    }

    #[test]
    fn one_changed_character_is_noticed_wherever_it_is() {
        let link = invitation().to_link();
        for at in SCHEME.len()..link.len() {
            let mut changed = link.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(Invitation::parse(std::str::from_utf8(&changed).unwrap()).is_err(), "character {at}");
        }
    }

    #[test]
    fn a_link_that_is_cut_anywhere_is_refused() {
        let link = invitation().to_link();
        for end in 0..link.len() {
            assert!(Invitation::parse(&link[..end]).is_err(), "cut at {end}");
        }
    }
}
