//! Why a token is not verified.

use crate::keys::KeyError;

/// Why a token is not verified: what was expected of it, for the log and for the operator. It holds no part of a token but
/// its type and its algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is larger than one of its kind can be.
    #[error("{what}: expected at most {max_bytes} bytes")]
    TooLarge {
        /// Which kind of token.
        what: &'static str,
        /// The bound.
        max_bytes: usize,
    },
    /// It is no JWS that is processed here.
    #[error("{what}: expected a signed JWT in compact form, with `alg` and `kid`")]
    Malformed {
        /// Which kind of token.
        what: &'static str,
    },
    /// It is a token of another kind.
    #[error("{what}: `typ` is `{got}`, that of another kind of token")]
    Type {
        /// Which kind of token was expected.
        what: &'static str,
        /// Its `typ`.
        got: String,
    },
    /// It is signed by an algorithm that is not allowed.
    #[error("{what}: signed by `{got}`, which is not among `algorithms`")]
    Algorithm {
        /// Which kind of token.
        what: &'static str,
        /// Its `alg`.
        got: String,
    },
    /// Its key is not known.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It is not signed by its key.
    #[error("{what}: the signature is not its issuer's")]
    Signature {
        /// Which kind of token.
        what: &'static str,
    },
    /// A claim is missing or wrong.
    #[error("{what}: `{claim}`: expected {expected}")]
    Claim {
        /// Which kind of token.
        what: &'static str,
        /// Which claim.
        claim: String,
        /// What was expected of it.
        expected: String,
    },
}
