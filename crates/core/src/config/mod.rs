//! The filter's configuration: JSON (or a protobuf `Struct`) in, a [`Config`] that needs no further check out.
//!
//! Nothing here is validated after the fact: what cannot be a configuration has no value of these
//! types. All errors are reported together, each with the path of its field. What is said here of a
//! field is what docs/configuration.md says of it: that page is made of these types.

mod alerts;
mod audit;
mod body;
mod digest;
mod document;
#[cfg(test)]
mod documented;
mod endpoint;
mod issuer;
mod keys;
mod revocation;
mod second;
mod source;
mod warnings;

use std::time::Duration;

pub(crate) use body::body_audit;
pub(crate) use revocation::UNAVAILABLE;
pub(crate) use source::is_token_byte;

pub use crate::schema::ConfigError;
pub use alerts::AlertReports;
pub use audit::Audit;
pub use digest::ConfigDigest;
pub use endpoint::Endpoint;
pub use issuer::Issuer;
pub use keys::{Jwks, RemoteJwks};
pub use revocation::{Credential, Feed, Introspection, OnUnavailable, Revocation};
pub use second::{PathParameter, Second};
pub use source::TokenSource;

use breakglass_types::limits::{DEFAULT_TOKEN_BYTES, MAX_CLOCK_SKEW, TOKEN_BYTES_RANGE};
use second::SecondMember;

use crate::policy::{Rule, Scope, Scopes};
use crate::schema::{
    Object, Place, Reader, Reading, duration, list, number, one_of, optional, or, or_empty,
    or_none, parsed, required,
};
use crate::{object, schema};

object! {
    /// Everything that one filter decides by.
    #[derive(Debug)]
    pub struct Config {
        /// Whose tokens count.
        pub issuers: Vec<Issuer> = required(list(schema::object())),
        /// Where a token may be; the first that is present decides.
        pub token_sources: Vec<TokenSource> =
            or([source::dedicated()], list(schema::object()).and_then(source::distinct)),
        /// A larger token is refused before it is parsed. The default is far above any real token, and
        /// far below what is expensive to parse.
        pub max_token_bytes: usize = or(DEFAULT_TOKEN_BYTES, number(TOKEN_BYTES_RANGE.0, TOKEN_BYTES_RANGE.1)),
        /// How far apart the issuer's clock and ours may be. A token is void at `exp` plus this.
        pub clock_skew: Duration = or("5s", duration().or_nothing().at_most(
            MAX_CLOCK_SKEW, "a clock that is further off is to be mended")),
        /// Whether refusals are carried out. `"shadow"`: decide and audit, never refuse. A permit is a
        /// permit in both.
        pub enforcement: Enforcement = or("enforce", one_of(
            &[("enforce", Enforcement::Enforce), ("shadow", Enforcement::Shadow)])),
        /// What happens to a request without a token that no `protected` rule covers: the normal
        /// controls behind this filter decide, or it is refused.
        pub unauthenticated: Unauthenticated = or("pass", one_of(
            &[("pass", Unauthenticated::Pass), ("deny", Unauthenticated::Deny)])),
        /// What can be reached with a permit only, whatever `unauthenticated` says.
        pub protected: Vec<Rule> = or_none(list(schema::object())),
        /// What no grant can reach.
        pub ceiling: Vec<Rule> = or_none(list(schema::object())),
        /// What a grant can open.
        pub scopes: Scopes = required(list(schema::object::<Scope>()).and_then(Scopes::named)),
        /// How a grant that ended early becomes known.
        pub revocation: Revocation = required(schema::object()),
        /// What is done about the audit records besides writing them.
        pub audit: Audit = or_empty(schema::object()),
        /// Where what a person should hear of now is reported.
        pub alerts: Option<AlertReports> = optional("not reported", schema::object()),
        /// Of `x-http-method`, `x-http-method-override`, `x-method-override`: those that your upstreams
        /// ignore. Any other is refused under a token.
        pub harmless_method_overrides: Vec<String> =
            or_none(list(parsed("header name", source::header_name))),
        /// What names a resource besides the request line.
        pub second: Second = SecondMember,
    }
}

// Relies on INVARIANT (skew): `clock_skew` is at most what revocations are kept for.
impl Object for Config {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let mut clean = Some(());
        let mut names: Vec<&str> = self.issuers.iter().map(|one| one.issuer.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            clean = place.field("issuers").error("two entries have the same `issuer`");
        }
        self.second.check(place, &self.token_sources).and(clean)
    }
}

/// Whether refusals are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// Refuse.
    Enforce,
    /// Decide and audit, never refuse.
    Shadow,
}

/// What happens to a request without a token that meets no `protected` rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthenticated {
    /// The normal controls behind this filter decide.
    Pass,
    /// It is refused.
    Deny,
}

impl Config {
    /// Reads a configuration, in either form in which Envoy hands it over. `environment` looks up a variable of the VM, for credentials.
    ///
    /// # Errors
    /// Every error, each with the path of its field; never empty.
    pub fn parse(
        text: &[u8],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Vec<ConfigError>> {
        let json = document::read(text).map_err(|error| {
            let message = format!("the configuration is not JSON: {error}");
            vec![ConfigError { path: String::new(), message }]
        })?;
        Reading::with_environment(environment).read(&schema::object(), &json)
    }
}
