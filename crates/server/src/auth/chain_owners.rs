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

use breakglass_core::audit::ChainKey;
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

use crate::config::Proxy;

/// One proxy's key.
struct Key {
    proxy: String,
    key: ChainKey,
}

impl Key {
    /// None of a proxy without an API token: its filter makes ids that prove nothing.
    fn new(proxy: &Proxy) -> Option<Key> {
        let key = ChainKey::from_credential_digest(proxy.token_sha256.as_ref()?);
        Some(Key { proxy: proxy.name.clone(), key })
    }
}

/// An id from its 32 hexadecimal digits.
fn parse(chain: &str) -> Option<[u8; 16]> {
    breakglass_types::hex::decode(chain)
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
        let keys: Arc<[Key]> = proxies.iter().filter_map(|proxy| Key::new(proxy)).collect();
        let names = keys.iter().map(|key| key.proxy.clone());
        ChainOwners { by_proxy: names.zip(0..).collect(), keys, search: Arc::default() }
    }

    /// Whether this proxy's credential made the id of this chain.
    #[must_use]
    pub fn proves(&self, proxy: &str, chain: &str) -> bool {
        let key = self.by_proxy.get(proxy).and_then(|index| self.keys.get(*index));
        key.zip(parse(chain)).is_some_and(|(key, id)| key.key.made(&id))
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
                let id = parse(&chain)?;
                let owner = keys.iter().find(|key| key.key.made(&id))?.proxy.clone();
                Some((chain, owner))
            };
            chains.into_iter().filter_map(owner).collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::identity::digest;

    fn owners(count: usize) -> ChainOwners {
        let proxy = |number| {
            let name = format!("envoy-{number}");
            Arc::new(Proxy {
                token_sha256: Some(digest(&format!("token-{name}"))),
                certificate_san: Vec::new(),
                certificate_sha256: Vec::new(),
                name,
                audiences: None,
            })
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
