//! How a person authenticated: what sessions keep, rights look at, and tokens and the trail say.

use serde::{Deserialize, Serialize};

/// How a person authenticated: a level that was asked for and reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorRow {
    /// The level's name in the provider's entry.
    pub level: String,
    /// The provider's word for what was reached.
    pub acr: Option<String>,
    /// The provider's words for how (RFC 8176).
    pub amr: Vec<String>,
    /// When, in seconds.
    pub auth_time: i64,
}
