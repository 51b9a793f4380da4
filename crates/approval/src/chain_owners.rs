//! Whose an audit chain is, by the chain's id alone.
//!
//! A chain id is 8 random bytes, then the first 8 bytes of HMAC-SHA256 over them. The HMAC key is derived
//! from the SHA-256 of the proxy's credential (`breakglass_core::audit::ChainKey` makes the ids). An id that
//! none of the configured proxies' keys made belongs to an older filter, or to a proxy without a credential.
//!
//! Each key is absorbed when the configuration is loaded: what is left for one id and one proxy are two
//! compressions of SHA-256, because a report of unknown ids is tried against every proxy.

use std::collections::HashMap;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

use crate::config::{Digest, Proxy};

/// What the key of chain ids is derived with.
const CONTEXT: &[u8] = b"breakglass chain id 1";

/// One proxy's key.
struct Key {
    proxy: String,
    /// With the key absorbed: a copy is all that an id takes.
    hmac: Hmac<Sha256>,
}

/// An id: its random half, and the half that commits to a key.
struct Id {
    random: [u8; 8],
    commitment: [u8; 8],
}

impl Id {
    /// Reads 32 hexadecimal digits.
    fn parse(chain: &str) -> Option<Id> {
        if chain.len() != 32 {
            return None;
        }
        let id = u128::from_str_radix(chain, 16).ok()?.to_be_bytes();
        Some(Id { random: *id.first_chunk()?, commitment: *id.last_chunk()? })
    }
}

impl Key {
    fn new(proxy: &Proxy) -> Key {
        let derived = keyed(&proxy.token_sha256).chain_update(CONTEXT).finalize().into_bytes();
        Key { proxy: proxy.name.clone(), hmac: keyed(&derived.into()) }
    }

    fn made(&self, id: &Id) -> bool {
        let code = self.hmac.clone().chain_update(id.random).finalize().into_bytes();
        code.starts_with(&id.commitment)
    }
}

/// A key that is shorter than a block is padded with zeros (RFC 2104, section 2).
fn keyed(key: &Digest) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new(&block.into())
}

/// The keys of all configured proxies.
pub struct ChainOwners {
    keys: Arc<[Key]>,
    by_proxy: HashMap<String, usize>,
    /// One search of all keys at a time: reports of made-up ids take one core, not all of them.
    search: Arc<Mutex<()>>,
}

impl ChainOwners {
    /// The keys of these proxies.
    #[must_use]
    pub fn new(proxies: &[Arc<Proxy>]) -> ChainOwners {
        let names = proxies.iter().map(|proxy| proxy.name.clone());
        ChainOwners {
            keys: proxies.iter().map(|proxy| Key::new(proxy)).collect(),
            by_proxy: names.zip(0..).collect(),
            search: Arc::default(),
        }
    }

    /// Whether this proxy's credential made the id of this chain.
    #[must_use]
    pub fn proves(&self, proxy: &str, chain: &str) -> bool {
        let key = self.by_proxy.get(proxy).and_then(|index| self.keys.get(*index));
        key.zip(Id::parse(chain)).is_some_and(|(key, id)| key.made(&id))
    }

    /// Tries the keys of all proxies: the chains whose owner is proven, each with its owner's name.
    ///
    /// # Errors
    /// If the search did not come to its end.
    pub async fn search(&self, chains: Vec<String>) -> Result<Vec<(String, String)>, JoinError> {
        if chains.is_empty() {
            return Ok(Vec::new());
        }
        let keys = Arc::clone(&self.keys);
        let alone = Arc::clone(&self.search).lock_owned().await;
        spawn_blocking(move || {
            // Held by the search, not by the caller, which can go away before the search ends.
            let _alone = alone;
            let owner = |chain: String| {
                let id = Id::parse(&chain)?;
                let owner = keys.iter().find(|key| key.made(&id))?.proxy.clone();
                Some((chain, owner))
            };
            chains.into_iter().filter_map(owner).collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use breakglass_core::audit::ChainKey;

    use super::*;
    use crate::identity::digest;

    fn owners(count: usize) -> ChainOwners {
        let proxy = |number| {
            let name = format!("envoy-{number}");
            Arc::new(Proxy { token_sha256: digest(&format!("token-{name}")), name })
        };
        ChainOwners::new(&(0..count).map(proxy).collect::<Vec<_>>())
    }

    /// The id as the filter makes it.
    fn chain(credential: &str, random: [u8; 8]) -> String {
        let id = ChainKey::from_credential(credential).id(random);
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[tokio::test]
    async fn the_id_that_a_filter_makes_is_its_own_proxys_alone() {
        let owners = owners(3);
        for random in [[0; 8], [255; 8], [1, 2, 3, 4, 5, 6, 7, 8]] {
            let id = chain("token-envoy-1", random);
            assert!(owners.proves("envoy-1", &id));
            assert!(!owners.proves("envoy-0", &id));
            assert!(!owners.proves("not configured", &id));
            let unknown = chain("a credential that is not configured", random);
            let found = owners.search(vec![unknown, id.clone()]).await.unwrap();
            assert_eq!(found, [(id, "envoy-1".to_owned())]);
        }
    }

    #[test]
    fn every_digit_of_the_id_counts() {
        let owners = owners(2);
        let id = chain("token-envoy-1", [9; 8]);
        for at in 0..id.len() {
            let mut other = id.clone();
            let digit = if id.as_bytes()[at] == b'0' { "1" } else { "0" };
            other.replace_range(at..=at, digit);
            assert!(!owners.proves("envoy-1", &other), "digit {at}");
        }
        for text in ["", "00", &format!("{id}0"), &"g".repeat(32)] {
            assert!(!owners.proves("envoy-1", text), "{text}");
        }
    }
}
