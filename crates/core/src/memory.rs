//! What one VM remembers between requests: verified tokens, and what was said of grants. Both are
//! bounded, and both only ever save work: whatever is forgotten is checked again.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use crate::cache::BoundedCache;
use crate::instant::Instant;
use crate::introspection::Verdict;
use crate::token::VerifiedToken;

/// The most verified tokens that are kept: far above the grants that one proxy sees at a time.
const MAX_TOKENS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The most memory for verified tokens, in bytes: small beside the VM itself.
const MAX_TOKEN_BYTES: usize = 4 * 1024 * 1024;

/// The most verdicts that are kept, and the memory for them.
const MAX_VERDICTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8191);
const MAX_VERDICT_BYTES: usize = 2 * 1024 * 1024;

/// What an entry costs beside its text, about, in bytes.
const ENTRY_BYTES: usize = 128;

#[derive(Debug)]
pub(crate) struct Memory {
    /// By the whole token, so that no other text can ever stand in for a verified one.
    tokens: BoundedCache<Box<[u8]>, Rc<VerifiedToken>>,
    verdicts: BoundedCache<(usize, String), Remembered>,
}

#[derive(Debug)]
struct Remembered {
    verdict: Verdict,
    until: Instant,
    since: Instant,
}

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory {
            tokens: BoundedCache::new(MAX_TOKENS, MAX_TOKEN_BYTES),
            verdicts: BoundedCache::new(MAX_VERDICTS, MAX_VERDICT_BYTES),
        }
    }

    /// A verified token, while it lives.
    pub(crate) fn token(
        &mut self,
        bytes: &[u8],
        now: Instant,
        skew: Duration,
    ) -> Option<Rc<VerifiedToken>> {
        let token = self.tokens.get(bytes).map(Rc::clone)?;
        if now >= token.void_at(skew) {
            self.tokens.remove(bytes);
            return None;
        }
        Some(token)
    }

    pub(crate) fn keep_token(&mut self, bytes: &[u8], token: &Rc<VerifiedToken>) {
        // The claims take about as much again as the text that they were read from.
        let size = bytes.len().saturating_mul(2).saturating_add(ENTRY_BYTES);
        self.tokens.insert(bytes.into(), Rc::clone(token), size);
    }

    /// The keys have changed: what the old ones verified is to be verified anew.
    pub(crate) fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(crate) fn verdict(&mut self, issuer: usize, jti: &str, now: Instant) -> Option<Verdict> {
        let remembered = self.verdicts.get(&(issuer, jti.to_owned()))?;
        // A clock that was set back would stretch the time for which an answer counts.
        (now >= remembered.since && now < remembered.until).then_some(remembered.verdict)
    }

    pub(crate) fn keep_verdict(
        &mut self,
        issuer: usize,
        jti: &str,
        verdict: Verdict,
        now: Instant,
        counts_for: Duration,
    ) {
        let remembered = Remembered { verdict, until: now.after(counts_for), since: now };
        let size = jti.len().saturating_add(ENTRY_BYTES);
        self.verdicts.insert((issuer, jti.to_owned()), remembered, size);
    }
}
