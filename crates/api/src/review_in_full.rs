//! A review as its reviewer is shown it: `GET /v1/reviews/{id}`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Word;
use crate::alerts::Alert;
use crate::request::Request;
use crate::reviews::{GrantEnd, MutualApproval, Review, ReviewedApproval, SignableBy};
use crate::uses::GrantUses;

/// A review with all that its reviewer is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewInFull {
    /// The review.
    pub review: Review,
    /// The digest of what is shown and does not change any more: signing or disputing names it.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
    /// Whether there are people who may sign it.
    #[schema(value_type = SignableBy)]
    pub signable_by: Word<SignableBy>,
    /// Those of them who are known by name.
    pub signers: Vec<String>,
    /// The request with its grant.
    pub granted: Request,
    /// How the grant ended; none while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ended: Option<GrantEnd>,
    /// Who approved it, the first first.
    pub approvals: Vec<ReviewedApproval>,
    /// Requests of its approvers that its requester approved, within 24 hours before or after they approved this one.
    pub mutual_approvals: Vec<MutualApproval>,
    /// What proxies reported of the grant until now, the oldest first, at most 100; none where the service cannot tell now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub alerts: Option<Vec<Alert>>,
    /// What the grant was used for; none where no proxy has reported of it, or the service cannot tell now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub used: Option<GrantUses>,
}
