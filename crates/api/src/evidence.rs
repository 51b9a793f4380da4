//! Requests with their trails, for auditors: `GET /v1/audit/requests`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::request::Request;
use crate::words::words;
use crate::{Instant, Word, nullable};

/// A page of requests with their trails, the oldest first. Where a trail does not fit, the last request is the first of
/// the next page again, with the rest of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The requests.
    pub requests: Vec<RequestEvidence>,
    /// The next `after`; null where this is the last page.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub next: Option<String>,
    /// The other spellings of the name that requests have.
    #[serde(default)]
    #[schema(required = true)]
    pub look_alikes: Vec<Spelling>,
}

/// Another spelling of the name that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Spelling {
    /// The name as it is spelt.
    pub name: String,
}

/// A request, and what was done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestEvidence {
    /// The request.
    pub request: Request,
    /// The oldest step first.
    pub trail: Vec<Step>,
}

words! {
    // INVARIANT (actions): the service's database takes exactly these words; another one would fail the change itself.
    /// What was done with a request.
    Action {
        /// It was submitted.
        Submit = "submit",
        /// An approver asked its requester something.
        Question = "question",
        /// Its requester answered.
        Answer = "answer",
        /// It was approved.
        Approve = "approve",
        /// Its requester took the grant without an approval, in an emergency.
        TakeEmergency = "take_emergency",
        /// It was denied.
        Deny = "deny",
        /// Its requester took it back.
        Cancel = "cancel",
        /// It was not decided in time, or what was approved was not taken in time.
        Lapse = "lapse",
        /// A token of its grant was issued.
        IssueToken = "issue_token",
        /// Its requester was told that five minutes of its grant are left.
        Remind = "remind",
        /// The time of its grant was over.
        Expire = "expire",
        /// Its grant was revoked.
        Revoke = "revoke",
        /// Its grant was used and has ended: what it touched is to be rotated.
        RotationOwed = "rotation_owed",
        /// A hook did not take the call that rotates it, and is not called any more.
        RotationFailed = "rotation_failed",
        /// A person let a hook be called again.
        RotationRetried = "rotation_retried",
        /// It was rotated.
        RotationDone = "rotation_done",
        /// Its grant was used and has ended: a person who took no part is to look at it.
        ReviewOwed = "review_owed",
        /// The deadline of its review has passed.
        ReviewOverdue = "review_overdue",
        /// A reviewer says that it is in order.
        ReviewSigned = "review_signed",
        /// A reviewer says that something is not in order.
        ReviewDisputed = "review_disputed",
    }
}

/// A row of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// By this person, or the service.
    pub actor: String,
    /// What.
    #[schema(value_type = Action)]
    pub action: Word<Action>,
    /// More of it.
    #[serde(default)]
    #[schema(required = true, value_type = Object)]
    pub detail: Value,
}

/// Which requests: exactly one of `grant`, `incident`, `subject`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EvidenceQuery {
    /// The request of this grant.
    pub grant: Option<String>,
    /// Those of this incident, in every spelling of it.
    pub incident: Option<String>,
    /// Those of this person, in every spelling of the name.
    pub subject: Option<String>,
    /// `next` of the page before.
    #[serde(default)]
    #[param(required = false)]
    pub after: String,
}
