//! The rules of a scope in their canonical form, and the digest of it: what was approved is a thing and not a name.
//!
//! The form is JSON (RFC 8785) with a member for each field of the filter's configuration that decides what a token
//! opens, written as the configuration has it: a canonical form with a `name` is a scope of a configuration, and has
//! the same digest again. Lists are sets, sorted by bytes. A field at its default is left out, so a filter that knows
//! more fields makes the same digest of the same rules. `v` is the version of the newest field in use.
//!
//! Not in it: what becomes of a request after its permit (`cut`, `drain`, `request_body`, `response_body`),
//! `same_digest` itself, and what lies outside of scopes (`protected`, `ceiling`, `issuers`, `revocation`, the lists of
//! harmless names).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::basis::Basis;
use crate::hex;
use crate::instant::{millis, parse_duration};
use crate::unavailable::OnUnavailable;

/// What scopes could say in version 0.1.
const FIRST: u8 = 1;

/// Since then: `require.basis` and `require.approvals`.
const SECOND: u8 = 2;

/// A set of texts that is left out where the field is at its default.
pub type Texts = Option<BTreeSet<String>>;

// INVARIANT (scope-digest): the members stand in the order of their names, as RFC 8785 sorts them, and none that is at its
// default is written. Another form is another digest of the same rules: every grant of a `same_digest` scope would end.
/// The rules of a scope, as far as they decide what a token opens. Values are as the filter reads them: hosts and
/// protocols in lower case, networks in their shortest form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRules {
    /// Host patterns; without it, any host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Texts,
    /// How long one stream may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stream: Option<CanonicalDuration>,
    /// Methods.
    pub methods: BTreeSet<String>,
    /// What happens when neither the feed nor introspection says whether a grant still stands; without it, what the configuration says for all.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "unavailable",
        deserialize_with = "read_unavailable"
    )]
    pub on_unavailable: Option<OnUnavailable>,
    /// Path templates.
    pub paths: BTreeSet<String>,
    /// Where an answer may send the client, where that is not anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects: Option<SameAuthority>,
    /// What the holder must bring.
    #[serde(default, skip_serializing_if = "RequiredOfHolder::is_nothing")]
    pub require: RequiredOfHolder,
    /// Envoy route names; without it, any route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Texts,
    /// The protocols to which a request may switch; without it, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrades: Texts,
}

/// What the holder of a token must bring, in the canonical form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequiredOfHolder {
    /// Any of these authentication context classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Texts,
    /// All of these authentication methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amr: Texts,
    /// At least so many approvers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<u32>,
    /// Which grants count; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<BTreeSet<BasisWord>>,
    /// The longest time since the holder authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_auth_age: Option<CanonicalDuration>,
    /// The longest lifetime of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lifetime: Option<CanonicalDuration>,
    /// Any of these roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Texts,
    /// A client certificate that the token is bound to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sender_constrained: bool,
    /// Any of these networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_cidrs: Texts,
}

impl RequiredOfHolder {
    fn is_nothing(&self) -> bool {
        *self == RequiredOfHolder::default()
    }
}

/// A basis, in the order of its word as every list of the form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasisWord(pub Basis);

impl Ord for BasisWord {
    fn cmp(&self, other: &BasisWord) -> std::cmp::Ordering {
        self.0.word().cmp(other.0.word())
    }
}

impl PartialOrd for BasisWord {
    fn partial_cmp(&self, other: &BasisWord) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The one word that is not the default of `redirects`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameAuthority {
    /// Nowhere but where the request went.
    SameAuthority,
}

/// A duration, of which there is one spelling: whole seconds as `"900s"`, everything else as `"1500ms"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanonicalDuration(pub Duration);

impl fmt::Display for CanonicalDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = millis(self.0);
        match (millis.checked_div(1000), millis.checked_rem(1000)) {
            (Some(seconds), Some(0)) => write!(formatter, "{seconds}s"),
            _ => write!(formatter, "{millis}ms"),
        }
    }
}

impl Serialize for CanonicalDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CanonicalDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CanonicalDuration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected =
            || D::Error::custom(format!("expected a duration such as \"900s\", got {text:?}"));
        parse_duration(&text).map(CanonicalDuration).ok_or_else(expected)
    }
}

impl ScopeRules {
    /// The canonical form.
    #[must_use]
    pub fn canonical(&self) -> String {
        #[derive(Serialize)]
        struct Form<'a> {
            #[serde(flatten)]
            rules: &'a ScopeRules,
            // Behind `upgrades`, as the names are sorted.
            v: u8,
        }
        // Texts, numbers and lists of them are always written.
        serde_json::to_string(&Form { rules: self, v: self.version() }).unwrap_or_default()
    }

    /// Reads a canonical form, of this version or an older one.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn from_canonical(form: serde_json::Value) -> Result<ScopeRules, String> {
        let serde_json::Value::Object(mut members) = form else {
            return Err("expected an object with the rules of a scope".to_owned());
        };
        match members.remove("v").and_then(|version| version.as_u64()) {
            Some(version) if (u64::from(FIRST)..=u64::from(SECOND)).contains(&version) => {}
            Some(version) => {
                return Err(format!(
                    "the rules are of version {version}, and this breakglass knows {FIRST} to {SECOND}: take a newer one"
                ));
            }
            None => return Err("expected `v`, the version of the rules, a number".to_owned()),
        }
        serde_json::from_value(members.into()).map_err(|error| error.to_string())
    }

    /// The version of the newest field in use.
    fn version(&self) -> u8 {
        let has_second = self.require.basis.is_some() || self.require.approvals.is_some();
        if has_second { SECOND } else { FIRST }
    }

    /// The digest of the canonical form.
    #[must_use]
    pub fn digest(&self) -> ScopeDigest {
        ScopeDigest(Sha256::digest(self.canonical()).into())
    }
}

/// SHA-256 of the canonical form of a scope's rules; on the wire 64 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeDigest([u8; 32]);

impl ScopeDigest {
    /// The digest that these digits write; nothing for any other text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<ScopeDigest> {
        hex::is_lower(text, crate::names::DIGEST_DIGITS)
            .then(|| hex::decode(text).map(ScopeDigest))?
    }

    /// As it is on the wire.
    #[must_use]
    pub fn text(self) -> String {
        hex::lower(&self.0)
    }
}

impl fmt::Display for ScopeDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

impl Serialize for ScopeDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for ScopeDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ScopeDigest, D::Error> {
        let text = String::deserialize(deserializer)?;
        ScopeDigest::from_text(&text).ok_or_else(|| {
            D::Error::custom(format!("expected 64 lower-case hex digits, got {text:?}"))
        })
    }
}

fn unavailable<S: Serializer>(
    one: &Option<OnUnavailable>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    one.map(OnUnavailable::word).serialize(serializer)
}

fn read_unavailable<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OnUnavailable>, D::Error> {
    let word = String::deserialize(deserializer)?;
    OnUnavailable::from_word(&word)
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("expected \"deny\" or \"allow\", got {word:?}")))
}

#[cfg(test)]
mod tests;
