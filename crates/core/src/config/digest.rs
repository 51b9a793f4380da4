//! The digest of a filter configuration, by which its polls name it.
//!
//! SHA-256 over the canonical JSON (RFC 8785) of the document as it was read: before any default is filled in,
//! and without the values of the environment variables that it names. The order of members, white space, how a
//! number or a string is written, and whether Envoy handed over a `StringValue` or a `Struct`, change nothing.
//! It is defined here once, for everything that names a configuration.

use sha2::{Digest as _, Sha256};

use super::document;
use crate::hex;

/// The digest of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigDigest([u8; 32]);

impl ConfigDigest {
    /// The digest of a configuration in either form in which Envoy hands it over; `None` if it is not JSON.
    /// Whether it is a valid configuration makes no difference.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<ConfigDigest> {
        let json = document::read(text).ok()?;
        let canonical = serde_json_canonicalizer::to_vec(&json).ok()?;
        Some(ConfigDigest(Sha256::digest(canonical).into()))
    }

    /// The digest itself.
    pub(crate) fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// 64 lower-case hex digits.
    #[must_use]
    pub fn text(self) -> String {
        hex::lower(&self.0)
    }
}
