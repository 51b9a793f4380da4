//! The filter's configuration: JSON (or a protobuf `Struct`) in, a [`Config`] that needs no further check out.
//!
//! Nothing here is validated after the fact: what cannot be a configuration has no value of these
//! types. All errors are reported together, each with the path of its field.

mod audit;
mod body;
mod document;
mod fields;
mod issuer;
mod revocation;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) use body::body_audit;
pub use fields::ConfigError;
pub(crate) use fields::{
    Errors, Fields, Place, boolean, duration, list, number, one_of, parsed, positive_duration,
    text, timeout,
};
pub(crate) use revocation::on_unavailable;
pub(crate) use source::is_token_byte;

pub use audit::Audit;
pub use issuer::{InlineKeys, Issuer, RemoteJwks};
pub use revocation::{Credential, Endpoint, Feed, Introspection, OnUnavailable, Revocation};
pub use source::TokenSource;

use crate::json::Json;
use crate::policy::{Rule, Scope};

/// A token larger than this is refused before it is parsed, unless the configuration says
/// otherwise, in bytes: far above any real token, far below what is expensive to parse.
pub const DEFAULT_MAX_TOKEN_BYTES: u64 = 8 * 1024;

/// How far apart two clocks may be, unless the configuration says otherwise.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The largest skew that can be configured: the approval service keeps revocations for this long
/// after `exp`.
///
/// INVARIANT (skew): a revocation that is forgotten before the token's last accepted instant would
/// let the revoked token in again.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Everything that one filter decides by.
#[derive(Debug)]
pub struct Config {
    /// Whose tokens count; at least one.
    pub issuers: Vec<Issuer>,
    /// Where a token may be; the first that is present decides.
    pub token_sources: Vec<TokenSource>,
    /// The size cap on a token, in bytes.
    pub max_token_bytes: usize,
    /// How far apart the issuer's clock and ours may be.
    pub clock_skew: Duration,
    /// Whether refusals are carried out.
    pub enforcement: Enforcement,
    /// What happens to a request without a token that meets no `protected` rule.
    pub unauthenticated: Unauthenticated,
    /// What can be reached with a permit only.
    pub protected: Vec<Rule>,
    /// What no grant can reach.
    pub ceiling: Vec<Rule>,
    /// The scopes by name.
    pub scopes: BTreeMap<String, Scope>,
    /// How a grant that ended early becomes known.
    pub revocation: Revocation,
    /// What is done about the audit records besides writing them.
    pub audit: Audit,
    /// The request headers that some scope's record of a body needs, in lower case.
    pub kept_headers: BTreeSet<String>,
    /// Method-override headers, in lower case, that the upstreams are known to ignore.
    pub harmless_method_overrides: Vec<String>,
}

/// Whether refusals are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// Refuse.
    Enforce,
    /// Decide and audit, never refuse.
    Shadow,
}

/// What happens to a request without a token.
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
        let errors = Errors::default();
        let config = read(&json, &errors.root(), environment);
        let errors = errors.into_vec();
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(errors),
        }
    }
}

fn read<'a>(
    json: &'a Json,
    place: &Place<'a>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    let mut fields = Fields::open(json, place)?;
    let issuers = fields.required("issuers", list(issuer::read));
    let token_sources = fields.or("token_sources", vec![TokenSource::default()], source::read_all);
    let max_token_bytes =
        fields.or("max_token_bytes", DEFAULT_MAX_TOKEN_BYTES, number(256, 64 * 1024));
    let clock_skew = fields.or("clock_skew", DEFAULT_CLOCK_SKEW, read_skew);
    let enforcement = fields.or(
        "enforcement",
        Enforcement::Enforce,
        one_of(&[("enforce", Enforcement::Enforce), ("shadow", Enforcement::Shadow)]),
    );
    let unauthenticated = fields.or(
        "unauthenticated",
        Unauthenticated::Pass,
        one_of(&[("pass", Unauthenticated::Pass), ("deny", Unauthenticated::Deny)]),
    );
    let protected = fields.or("protected", Vec::new(), list(Rule::read));
    let ceiling = fields.or("ceiling", Vec::new(), list(Rule::read));
    let scopes = fields.required("scopes", read_scopes);
    let revocation =
        fields.required("revocation", |json, place| revocation::read(json, place, environment));
    let audit = fields.or("audit", Audit::default(), audit::read);
    let harmless_method_overrides =
        fields.or("harmless_method_overrides", Vec::new(), list(parsed(source::header_name)));
    fields.close();

    let issuers = issuers?;
    let mut names: Vec<&str> = issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return place.field("issuers").error("two entries have the same `issuer`");
    }
    let scopes = scopes?;
    Some(Config {
        kept_headers: scopes.values().flat_map(|scope| scope.request_body.headers()).collect(),
        issuers,
        token_sources: token_sources?,
        max_token_bytes: usize::try_from(max_token_bytes?).ok()?,
        clock_skew: clock_skew?,
        enforcement: enforcement?,
        unauthenticated: unauthenticated?,
        protected: protected?,
        ceiling: ceiling?,
        scopes,
        revocation: revocation?,
        audit: audit?,
        harmless_method_overrides: harmless_method_overrides?,
    })
}

fn read_skew(json: &Json, place: &Place<'_>) -> Option<Duration> {
    let skew = duration(json, place)?;
    if skew > MAX_CLOCK_SKEW {
        return place.error("expected at most 60s: a clock that is further off is to be mended");
    }
    Some(skew)
}

fn read_scopes<'a>(json: &'a Json, place: &Place<'a>) -> Option<BTreeMap<String, Scope>> {
    let mut scopes = BTreeMap::new();
    for (index, scope) in list(Scope::read)(json, place)?.into_iter().enumerate() {
        let name = scope.name.clone();
        if scopes.insert(name.clone(), scope).is_some() {
            place
                .item(index)
                .field("name")
                .error::<()>(format!("another scope is called `{name}` too"));
        }
    }
    Some(scopes)
}
