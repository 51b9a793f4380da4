//! Requests: `/v1/requests`, `/v1/requests/{id}`, and what changes one.

use breakglass_types::Basis;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::emergency::Emergency;
use crate::incident::IncidentCheck;
use crate::opens::ScopeOpens;
use crate::reviews::ReviewOfRequest;
use crate::rotations::RotationOfRequest;
use crate::told::Told;
use crate::words::words;
use crate::{Instant, Word, nullable, schemas};

/// What is asked for: `POST /v1/requests`. The service checks that each member is there and within its bounds, so that
/// all that is wrong is told at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The scopes, each once.
    #[serde(default)]
    #[schema(required = true, schema_with = schemas::scopes)]
    pub scopes: Vec<String>,
    /// Why. One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub reason: String,
    /// The incident or ticket.
    #[schema(max_length = 256)]
    pub incident: Option<String>,
    /// From approval on; at most each scope's max_duration.
    #[serde(default)]
    #[schema(required = true, examples("30m"))]
    pub duration: String,
    /// Whether the requester calls it an emergency. An approval rule can ask for more then; where each rule of the request has
    /// `emergency`, the requester takes the grant alone.
    #[serde(default)]
    #[schema(default = false)]
    pub emergency: bool,
    /// The request whose grant this one goes on with: the caller's own, and one that holds. Its scopes, or fewer of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub extends: Option<String>,
}

/// Why something is done that has no other argument: a denial, a revocation, forgetting a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub reason: String,
}

/// Saying yes: `POST /v1/requests/{id}/approve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// The `digest` of the request as the approver was shown it. Without it, or with another one: 409 with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// These of its scopes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<String>>,
    /// For this long, such as `15m`, where that is shorter than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration: Option<String>,
    /// What the requester and auditors should read beside it. One line; at most 1024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_length = 1024)]
    pub note: Option<String>,
}

/// A question about a pending request, or its answer: `POST /v1/requests/{id}/question` and `/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// One line; at most 1024 bytes.
    #[serde(default)]
    #[schema(required = true, max_length = 1024)]
    pub text: String,
}

/// A body without members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

words! {
    /// Where a request is.
    State {
        /// Its grant holds, and its first token was taken.
        Active = "active",
        /// Its grant holds, and waits for its first token to be taken.
        Approved = "approved",
        /// The requester took it back.
        Cancelled = "cancelled",
        /// An approver said no.
        Denied = "denied",
        /// Its grant has ended.
        Expired = "expired",
        /// No approver decided in time, or the grant's first token was not taken in time.
        Lapsed = "lapsed",
        /// It waits for a decision.
        Pending = "pending",
        /// Its grant was revoked.
        Revoked = "revoked",
    }
}

/// A request, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Where it is.
    #[schema(value_type = State)]
    pub state: Word<State>,
    /// Whose it is.
    pub requester: String,
    /// The environment.
    pub audience: String,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident, if one was named.
    #[serde(deserialize_with = "nullable")]
    #[schema(required = true)]
    pub incident: Option<String>,
    /// What is known of the incident, where one of the scopes has it checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub incident_check: Option<IncidentCheck>,
    /// Whether the requester marked it as an emergency.
    pub emergency: bool,
    /// How its rules take it as an emergency; nothing where none of them has `emergency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub in_emergency: Option<Emergency>,
    /// For how long from the approval on, such as `30m`.
    pub duration: String,
    /// The digest of what is asked for: SHA-256 of requester, audience, scopes with the digests of their rules, duration,
    /// reason, incident, emergency and id. An approval names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(required = true, nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// What each scope opens, as far as it is known; not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ScopeOpens>,
    /// The request whose grant it goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub extends: Option<Extended>,
    /// What was asked and answered about it; not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discussion: Vec<Remark>,
    /// When it was submitted.
    pub submitted_at: Instant,
    /// Until when it can be decided.
    pub lapses_at: Instant,
    /// Whose approval counts now, as far as they are known by name; while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub approvers: Option<Vec<String>>,
    /// What it needs to be approved, rule by rule: all of it has to be met; while it is pending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// The approvals until now, where others have to come; `grant` has those of a grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// How many of them were told of it; while it is pending, and not in lists. The answer to a submission waits up to 2 s for
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub told: Option<Told>,
    /// What was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant: Option<Grant>,
    /// The denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub denied: Option<Refusal>,
    /// When the requester took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cancelled_at: Option<Instant>,
    /// What its grant touches and is rotated once the grant has ended, by hook, where its first token was taken; not in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<RotationOfRequest>,
    /// The review of its grant, where a rule asked for one when its first token was taken; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub review: Option<ReviewOfRequest>,
    /// Where the identity provider is away, and the groups of the requester or of the approver are those of its last answer:
    /// in the answer to what was done by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old_groups: Vec<OldGroups>,
}

