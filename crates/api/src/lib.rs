//! The interface of the approval service as types: what is asked and what is answered, each body once, for the server,
//! the command line and the tests. The OpenAPI document is made of them: see [`document`].
//!
//! 1. What the service reads refuses members that it does not know, but for reports of proxies ([`heads::HeadReport`],
//!    [`alerts::AlertReport`]): a proxy may be newer. What a client reads ignores them: the service may be newer.
//! 2. A member that every service has written since it has the endpoint has to be there. One that came later may be
//!    absent (`serde(default)`), and so may one that the command line does not need. What the service writes always is
//!    `required` in the document all the same.
//! 3. Lists of words are enums ([`words`]); where they are read, one of a newer service is kept as it came.
//! 4. Instants are [`Instant`]s; durations are texts such as `30m`; positions in the feed are epochs.
//! 5. Every refusal is a [`problem::Problem`], those under `/oauth2` too, but for `/oauth2/token`, whose clients read the
//!    errors of RFC 6749 ([`session::OAuthError`]).

pub mod alerts;
pub mod attempts;
pub mod deliveries;
pub mod directory;
pub mod document;
pub mod emergency;
pub mod events;
pub mod evidence;
pub mod feed;
pub mod heads;
pub mod health;
pub mod incident;
mod instant;
pub mod introspection;
pub mod jwks;
pub mod opens;
pub mod probe;
pub mod problem;
pub mod proxies;
mod reason;
pub mod request;
pub mod review_in_full;
pub mod reviews;
pub mod revocation;
pub mod rotations;
mod schemas;
pub mod scopes;
pub mod session;
pub mod severity;
pub mod token;
pub mod told;
pub mod trail;
pub mod uses;
pub mod watch;
pub mod whoami;
pub mod words;

pub use instant::Instant;
pub use reason::Reason;
pub use words::Word;

use serde::{Deserialize, Deserializer};

/// A member that has to be there, and may be `null`.
fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}
