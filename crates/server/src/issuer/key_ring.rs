//! The keys of one ring as they were last read: which one signs, and which are published.

use std::sync::Arc;

use breakglass_types::limits::KEYS_FETCHED_S;
use jwt_simple::prelude::{ES256KeyPair, ES256PublicKey};

use super::key_name::{KeyName, Otherwise, published_until, signs};
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
    /// Which key signs where all wait.
    otherwise: Otherwise,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kids = self.all().into_iter().map(|key| key.name.kid.as_str());
        f.debug_list().entries(kids).finish()
    }
}

impl KeyRing {
    /// A ring of these keys, in this order; `None` without any.
    pub(super) fn new(
        keys: Vec<Arc<SigningKey>>,
        unusable: usize,
        kept: usize,
        otherwise: Otherwise,
    ) -> Option<KeyRing> {
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        Some(KeyRing { first, others: keys.collect(), unusable, kept, otherwise })
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
        let (keys, signer) = (self.all(), self.turn());
        let names = keys.into_iter().enumerate().filter(|(index, _)| Some(*index) != signer);
        names.map(|(_, key)| &key.name).find(|name| name.waits())
    }

    /// When the first of these keys began to sign, in seconds; nothing while all wait.
    pub(super) fn began(&self) -> Option<i64> {
        let keys = self.all();
        keys.iter().filter(|key| !key.name.waits()).map(|key| key.name.begins()).min()
    }

    /// The same keys, of which this one has ended its wait at this second.
    pub(super) fn switched(&self, kid: &str, at: i64) -> KeyRing {
        let switched = |key: &Arc<SigningKey>| match key.name.kid == kid {
            true => Arc::new(key.named(key.name.switched(at))),
            false => Arc::clone(key),
        };
        let mut keys: Vec<Arc<SigningKey>> = self.all().into_iter().map(switched).collect();
        keys.sort_by_key(|key| key.name.turn());
        KeyRing::new(keys, self.unusable, self.kept, self.otherwise).unwrap_or_else(|| self.clone())
    }

    /// The place of the key that signs.
    fn turn(&self) -> Option<usize> {
        signs(self.all().into_iter().map(|key| &key.name), self.otherwise)
    }

    /// The key that signs; the first where none does.
    pub(super) fn signer(&self) -> &Arc<SigningKey> {
        self.turn().and_then(|turn| self.all().get(turn).copied()).unwrap_or(&self.first)
    }

    /// The key that signs challenges: proxies answer one only by a key that they have already, so it is the one before
    /// the signer until they have had the time to fetch that. Nothing where there is none before it.
    pub(super) fn challenger(&self, now: Moment) -> Option<&Arc<SigningKey>> {
        let signer = self.signer();
        if now.seconds() >= signer.name.made_at.saturating_add(KEYS_FETCHED_S) {
            return Some(signer);
        }
        self.all().get(self.turn()?.checked_sub(1)?).copied()
    }

    /// The keys that may have signed a token that still holds, and those that will sign.
    pub(super) fn published(&self, now: Moment) -> Vec<&Arc<SigningKey>> {
        let keys = self.all();
        let successors = keys.iter().skip(1).map(Some).chain([None]);
        keys.iter()
            .zip(successors)
            .filter(|(_, successor)| {
                let until = successor.and_then(|successor| published_until(&successor.name));
                until.is_none_or(|until| now.seconds() < until)
            })
            .map(|(key, _)| *key)
            .collect()
    }

    fn all(&self) -> Vec<&Arc<SigningKey>> {
        std::iter::once(&self.first).chain(&self.others).collect()
    }
}