/// Groups that count although they are those of an old answer, because the identity provider is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OldGroups {
    /// Whose.
    pub person: String,
    /// The identity provider.
    pub provider: String,
    /// When it gave the answer.
    pub said_at: Instant,
    /// Why there is no other one now.
    pub cause: String,
}

/// The request whose grant another one goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extended {
    /// Its id.
    pub id: String,
    /// Why it was asked for; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// Its grant; not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub grant: Option<Grant>,
}

words! {
    /// What a remark is.
    RemarkKind {
        /// The requester answers.
        Answer = "answer",
        /// An approver asks.
        Question = "question",
    }
}

/// A question or an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remark {
    /// By this person.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Which of the two.
    #[schema(value_type = RemarkKind)]
    pub kind: Word<RemarkKind>,
    /// What was said.
    pub text: String,
}

/// What one rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Need {
    /// The rule's name; nothing for the `approvers` of scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rule: Option<String>,
    /// The scopes of the request that it is for.
    #[serde(default)]
    #[schema(required = true)]
    pub scopes: Vec<String>,
    /// Whether each stage waits for the one before.
    #[serde(default)]
    #[schema(required = true)]
    pub in_order: bool,
    /// Its stages, which different people meet.
    #[serde(default)]
    #[schema(required = true)]
    pub stages: Vec<NeedStage>,
    /// Whose approval counts too later on, in each of its stages, as far as it is known now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub escalates: Vec<NeedEscalation>,
}

/// Groups that a rule asks besides, once a request has waited for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedEscalation {
    /// The groups.
    pub to: Vec<String>,
    /// From when on.
    pub at: Instant,
}

/// So many people of these groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedStage {
    /// The groups.
    pub from: Vec<String>,
    /// How many people.
    pub count: u64,
    /// Who counts here until now.
    #[serde(default)]
    #[schema(required = true)]
    pub approved_by: Vec<String>,
}

/// What was approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The token's jti.
    pub id: String,
    /// Whose approval was the last; nothing where no person approved it, in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub approved_by: Option<String>,
    /// Why it exists; services before this member have `approved` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Basis, nullable = false)]
    pub basis: Option<Word<Basis>>,
    /// When it was granted.
    pub approved_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// Its scopes, which may be fewer than were asked for.
    #[serde(default)]
    #[schema(required = true)]
    pub scopes: Vec<String>,
    /// Until when its first token has to be taken; nothing for grants of services before this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub activate_by: Option<Instant>,
    /// When its first token was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub activated_at: Option<Instant>,
    /// Who approved it, the first first.
    #[serde(default)]
    #[schema(required = true)]
    pub approvals: Vec<Approval>,
    /// The digest of the service's configuration under which the last approval was given; not in lists, and nothing for
    /// grants of services before this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub configuration: Option<String>,
    /// Its revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub revoked: Option<Refusal>,
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// By this person.
    pub by: String,
    /// When.
    pub at: Instant,
    /// The digest of the request as it was shown; nothing for approvals by versions before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    pub digest: Option<String>,
    /// What the approver wrote beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// Of these scopes, where it is not of all that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scopes: Option<Vec<String>>,
    /// For this long, where it is shorter than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration: Option<String>,
}

/// A denial or a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// By this person.
    pub by: String,
    /// When.
    pub at: Instant,
    /// Why.
    pub reason: String,
}

/// A page of requests, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requests {
    /// The requests.
    pub requests: Vec<Request>,
    /// The next `after`; null where this is the last page. Services before this member have one page only.
    #[serde(default)]
    #[schema(required = true)]
    pub next: Option<String>,
}

/// Which requests: `GET /v1/requests`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only those in this state; `approved` means every grant that holds, active ones too.
    #[param(inline, value_type = Option<State>)]
    pub state: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<i64>,
    /// Only the caller's own.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub mine: bool,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// How to look at one: `GET /v1/requests/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ShowQuery {
    /// How long to wait for the decision; at most 60s. A person can wait in 20 places at a time: one more is 429
    /// `too_many_waits`.
    #[param(example = "25s")]
    pub wait: Option<String>,
}
