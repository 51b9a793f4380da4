//! The id of a chain, which commits to the credential of the proxy that reports it.
//!
//! An id is 8 random bytes, then the first 8 bytes of HMAC-SHA256 (RFC 2104) over them. The key is
//! derived from the SHA-256 of the proxy's credential, which is all that the approval service has of it. So
//! the service can tell whose chain an id names, and no other proxy can claim it by reporting first.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::code::keyed;

/// Bytes of an id that are random, and bytes that commit to the credential.
const HALF: usize = 8;

/// Separates this use of the credential's digest from every other one.
const CONTEXT: &[u8] = b"breakglass chain id 1";

/// What the ids of one proxy's chains are made with, and recognised by. The key is absorbed already, so that
/// an id costs two compressions of SHA-256: the approval service tries the keys of all proxies.
#[derive(Clone)]
pub struct ChainKey(Hmac<Sha256>);

impl ChainKey {
    /// The key for a credential with this SHA-256.
    #[must_use]
    pub fn from_credential_digest(digest: &[u8; 32]) -> ChainKey {
        let derived = keyed(digest).chain_update(CONTEXT).finalize().into_bytes();
        ChainKey(keyed(&derived.into()))
    }

    /// The key for this credential.
    #[must_use]
    pub fn from_credential(secret: &str) -> ChainKey {
        ChainKey::from_credential_digest(&Sha256::digest(secret).into())
    }

    /// The id with these random bytes.
    #[must_use]
    pub fn id(&self, random: [u8; HALF]) -> [u8; 16] {
        let mut id = [0; 16];
        let (left, right) = id.split_at_mut(HALF);
        left.copy_from_slice(&random);
        let code = self.0.clone().chain_update(random).finalize().into_bytes();
        right.iter_mut().zip(code).for_each(|(to, from)| *to = from);
        id
    }

    /// Whether this id was made with this key.
    #[must_use]
    pub fn made(&self, id: &[u8; 16]) -> bool {
        id.first_chunk::<HALF>().is_some_and(|random| self.id(*random) == *id)
    }
}

/// The key is a secret: with it ids can be made in the proxy's name.
impl std::fmt::Debug for ChainKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ChainKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;
    use crate::testing::test;

    #[test]
    fn an_id_is_recognised_by_its_own_key_alone() {
        let key = ChainKey::from_credential("token-envoy");
        let id = key.id([7; 8]);
        assert!(id.starts_with(&[7; 8]));
        assert!(key.made(&id));
        assert!(!ChainKey::from_credential("token-other").made(&id));
        for at in 0..id.len() {
            let mut other = id;
            other[at] ^= 1;
            assert!(!key.made(&other), "byte {at}");
        }
    }

    /// The id as another program computes it: `hmac` and `hashlib` of Python 3.
    #[test]
    fn the_id_is_that_of_another_implementation() {
        let id = ChainKey::from_credential("token-envoy").id([0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(hex::lower(&id), "0001020304050607d3c51138e79a428c");
    }
}
