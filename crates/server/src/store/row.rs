//! A request as the database has it, with its state at a given moment.

use std::collections::BTreeMap;

use breakglass_api::request::State;
use breakglass_types::scope_rules::ScopeDigest;
use sqlx::types::Json;

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Who asked.
    pub requester: String,
    /// The requester's roles at submission.
    #[sqlx(json)]
    pub requester_roles: Vec<String>,
    /// The requester's groups at submission.
    #[sqlx(json)]
    pub requester_groups: Vec<String>,
    /// The environment that the scopes are for.
    pub audience: String,
    /// The scopes asked for.
    #[sqlx(json)]
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident, if one was named.
    pub incident: Option<String>,
    /// Whether it was called an emergency.
    pub emergency: bool,
    /// For how long, in seconds from approval.
    pub duration_s: i64,
    /// When it was submitted.
    pub submitted_at: i64,
    /// When it lapses if nobody decides.
    pub lapses_at: i64,
    /// When it was approved.
    pub approved_at: Option<i64>,
    /// By whom.
    pub approved_by: Option<String>,
    /// The grant's id.
    pub jti: Option<String>,
    /// The grant's end.
    pub expires_at: Option<i64>,
    /// When it was denied.
    pub denied_at: Option<i64>,
    /// By whom.
    pub denied_by: Option<String>,
    /// Why.
    pub denial_reason: Option<String>,
    /// When the requester took it back.
    pub cancelled_at: Option<i64>,
    /// The credential that submitted it, as [`Submission::credential`](super::Submission::credential); none
    /// for a request of an earlier version.
    pub submitted_with: Option<Vec<u8>>,
    /// The digests of the scopes' rules, by their names, of those that were defined at submission.
    #[sqlx(json)]
    pub scope_digests: BTreeMap<String, ScopeDigest>,
    /// The revocation's place in the feed.
    pub epoch: Option<i64>,
    /// When the grant was revoked, in milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Why.
    pub revocation_reason: Option<String>,
    /// Its state at the moment of the question.
    #[sqlx(try_from = "String")]
    pub state: State,
}

/// Selects requests with their state: the only place that says what each state is. Parameter 1 is
/// the moment in seconds.
macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT requests.*, epoch, revoked_at_ms, revoked_by,
                    revocations.reason AS revocation_reason,
                    CASE
                        WHEN denied_at IS NOT NULL THEN 'denied'
                        WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                        WHEN approved_at IS NULL AND (lapsed_at IS NOT NULL OR lapses_at <= ?1
                            OR submitted_at > ?1 + 5) THEN 'lapsed'
                        WHEN approved_at IS NULL THEN 'pending'
                        WHEN revoked_at_ms IS NOT NULL THEN 'revoked'
                        WHEN requests.expires_at <= ?1 THEN 'expired'
                        ELSE 'approved'
                    END AS state
                FROM requests LEFT JOIN revocations USING (jti)
            ) ",
            $rest
        )
    };
}
pub(super) use select_requests;

/// A list of names as the database keeps it.
pub(super) fn json(names: &[String]) -> Json<&[String]> {
    Json(names)
}
