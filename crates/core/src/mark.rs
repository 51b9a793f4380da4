//! The mark that an instance of this filter leaves for another one further on in the same filter chain.
//!
//! Where the filter is in one chain twice, the second instance must not judge again what the first has decided:
//! the token is gone by then, one request would have two records, and two answers to one stream crash Envoy.
//! So the first leaves a mark in filter state, and the second steps aside where that mark verifies.
//!
//! A client cannot write filter state, but every wasm plugin of the chain can. So a mark is authenticated:
//! HMAC-SHA256 (RFC 2104) under a key that is derived from this proxy's credential, over
//!
//! - the version of the filter and the digest of its configuration: an instance steps aside for its like only;
//! - the decision;
//! - Envoy's id of the connection, and the time at which Envoy began the request, in nanoseconds. No plugin can
//!   change these, and no two requests have both in common. So a mark counts for the very stream that it was
//!   made in, and needs no time limit: another request on the same connection, or the second pass of an internal
//!   redirect, which is a stream of its own, cannot use it;
//! - method, authority and path. Where a filter in between has changed one, the first has judged another request.
//!
//! What varies in length has its length before it, so that no two requests give the same text. Without a
//! credential there is no key, and no mark counts.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::code::absorb;
use crate::config::{ConfigDigest, Credential};

/// Separates this use of the credential from every other one.
const LABEL: &[u8] = b"breakglass mark 1";

/// The version of the form of a mark: its first byte.
const FORM: u8 = 1;

/// Bytes of a digest, and of an authentication code.
const HASH_BYTES: usize = 32;

/// What identifies a stream in one Envoy, and what an instance of this filter that comes earlier in the chain has
/// left in its filter state. Each costs a host call, so each is asked for only when it matters.
pub trait StreamState {
    /// Envoy's `connection.id`.
    fn connection_id(&self) -> Option<u64>;
    /// Envoy's `request.time`, in nanoseconds since 1970.
    fn request_time(&self) -> Option<u64>;
    /// Whether an audit record is there, even an empty one: a plugin can overwrite filter state, and cannot
    /// take it away.
    fn has_record(&self) -> bool;
    /// Whether a permit is there, whatever it says.
    fn has_permit(&self) -> bool;
    /// The mark. From whichever plugin wrote it.
    fn mark(&self) -> Option<Vec<u8>>;
    /// The listener, in words for an operator.
    fn listener(&self) -> Option<String>;
}

/// What tells one stream from every other one in the same Envoy process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamKey {
    pub(crate) connection: u64,
    /// In nanoseconds since 1970.
    pub(crate) began: u64,
}

impl StreamKey {
    /// `None` if Envoy does not say, and then there is no mark.
    pub(crate) fn of(state: &dyn StreamState) -> Option<StreamKey> {
        Some(StreamKey { connection: state.connection_id()?, began: state.request_time()? })
    }
}

/// The request that a mark is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MarkedRequest<'a> {
    pub(crate) stream: StreamKey,
    pub(crate) method: &'a [u8],
    pub(crate) authority: &'a [u8],
    pub(crate) path: &'a [u8],
}

/// The decisions that leave a mark: those that are recorded and let the request go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkedDecision {
    /// It has a permit.
    Permit,
    /// It would have been refused, were the filter not in shadow mode.
    ShadowDeny,
}

impl MarkedDecision {
    const ALL: [MarkedDecision; 2] = [MarkedDecision::Permit, MarkedDecision::ShadowDeny];

    const fn byte(self) -> u8 {
        match self {
            MarkedDecision::Permit => b'p',
            MarkedDecision::ShadowDeny => b's',
        }
    }
}

/// Why a mark does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoMark {
    /// It does not have the form of a mark of this version.
    Form,
    /// It names the digest of another configuration. Nothing vouches for that.
    OtherConfiguration,
    /// It was not made by this key, or not for this request.
    NotAuthentic,
}

/// What makes and verifies the marks of one worker. The key, the version and the digest are absorbed already.
#[derive(Clone)]
pub(crate) struct MarkKey {
    code: Hmac<Sha256>,
    digest: [u8; HASH_BYTES],
}

impl MarkKey {
    /// The key of a filter of this version, with this configuration.
    pub(crate) fn new(
        credential: &Credential,
        version: &str,
        digest: ConfigDigest,
    ) -> Option<MarkKey> {
        let credential = Hmac::<Sha256>::new_from_slice(credential.secret().as_bytes()).ok()?;
        let key = credential.chain_update(LABEL).finalize().into_bytes();
        let digest = digest.bytes();
        let mut code = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        absorb(&mut code, version.as_bytes());
        code.update(&digest);
        Some(MarkKey { code, digest })
    }

    /// The mark of this decision about this request.
    pub(crate) fn mark(&self, decision: MarkedDecision, request: &MarkedRequest<'_>) -> Vec<u8> {
        let code = self.code_of(decision, request).finalize().into_bytes();
        [&[FORM, decision.byte()][..], &self.digest, &code].concat()
    }

    /// The decision that this mark vouches for.
    pub(crate) fn verify(
        &self,
        mark: &[u8],
        request: &MarkedRequest<'_>,
    ) -> Result<MarkedDecision, NoMark> {
        let ([FORM, byte], rest) = mark.split_first_chunk().ok_or(NoMark::Form)? else {
            return Err(NoMark::Form);
        };
        let mut decisions = MarkedDecision::ALL.into_iter();
        let decision = decisions.find(|one| one.byte() == *byte).ok_or(NoMark::Form)?;
        let (digest, code) = rest.split_first_chunk::<HASH_BYTES>().ok_or(NoMark::Form)?;
        if code.len() != HASH_BYTES {
            return Err(NoMark::Form);
        }
        // No secret: it says which configuration an operator has to look for.
        if *digest != self.digest {
            return Err(NoMark::OtherConfiguration);
        }
        // In constant time: a forger who measures must not learn a code byte by byte.
        let verified = self.code_of(decision, request).verify_slice(code);
        verified.map(|()| decision).map_err(|_| NoMark::NotAuthentic)
    }

    fn code_of(&self, decision: MarkedDecision, request: &MarkedRequest<'_>) -> Hmac<Sha256> {
        let StreamKey { connection, began } = request.stream;
        let mut code = self.code.clone();
        code.update(&[decision.byte()]);
        code.update(&connection.to_be_bytes());
        code.update(&began.to_be_bytes());
        for field in [request.method, request.authority, request.path] {
            absorb(&mut code, field);
        }
        code
    }
}

/// The key is a secret: with it marks can be made.
impl std::fmt::Debug for MarkKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("MarkKey(..)")
    }
}

#[cfg(test)]
mod tests;
