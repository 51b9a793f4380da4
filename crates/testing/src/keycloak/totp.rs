//! One-time codes (RFC 6238).

use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;

/// The secret of alice's phone.
pub const ALICE: &str = "DEADBEEFDEADBEEFDEAD";

/// The code of this moment: of six digits, by HMAC-SHA-1, for thirty seconds.
#[must_use]
pub fn totp(secret: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the clock that Keycloak reads too")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, &(now / 30).to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let bytes: [u8; 4] = tag[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
}
