//! Which grants this VM has seen in use.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;

use crate::cache::BoundedCache;
use crate::token::VerifiedToken;

/// The most grants that are remembered: far above those that one proxy sees at a time. The use of one that was forgotten
/// counts as its first; the approval service knows better.
const MAX_GRANTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The grants that were used.
#[derive(Debug)]
pub(super) struct FirstUses(BoundedCache<u64, ()>);

impl FirstUses {
    pub(super) fn new() -> FirstUses {
        FirstUses(BoundedCache::new(MAX_GRANTS, MAX_GRANTS.get()))
    }

    /// A grant is used: whether for the first time.
    pub(super) fn is_first(&mut self, token: &VerifiedToken) -> bool {
        let grant = fingerprint(token);
        let is_first = self.0.get(&grant).is_none();
        if is_first {
            self.0.insert(grant, (), 1);
        }
        is_first
    }
}

/// What tells the grant of a token from others: its issuer chose the id, so no client can make two alike. Two that are alike
/// by chance (one pair in 2^64) would be counted as one.
pub(super) fn fingerprint(token: &VerifiedToken) -> u64 {
    let mut hasher = DefaultHasher::new();
    (token.issuer(), &token.claims().jti).hash(&mut hasher);
    hasher.finish()
}
