//! The keys that a service has: which one signs, and which are published.

use std::sync::Arc;

use breakglass_types::limits::KEYS_FETCHED_S;
use jwt_simple::prelude::{ES256KeyPair, ES256PublicKey};

use super::key_name::{KeyName, published_until, signs};
use crate::clock::Moment;

/// One key.
pub(super) struct SigningKey {
    pub(super) name: KeyName,
    pub(super) pair: Arc<ES256KeyPair>,
    pub(super) public: ES256PublicKey,
}

impl SigningKey {
    /// The same key under another name.
    pub(super) fn named(&self, name: KeyName) -> SigningKey {
        SigningKey { name, pair: Arc::clone(&self.pair), public: self.public.clone() }
    }
}

/// All keys in the order of their turns; at least one.
#[derive(Clone)]
pub(super) struct KeyRing {
    first: Arc<SigningKey>,
    others: Vec<Arc<SigningKey>>,
    /// How many key files cannot be used ..
    unusable: usize,
    /// .. and of how many of them the key is known from before.
    kept: usize,
}

impl KeyRing {
    /// A ring of these keys, in this order; `None` without any.
    pub(super) fn new(keys: Vec<Arc<SigningKey>>, unusable: usize, kept: usize) -> Option<KeyRing> {
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        Some(KeyRing { first, others: keys.collect(), unusable, kept })
    }

    /// How many keys there are.
    pub(super) fn count(&self) -> usize {
        self.others.len().saturating_add(1)
    }

    /// How many of them were read before, from a file that cannot be used any more.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// How many key files cannot be used.
    pub(super) fn unusable(&self) -> usize {
        self.unusable
    }

    /// The key with this id, whatever its turn is now.
    pub(super) fn find(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.all().into_iter().find(|key| key.name.kid == kid)
    }

    /// The first key that waits for the one that signs to let it.
    pub(super) fn waits(&self) -> Option<&KeyName> {
        self.others.iter().map(|key| &key.name).find(|name| name.waits())
    }

    /// The same keys, of which this one has ended its wait at this second.
    pub(super) fn switched(&self, kid: &str, at: i64) -> KeyRing {
        let switched = |key: &Arc<SigningKey>| match key.name.kid == kid {
            true => Arc::new(key.named(key.name.switched(at))),
            false => Arc::clone(key),
        };
        let mut keys: Vec<Arc<SigningKey>> = self.all().into_iter().map(switched).collect();
        keys.sort_by_key(|key| key.name.turn());
        KeyRing::new(keys, self.unusable, self.kept).unwrap_or_else(|| self.clone())
    }

    /// The key that signs.
    pub(super) fn signer(&self) -> &SigningKey {
        let keys = self.all();
        keys.get(signs(keys.iter().map(|key| &key.name))).map_or(&*self.first, |key| *key)
    }

    /// The key that signs challenges: proxies answer one only by a key that they have already, so it is the one before
    /// the signer until they have had the time to fetch that.
    pub(super) fn challenger(&self, now: Moment) -> &SigningKey {
        let keys = self.all();
        let signer = signs(keys.iter().map(|key| &key.name));
        let is_new =
            |key: &Arc<SigningKey>| now.seconds() < key.name.made_at.saturating_add(KEYS_FETCHED_S);
        let before = signer.checked_sub(1).and_then(|before| keys.get(before));
        match (keys.get(signer), before) {
            (Some(signer), Some(before)) if is_new(signer) => before,
            (Some(signer), _) => signer,
            (None, _) => &self.first,
        }
    }

    /// The keys that may have signed a token that still holds, and those that will sign.
    pub(super) fn published(&self, now: Moment) -> Vec<&SigningKey> {
        let keys = self.all();
        let successors = keys.iter().skip(1).map(Some).chain([None]);
        keys.iter()
            .zip(successors)
            .filter(|(_, successor)| {
                let until = successor.and_then(|successor| published_until(&successor.name));
                until.is_none_or(|until| now.seconds() < until)
            })
            .map(|(key, _)| &***key)
            .collect()
    }

    fn all(&self) -> Vec<&Arc<SigningKey>> {
        std::iter::once(&self.first).chain(&self.others).collect()
    }
}
