//! From bytes in a header to a token that can be believed.
//!
//! 1. [`UnverifiedToken`]: a compact JWS with strict base64url and strict JSON. Its `kid`, `iss`
//!    and `typ` serve to find the key, and for nothing else.
//! 2. [`VerifiedToken`]: signed by a configured issuer's key, for one of our audiences, within the
//!    issuer's `max_lifetime`. Only [`verify`] makes one.
//!
//! [`Jws`] is what the first is made of, and what tokens of other issuers (ID tokens, say) are read as.
//!
//! Time is judged at each use ([`VerifiedToken::check_time`]), because a verified token is kept.

mod algorithm;
mod detect;
mod hint;
mod jws;
mod keyring;
mod keys;
mod signature;
mod unverified;
mod verify;

pub use algorithm::Algorithm;
pub(crate) use detect::contains_our_token;
pub(crate) use hint::hint;
pub use jws::Jws;
pub(crate) use jws::media_type;
pub(crate) use keyring::MIN_FETCH_INTERVAL;
pub use keyring::{HeldKeys, KeyRing, Lookup};
pub(crate) use keys::unusable_entries;
pub use keys::{InvalidJwks, KeySet};
pub use signature::{PublicKey, Thumbprint, ValidSignature};
pub use unverified::UnverifiedToken;
pub use verify::{Unverifiable, VerifiedToken, verify};
