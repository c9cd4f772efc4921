//! What a refusal looks like on the wire: the one place where codes become HTTP statuses and WebSocket closings.

use axum::http::StatusCode;
use hob_protocol::code::Code;

/// The code with which a WebSocket is closed after a refusal (RFC 6455, section 7.4.2 leaves 4000 to 4999 to us).
pub fn close_code(code: Code) -> u16 {
    // Refusals have small numbers; the sum stays within the range.
    4000 + u16::try_from(code.number()).unwrap_or(999).min(999)
}

/// The HTTP status of a refusal (RFC 9110, section 15): 429 where the caller does too much, 503 where the box cannot.
pub const fn status(code: Code) -> StatusCode {
    match code {
        Code::NotProved | Code::NoSession => StatusCode::UNAUTHORIZED,
        Code::BadProof
        | Code::NotAMember
        | Code::ExporterMissing
        | Code::ForeignOrigin
        | Code::NoSuchInvitation
        | Code::NoSuchToken
        | Code::Revoked
        | Code::Suspended => StatusCode::FORBIDDEN,
        Code::UnknownFrame | Code::NoBundle => StatusCode::NOT_FOUND,
        Code::InvitationExpired => StatusCode::GONE,
        Code::TooManyTokens | Code::TooManyDevices | Code::Superseded => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MailboxFull | Code::TooFast | Code::TooManyTickets => StatusCode::TOO_MANY_REQUESTS,
        Code::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::CannotStore | Code::Restarting | Code::BoxFull => StatusCode::SERVICE_UNAVAILABLE,
        // A code that is added gets this until somebody thinks of a better one.
        _ => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_closes_within_the_private_range_and_with_a_number_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let number = close_code(*code);
            assert!((4000..5000).contains(&number) && seen.insert(number), "{}", code.name());
        }
    }

    #[test]
    fn every_code_is_an_error_in_http_too() {
        for code in Code::ALL {
            assert!(status(*code).is_client_error() || status(*code).is_server_error(), "{}", code.name());
        }
    }
}
