//! The keys of a provider, by `kid`.

use breakglass_core::token::{KeySet, PublicKey};
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;

use crate::cached::Cached;
use crate::error::ProviderError;
use crate::limits::MAX_KEY_SET_BYTES;
use crate::shown::shown;

/// Why there is no key to verify a token with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The issuer publishes none with this `kid`.
    #[error("the issuer publishes no key `{0}` of a kind that is known here")]
    Unknown(String),
    /// The keys cannot be fetched, and none are kept.
    #[error("the issuer's keys are not known: {0}")]
    Unavailable(ProviderError),
}

/// Where keys are found.
pub trait KeySource {
    /// The key with this `kid`.
    ///
    /// # Errors
    /// [`KeyError`].
    fn key(&self, kid: &str) -> Result<PublicKey, KeyError>;
}

impl KeySource for KeySet {
    fn key(&self, kid: &str) -> Result<PublicKey, KeyError> {
        self.find(kid).cloned().ok_or_else(|| KeyError::Unknown(shown(kid)))
    }
}

/// The keys of one issuer, as they were fetched last. An unknown `kid` has them fetched again, at most once in ten seconds;
/// a set that cannot be fetched or read leaves the one before in use, for a day.
#[derive(Debug)]
pub struct Keys(Cached<KeySet>);

impl Default for Keys {
    fn default() -> Keys {
        Keys::new()
    }
}

impl Keys {
    /// None yet.
    #[must_use]
    pub fn new() -> Keys {
        Keys(Cached::new())
    }

    /// The key with this `kid`; `fetch` gets the body of the key set.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn find(
        &self,
        kid: &str,
        now: Instant,
        fetch: impl FnOnce() -> Result<Vec<u8>, ProviderError>,
    ) -> Result<PublicKey, KeyError> {
        let has = |keys: &KeySet| keys.find(kid).is_some();
        let keys = self.0.get(now, has, || read(&fetch()?)).map_err(KeyError::Unavailable)?;
        keys.key(kid)
    }
}

/// Reads a key set (RFC 7517 section 5). Keys that cannot be used are skipped: for encryption, of another curve (P-521,
/// Ed448, X25519), of an algorithm that is not known here (ES512, PS384, RS512, ..), without `kid`.
pub(crate) fn read(body: &[u8]) -> Result<KeySet, ProviderError> {
    if body.len() > MAX_KEY_SET_BYTES {
        let why =
            format!("key set: expected at most {MAX_KEY_SET_BYTES} bytes, got {}", body.len());
        return Err(ProviderError::Wrong(why));
    }
    let wrong = |error: &dyn std::fmt::Display| ProviderError::Wrong(format!("key set: {error}"));
    let json = Json::parse(body).map_err(|error| wrong(&error))?;
    KeySet::read_remote(&json).map_err(|error| wrong(&error))
}
