//! Reviews: a person who took no part looks at a used grant once it has ended. `GET /v1/reviews`, `GET /v1/reviews/{id}`,
//! `POST /v1/reviews/{id}/sign` and `POST /v1/reviews/{id}/dispute`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;
use crate::{Instant, Word};

/// A page of reviews, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reviews {
    /// The reviews.
    pub reviews: Vec<Review>,
    /// `after` of the next page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// The review of one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// Its id.
    pub id: String,
    /// Where it is.
    #[schema(value_type = ReviewState)]
    pub state: Word<ReviewState>,
    /// The grant.
    pub grant: String,
    /// The request of the grant.
    pub request: String,
    /// Who held the grant.
    pub requester: String,
    /// The grant's scopes.
    pub scopes: Vec<String>,
    /// The approval rules that asked for the review when the first token was taken.
    pub rules: Vec<String>,
    /// Whether an emergency of the requester takes an approval while the review is overdue.
    pub needs_approval: bool,
    /// When it became owed; none while the grant holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub owed_at: Option<Instant>,
    /// When it is overdue; none while the grant holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub due_at: Option<Instant>,
    /// Who signed or disputed it; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub decision: Option<ReviewDecision>,
}

/// Who signed or disputed a review, and what they saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewDecision {
    /// The person.
    pub by: String,
    /// When.
    pub at: Instant,
    /// The digest of what was shown.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
    /// What the person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// What the person said of the log. The service did not check it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<SaidOfLog>,
}

/// What a reviewer said of the log, as it is kept: see [`LogVerdict`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SaidOfLog {
    /// The SHA-256 of the verdict's text.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// The verdict in one word.
    pub verdict: String,
    /// How many records were judged.
    #[schema(minimum = 0)]
    pub checked: u64,
    /// How many findings there were of each kind.
    #[serde(default)]
    pub findings: BTreeMap<String, u64>,
}

impl From<LogVerdict> for SaidOfLog {
    fn from(LogVerdict { sha256, verdict, checked, findings }: LogVerdict) -> SaidOfLog {
        SaidOfLog { sha256, verdict, checked, findings }
    }
}

/// What `breakglass audit verify --json` said of the log, as the reviewer reports it. As JSON it has at most 4096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogVerdict {
    /// The SHA-256 of the verdict's text, as 64 lower-case hex digits.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// The verdict in one word: `ok`, `broken`, `incomplete`, `broken_and_incomplete` or `nothing_checked`.
    pub verdict: String,
    /// How many records were judged.
    #[schema(minimum = 0)]
    pub checked: u64,
    /// How many findings there were of each kind.
    #[serde(default)]
    pub findings: BTreeMap<String, u64>,
}

/// How a grant ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantEnd {
    /// Its time was over, or it was revoked.
    #[schema(value_type = EndedHow)]
    pub how: Word<EndedHow>,
    /// When.
    pub at: Instant,
    /// Who revoked it: its holder where it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub by: Option<String>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// An approval, as a reviewer is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedApproval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Instant,
    /// The groups by which it counted; none for an approval of a version that did not keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub groups: Option<Vec<String>>,
    /// What the approver wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
}

/// A request of an approver that the requester approved, within 24 hours before or after that person's approval of the grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MutualApproval {
    /// The request.
    pub request: String,
    /// Whose it was: an approver of the grant under review.
    pub approver: String,
    /// When the requester of the grant under review approved it.
    pub at: Instant,
}

words! {
    /// Where a review is.
    ReviewState {
        /// A person says that something is not in order.
        Disputed = "disputed",
        /// Its deadline has passed, and no person has signed or disputed it.
        Overdue = "overdue",
        /// The grant has ended, and a person who took no part is to look at it.
        Owed = "owed",
        /// A person says that it is in order.
        Signed = "signed",
        /// The grant holds.
        Waiting = "waiting",
    }
}

words! {
    /// Whether there are people who may sign a review.
    SignableBy {
        /// It is certain that there are none: all who could have approved the grant took part in it.
        NoOne = "no_one",
        /// There are; those who are known by name are listed.
        People = "people",
        /// It is not known now.
        Unknown = "unknown",
    }
}

words! {
    /// How a grant ended.
    EndedHow {
        /// Its time was over.
        Expired = "expired",
        /// It was revoked, or given back.
        Revoked = "revoked",
    }
}

/// Which reviews.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReviewsQuery {
    /// `owed`, `overdue`, `signed`, `disputed` or `waiting` alone.
    pub state: Option<String>,
    /// `true`: those alone that the caller may sign now. A page may have fewer of them, or none, although others follow.
    #[serde(default)]
    #[param(required = false)]
    pub mine: bool,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// It is in order: `POST /v1/reviews/{id}/sign`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignReview {
    /// The digest of the review as it was shown.
    #[serde(default)]
    #[schema(required = true, pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
    /// What auditors should read beside it. One line; at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 1024)]
    pub note: Option<String>,
    /// What a check of the log said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<LogVerdict>,
}

/// Something is not in order: `POST /v1/reviews/{id}/dispute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisputeReview {
    /// The digest of the review as it was shown.
    #[serde(default)]
    #[schema(required = true, pattern = "^[0-9a-f]{64}$")]
    pub digest: String,
    /// What is not in order. One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub note: String,
    /// What a check of the log said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub log: Option<LogVerdict>,
}

/// The review of a request's grant, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewOfRequest {
    /// The review.
    pub id: String,
    /// Where it is.
    #[schema(value_type = ReviewState)]
    pub state: Word<ReviewState>,
}
