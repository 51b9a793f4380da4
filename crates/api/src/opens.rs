//! What the scopes of a request open, as far as it is known.

use breakglass_types::scope_rules::{ScopeRules, Texts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Word;
use crate::words::words;

words! {
    /// What a scope's holder may do.
    Access {
        /// Its methods are GET, HEAD and OPTIONS, and it lets no request switch its protocol.
        Read = "read",
        /// Some other method, or an upgrade.
        Write = "write",
    }
}

/// What a scope opens. The members from `access` to `upgrades` are those of the rules in their canonical form
/// (docs/scope-digests.md), and are there where the service has a definition with this digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ScopeOpens {
    /// Its name.
    pub scope: String,
    /// The digest of its rules when the request was submitted; nothing where the service had no definition of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// Whether it is more than reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Access)]
    pub access: Option<Word<Access>>,
    /// Host patterns; without them, any host.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hosts: Option<Vec<String>>,
    /// How long one stream may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_stream: Option<String>,
    /// Methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub methods: Option<Vec<String>>,
    /// What happens when neither the feed nor introspection says whether a grant still stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub on_unavailable: Option<String>,
    /// Path templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paths: Option<Vec<String>>,
    /// Where an answer may send the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub redirects: Option<String>,
    /// What the holder must bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Object)]
    pub require: Option<Value>,
    /// Envoy route names; without them, any route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub routes: Option<Vec<String>>,
    /// The protocols to which a request may switch; without them, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub upgrades: Option<Vec<String>>,
    /// How many of the proxies that live define the scope with this digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub proxies: Option<DefinedBy>,
}

/// How many of the proxies that live define a scope in the same way, by their own reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DefinedBy {
    /// With the same digest.
    pub same: u64,
    /// With another digest.
    pub other: u64,
    /// They have not said what their configuration defines.
    pub unknown: u64,
}

impl Access {
    /// What these rules are.
    #[must_use]
    pub fn of(rules: &ScopeRules) -> Access {
        let reads = |method: &String| matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let only_reads = rules.methods.iter().all(reads);
        if only_reads && rules.upgrades.is_none() { Access::Read } else { Access::Write }
    }
}

impl ScopeOpens {
    /// The same with these rules in full.
    #[must_use]
    pub fn with_rules(self, rules: &ScopeRules) -> ScopeOpens {
        let list = |texts: &Texts| texts.as_ref().map(|texts| texts.iter().cloned().collect());
        // The form leaves it out where nothing is asked for.
        let require = serde_json::to_value(&rules.require).ok();
        let require =
            require.filter(|require| require.as_object().is_some_and(|it| !it.is_empty()));
        ScopeOpens {
            access: Some(Access::of(rules).into()),
            hosts: list(&rules.hosts),
            max_stream: rules.max_stream.map(|duration| duration.to_string()),
            methods: Some(rules.methods.iter().cloned().collect()),
            on_unavailable: rules.on_unavailable.map(|one| one.word().to_owned()),
            paths: Some(rules.paths.iter().cloned().collect()),
            redirects: rules.redirects.map(|_| "same_authority".to_owned()),
            require,
            routes: list(&rules.routes),
            upgrades: list(&rules.upgrades),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shown_is_the_canonical_form_of_the_rules() {
        for (form, access) in [
            (json!({ "methods": ["GET", "HEAD"], "paths": ["/x"], "v": 1 }), "read"),
            (json!({ "methods": ["GET", "PUT"], "paths": ["/x"], "v": 1 }), "write"),
            // What passes after the switch is not judged.
            (
                json!({ "methods": ["GET"], "paths": ["/x"], "upgrades": ["websocket"], "v": 1 }),
                "write",
            ),
            (
                json!({ "hosts": ["a.test"], "max_stream": "90s", "methods": ["GET"], "on_unavailable": "allow",
                    "paths": ["/x", "/y/**"], "redirects": "same_authority",
                    "require": { "acr": ["high"], "approvals": 2, "max_lifetime": "900s" }, "routes": ["r"],
                    "v": 2 }),
                "read",
            ),
        ] {
            let rules = ScopeRules::from_canonical(form.clone()).unwrap();
            let shown =
                ScopeOpens { scope: "s".into(), ..ScopeOpens::default() }.with_rules(&rules);
            let mut shown = serde_json::to_value(shown).unwrap();
            let members = shown.as_object_mut().unwrap();
            assert_eq!(members.remove("access"), Some(access.into()));
            assert_eq!(members.remove("scope"), Some("s".into()));
            members.insert("v".into(), form["v"].clone());
            assert_eq!(shown, form);
        }
    }
}
