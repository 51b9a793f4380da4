//! Randomness as an argument: one generator that the service owns, and tests seed.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::{StdRng, SysError, SysRng};
use rand::{Rng, SeedableRng};
use ulid::Ulid;

use crate::clock::Moment;

/// Before the random part of an API token, so that scanners for leaked secrets know it.
pub const API_TOKEN_PREFIX: &str = "breakglass_";

/// The service's random numbers.
#[derive(Debug)]
pub struct Randomness(Mutex<StdRng>);

impl Randomness {
    /// Seeded by the operating system.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn from_system() -> Result<Randomness, SysError> {
        Ok(Randomness(Mutex::new(StdRng::try_from_rng(&mut SysRng)?)))
    }

    /// The same numbers for the same seed: for tests.
    #[must_use]
    pub fn from_seed(seed: u64) -> Randomness {
        Randomness(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // A generator has no state that a panic elsewhere could have left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// A new id that sorts by time: `<prefix>_<ULID>`.
    #[must_use]
    pub fn id(&self, prefix: &str, now: Moment) -> String {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        format!("{prefix}_{}", Ulid::from_parts(millis, u128::from_le_bytes(self.bytes())))
    }

    /// A new API token: 256 random bits.
    #[must_use]
    pub fn api_token(&self) -> String {
        format!("{API_TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(self.bytes::<32>()))
    }
}

/// Whether this is the id of a request, by its shape alone: `req_` and a ULID.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let ulid = text.strip_prefix("req_").unwrap_or_default();
    Ulid::from_string(ulid).is_ok_and(|read| read.to_string() == ulid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_differ_within_it() {
        let randomness = Randomness::from_seed(1);
        let first = randomness.id("req", Moment::from_seconds(1));
        let second = randomness.id("req", Moment::from_seconds(2));
        assert!(first.starts_with("req_") && first.len() == 30, "{first}");
        assert!(first < second);
        assert_ne!(second, randomness.id("req", Moment::from_seconds(2)));
    }

    #[test]
    fn an_id_of_a_request_has_one_shape() {
        let id = Randomness::from_seed(1).id("req", Moment::from_seconds(1));
        assert!(is_request_id(&id), "{id}");
        let other =
            [id.to_lowercase(), id.replace("req_", "grant_"), format!("{id}0"), format!(" {id}")];
        let over = format!("req_{}", "Z".repeat(26));
        for wrong in other.iter().map(String::as_str).chain(["", "req_", "req_..", &over]) {
            assert!(!is_request_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn the_system_gives_other_numbers_each_time() {
        let token = || Randomness::from_system().unwrap().api_token();
        assert_eq!(token().len(), API_TOKEN_PREFIX.len() + 43);
        assert_ne!(token(), token());
    }
}
