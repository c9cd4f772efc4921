//! What a refusal looks like on the wire: the one place where codes become HTTP statuses and WebSocket closings.

use hob_protocol::code::Code;

/// The code with which a WebSocket is closed after a refusal (RFC 6455, section 7.4.2 leaves 4000 to 4999 to us).
pub fn close_code(code: Code) -> u16 {
    // Refusals have small numbers; the sum stays within the range.
    4000 + u16::try_from(code.number()).unwrap_or(999).min(999)
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
}
