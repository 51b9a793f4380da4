//! What a grant was used for, as the proxies counted it in the heads of their chains.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a grant was used for. It is what the heads said until now: what a proxy has not reported yet is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantUses {
    /// The uses, those with the most records first.
    pub uses: Vec<Use>,
    /// Records of the grant that are in none of `uses`: of proxies whose filter is too old to say, and of more kinds than are
    /// kept apart.
    #[schema(minimum = 0)]
    pub other_records: i64,
}

/// One kind of use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Use {
    /// The scope that decided; none where no scope covered the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scope: Option<String>,
    /// The method of the request.
    pub method: String,
    /// The rule of the scope that decided, as the records write it (`rule`): with its path as the configuration has it. None where
    /// no rule covered the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rule: Option<String>,
    /// The decision, as in the records: `allow`, `deny`, `cut` and so on.
    pub outcome: String,
    /// How many records.
    #[schema(minimum = 1)]
    pub records: i64,
}
