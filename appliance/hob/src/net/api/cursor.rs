//! Where a page begins: opaque to the client, good for one mailbox, for an hour, and until the box restarts.
//!
//! A cursor says only what is not listed again. What is kept is decided by acknowledging, by id.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hob_protocol::ids::DeviceKey;

use crate::net::api::sessions::Sessions;

/// How long a cursor is good.
pub const CURSOR_FOR: Duration = Duration::from_secs(3600);

/// Bytes before the MAC: window, sequence, and when it was made.
const PLAIN_BYTES: usize = 4 + 4 + 8;

/// Makes a cursor behind an envelope.
pub fn write(sessions: &Sessions, now: Duration, device: &DeviceKey, (window, sequence): (u32, u32)) -> String {
    let mut bytes = Vec::with_capacity(PLAIN_BYTES + 16);
    bytes.extend_from_slice(&window.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&now.as_secs().to_le_bytes());
    let mac = sessions.cursor_mac(&[device.as_bytes(), &bytes]);
    bytes.extend_from_slice(&mac);
    BASE64URL_NOPAD.encode(&bytes)
}

/// Reads one back; `None`: forged, of another device, of another start, or too old.
pub fn read(sessions: &Sessions, now: Duration, device: &DeviceKey, cursor: &str) -> Option<(u32, u32)> {
    if cursor.len() > 64 {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let (plain, mac) = bytes.split_last_chunk::<16>()?;
    let plain = <[u8; PLAIN_BYTES]>::try_from(plain).ok()?;
    let want = sessions.cursor_mac(&[device.as_bytes(), &plain]);
    let same = blake3::Hash::from_bytes(wide(&want)) == blake3::Hash::from_bytes(wide(mac));
    let made_at = u64::from_le_bytes(*plain.last_chunk()?);
    let is_recent = now.as_secs().saturating_sub(made_at) < CURSOR_FOR.as_secs();
    let number = |at: usize| plain.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
    (same && is_recent).then_some((number(0)?, number(4)?))
}

/// As long as what can be compared in constant time.
fn wide(mac: &[u8; 16]) -> [u8; 32] {
    let mut wide = [0; 32];
    wide[..16].copy_from_slice(mac);
    wide
}

#[cfg(test)]
mod tests {
    use hob_protocol::ids::BoxIdentity;

    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(&BoxIdentity([1; 32]), Duration::ZERO, 0).unwrap()
    }

    const ADA: DeviceKey = DeviceKey([1; 32]);
    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn a_cursor_is_good_for_its_own_device_for_an_hour_and_this_start() {
        let sessions = sessions();
        let cursor = write(&sessions, NOW, &ADA, (7, 9));
        assert_eq!(read(&sessions, NOW, &ADA, &cursor), Some((7, 9)));
        assert_eq!(read(&sessions, NOW, &DeviceKey([2; 32]), &cursor), None);
        assert_eq!(read(&sessions, NOW + CURSOR_FOR, &ADA, &cursor), None);
        assert_eq!(read(&self::sessions(), NOW, &ADA, &cursor), None);
    }

    #[test]
    fn a_changed_or_cut_cursor_is_none() {
        let sessions = sessions();
        let cursor = write(&sessions, NOW, &ADA, (7, 9));
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(read(&sessions, NOW, &ADA, &BASE64URL_NOPAD.encode(&bad)), None, "byte {at}");
            assert_eq!(read(&sessions, NOW, &ADA, &BASE64URL_NOPAD.encode(&bytes[..at])), None, "cut at {at}");
        }
        assert_eq!(read(&sessions, NOW, &ADA, &"A".repeat(1 << 20)), None);
    }
}
