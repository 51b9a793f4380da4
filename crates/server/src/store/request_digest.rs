//! The digest of a request: what an approver reads and what is issued, as one thing to say yes to.
//!
//! It is SHA-256 over JSON in the form of RFC 8785, which docs/approval-service.md describes: who computes it from a
//! request as it is shown has the same.

use std::collections::BTreeMap;

use breakglass_types::scope_rules::ScopeDigest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Request;
use super::requests::Submission;

// INVARIANT (request-digest): the members stand in the order of their names, as RFC 8785 sorts them.
#[derive(Serialize)]
struct Form<'a> {
    audience: &'a str,
    duration_s: i64,
    emergency: bool,
    /// Only there where it is an extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    extends: Option<&'a str>,
    id: &'a str,
    incident: Option<&'a str>,
    reason: &'a str,
    requester: &'a str,
    /// `null` for a scope of which no definition was known.
    scopes: BTreeMap<&'a str, Option<ScopeDigest>>,
    v: u8,
}

impl Form<'_> {
    fn digest(&self) -> String {
        // Texts, numbers and maps of them are always written.
        let text = serde_json::to_vec(self).unwrap_or_default();
        breakglass_types::hex::lower(&Sha256::digest(text))
    }
}

/// The version of the form: that of the newest member in use.
fn version(extends: bool) -> u8 {
    if extends { 2 } else { 1 }
}

fn scopes<'a>(
    names: &'a [String],
    digests: &BTreeMap<String, ScopeDigest>,
) -> BTreeMap<&'a str, Option<ScopeDigest>> {
    names.iter().map(|name| (name.as_str(), digests.get(name).copied())).collect()
}

impl Request {
    /// The digest of what is asked for: 64 lower-case hex digits.
    #[must_use]
    pub fn digest(&self) -> String {
        Form {
            audience: &self.audience,
            duration_s: self.duration_s,
            emergency: self.emergency,
            extends: self.extends.as_deref(),
            id: &self.id,
            incident: self.incident.as_deref(),
            reason: &self.reason,
            requester: &self.requester,
            scopes: scopes(&self.scopes, &self.scope_digests),
            v: version(self.extends.is_some()),
        }
        .digest()
    }
}

impl Submission<'_> {
    /// The digest of the request that this becomes.
    #[must_use]
    pub fn digest(&self) -> String {
        Form {
            audience: self.audience,
            duration_s: self.duration_s,
            emergency: self.emergency,
            extends: self.extends,
            id: self.id,
            incident: self.incident,
            reason: self.reason,
            requester: self.requester,
            scopes: scopes(self.scopes, self.scope_digests),
            v: version(self.extends.is_some()),
        }
        .digest()
    }
}
