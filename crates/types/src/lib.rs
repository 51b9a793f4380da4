//! What several programs of breakglass must agree on, each defined once, without I/O. The filter, the approval
//! service, the command line and the tests take it from here; there is no second one.
//!
//! - [`claims`]: the claims of a token, written and read. [`Basis`]: why a grant exists.
//! - [`scope_rules`]: the rules of a scope in their canonical form, and the digest of it.
//! - [`challenge`]: the claims of a challenge of `breakglass probe`, and the report of what was answered.
//! - [`limits`]: bounds in bytes, counts and time. Where two bounds must fit each other, a `const` assertion beside
//!   them does not compile otherwise.
//! - [`names`]: headers, media types, URNs, and the words of headers.
//! - [`feed`], [`heads`]: the bodies of the feed of revocations and of the report of audit chains' heads.
//! - [`uses`]: what a grant was used for, as a head counts it.
//! - [`alerts`]: the body of a proxy's report of alerts, their kinds and classes.
//! - [`configurations`]: what a proxy says of the scopes of its configuration.
//! - [`introspection`]: the question about one token, and the answer.
//! - [`json`]: strict JSON. [`instant`]: instants and durations. [`hex`], [`percent`]: bytes as text.
//!
//! Not here: what the log reader (`breakglass audit`) reads with. It is a second implementation on purpose, tied to
//! the writer by vectors and not by code.

pub mod alerts;
mod basis;
pub mod challenge;
pub mod claims;
pub mod configurations;
pub mod feed;
pub mod heads;
pub mod hex;
pub mod instant;
pub mod introspection;
pub mod json;
pub mod limits;
pub mod names;
pub mod percent;
pub mod scope_rules;
mod unavailable;
pub mod uses;

pub use basis::Basis;
pub use unavailable::OnUnavailable;

#[cfg(test)]
mod testing;
