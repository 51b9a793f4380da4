//! What one scope opens, and what can be wrong with what a file says of it.

use std::fmt;
use std::path::PathBuf;

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

/// One thing that is wrong with a file of definitions, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, such as `scopes."orders:read".paths[0]`; empty for the whole.
    pub field: String,
    /// What was expected, and what to do.
    pub message: String,
}

impl fmt::Display for DefinitionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DefinitionError { file, field, message } = self;
        match field.as_str() {
            "" => write!(formatter, "{}: {message}", file.display()),
            field => write!(formatter, "{}: {field}: {message}", file.display()),
        }
    }
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
