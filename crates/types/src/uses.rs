//! What a grant was used for: the records of one grant in one chain, counted by kind. The filter counts, the approval
//! service adds up.

use serde::{Deserialize, Serialize};

/// The most kinds that a filter keeps apart for one grant in one chain. Records of further kinds are in the grant's
/// count alone.
pub const MAX_KINDS: usize = 64;

/// The longest name of a scope in a use, in bytes: what a record has room for.
pub const MAX_USE_SCOPE_BYTES: usize = 1024;

/// The longest method in a use, in bytes.
pub const MAX_USE_METHOD_BYTES: usize = 256;

/// The longest rule in a use, in bytes: what a record has room for.
pub const MAX_USE_RULE_BYTES: usize = 768;

/// What stands for a method that is neither registered nor named by the scope: the client chose it.
pub const OTHER_METHOD: &str = "other";

/// What one use takes in a report at least, as a filter reckons, in bytes: its members without their texts, with 20
/// digits.
pub const USE_BYTES: usize = 80;

/// One kind of use. `N` is how numbers are held: the service's database has signed ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Use))]
pub struct Use<N> {
    /// The scope that decided; none where no scope covered the call.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub scope: Option<String>,
    /// The method of the request; `other` for one that is neither registered nor named by the scope.
    pub method: String,
    /// The rule of the scope that decided, as the records write it (`rule`): with its path as the configuration has it. None where
    /// no rule covered the call.
    #[serde(default = "nothing", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub rule: Option<String>,
    /// The decision, as in the records: `allow`, `deny`, `cut` and so on.
    pub outcome: String,
    /// How many records. A request that ran for long has two.
    #[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = 1))]
    pub records: N,
}

fn nothing() -> Option<String> {
    None
}
