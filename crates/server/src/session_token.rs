//! The texts that clients of a session present: authorization codes, device codes, access tokens and refresh tokens. Each has 256 random
//! bits, a prefix by which scanners for leaked secrets know it, and is kept as its SHA-256 alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::config::Digest;
use crate::random::Randomness;

/// Before an authorization code.
pub const CODE_PREFIX: &str = "breakglass_ac_";
/// Before a device code.
pub const DEVICE_CODE_PREFIX: &str = "breakglass_dc_";
/// Before an access token.
pub const ACCESS_PREFIX: &str = "breakglass_at_";
/// Before a refresh token.
pub const REFRESH_PREFIX: &str = "breakglass_rt_";

/// How long the handle of a refresh token is, in bytes.
const HANDLE_BYTES: usize = 16;
/// How long its secret is.
const SECRET_BYTES: usize = 32;

/// A refresh token: a handle that all refresh tokens of a session have, and a secret of its own. By the handle a token that
/// was used long ago is known to be of the session, without a row for each. Only clients that had a token know it.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken {
    handle: [u8; HANDLE_BYTES],
    secret: [u8; SECRET_BYTES],
}

impl RefreshToken {
    /// The first of a new session.
    #[must_use]
    pub fn first(randomness: &Randomness) -> RefreshToken {
        RefreshToken { handle: randomness.bytes(), secret: randomness.bytes() }
    }

    /// Another one of the same session.
    #[must_use]
    pub fn next(&self, randomness: &Randomness) -> RefreshToken {
        RefreshToken { handle: self.handle, secret: randomness.bytes() }
    }

    /// Reads what a client sent; nothing where it is no refresh token.
    #[must_use]
    pub fn parse(text: &str) -> Option<RefreshToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(REFRESH_PREFIX)?).ok()?;
        let (handle, secret) = bytes.split_at_checked(HANDLE_BYTES)?;
        Some(RefreshToken { handle: handle.try_into().ok()?, secret: secret.try_into().ok()? })
    }

    /// As a client gets it.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = [self.handle.as_slice(), self.secret.as_slice()].concat();
        format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The SHA-256 of the handle.
    #[must_use]
    pub fn handle_sha256(&self) -> Digest {
        Sha256::digest(self.handle).into()
    }

    /// The SHA-256 of the whole.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        sha256(&self.text())
    }
}

/// A new access token.
#[must_use]
pub fn access_token(randomness: &Randomness) -> String {
    format!("{ACCESS_PREFIX}{}", URL_SAFE_NO_PAD.encode(randomness.bytes::<32>()))
}

/// A new authorization code.
#[must_use]
pub fn code(randomness: &Randomness) -> String {
    format!("{CODE_PREFIX}{}", URL_SAFE_NO_PAD.encode(randomness.bytes::<32>()))
}

/// A new device code.
#[must_use]
pub fn device_code(randomness: &Randomness) -> String {
    format!("{DEVICE_CODE_PREFIX}{}", URL_SAFE_NO_PAD.encode(randomness.bytes::<32>()))
}

/// What is kept of a code or a token.
#[must_use]
pub fn sha256(text: &str) -> Digest {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_is_read_as_it_was_written() {
        let randomness = Randomness::from_seed(1);
        let first = RefreshToken::first(&randomness);
        let next = first.next(&randomness);
        assert!(RefreshToken::parse(&first.text()).is_some_and(|read| read == first));
        assert_eq!(first.handle_sha256(), next.handle_sha256());
        assert_ne!(first.sha256(), next.sha256());
        let text = first.text();
        let short: String = text.chars().take(40).collect();
        for wrong in ["", "breakglass_rt_", "rt_A", &short, &format!("{text}AA")] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
