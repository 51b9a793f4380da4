//! What one scope opens, and what can be wrong with what a file says of it.

use breakglass_config_schema::{ConfigError, Reading, object};
use breakglass_core::policy::Scope;
use breakglass_types::json::Json;
use breakglass_types::scope_rules::{ScopeDigest, ScopeRules};

/// What one scope opens.
#[derive(Debug)]
pub struct Definition {
    /// The rules.
    pub rules: ScopeRules,
    /// Their digest.
    pub digest: ScopeDigest,
}

/// The scope with this name and these rules as a filter reads it: the canonical form with a name and without `v` is a scope
/// of a filter's configuration.
pub(super) fn scope(name: &str, rules: &ScopeRules) -> Result<Scope, Vec<ConfigError>> {
    let form = Json::parse(rules.canonical().as_bytes()).unwrap_or(Json::Null);
    let mut members = form.as_object().cloned().unwrap_or_default();
    members.remove("v");
    members.insert("name".to_owned(), Json::String(name.to_owned()));
    Reading::new().read(&object(), &Json::Object(members))
}
