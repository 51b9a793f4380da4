//! A request as the database has it, with its state at a given moment.

use std::collections::BTreeMap;

use breakglass_api::request::State;
use breakglass_types::scope_rules::ScopeDigest;
use breakglass_types::{Basis, hex};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::types::Json;
use sqlx::{FromRow, Row};

use super::incident_row::IncidentCheckRow;
use crate::access::rules::FixedNeeds;
use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::MAX_CLOCK_STEP_S;

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: String,
    /// Who asked.
    pub requester: String,
    /// The requester's roles at submission.
    pub requester_roles: Vec<String>,
    /// The requester's groups at submission.
    pub requester_groups: Vec<String>,
    /// The environment that the scopes are for.
    pub audience: String,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// Why.
    pub reason: String,
    /// The incident, if one was named.
    pub incident: Option<String>,
    /// Whether it was called an emergency.
    pub emergency: bool,
    /// For how long, in seconds from approval.
    pub duration_s: i64,
    /// The request whose grant this one goes on with.
    pub extends: Option<String>,
    /// When it was submitted.
    pub submitted_at: i64,
    /// When it lapses if nobody decides.
    pub lapses_at: i64,
    /// When it was denied.
    pub denied_at: Option<i64>,
    /// By whom.
    pub denied_by: Option<String>,
    /// Why.
    pub denial_reason: Option<String>,
    /// When the requester took it back.
    pub cancelled_at: Option<i64>,
    /// When it was marked as lapsed.
    pub lapsed_at: Option<i64>,
    /// The credential that submitted it, as [`Submission::credential`](super::Submission::credential); none
    /// for a request of an earlier version.
    #[serde(deserialize_with = "credential")]
    pub submitted_with: Option<Digest>,
    /// The digests of the scopes' rules, by their names, of those that were defined at submission.
    pub scope_digests: BTreeMap<String, ScopeDigest>,
    /// What it needs, fixed at submission; none for a request of an earlier version.
    pub needs: Option<FixedNeeds>,
    /// Why its grant exists, or would.
    pub basis: Basis,
    /// The approvals, the first first.
    pub approvals: Vec<ApprovalRow>,
    /// What is known of the incident, where one of the scopes has it checked.
    pub incident_check: Option<IncidentCheckRow>,
    /// How many questions were asked and answers given.
    pub remarks: i64,
    /// When the last approval made a grant of it.
    pub approved_at: Option<i64>,
    /// The grant's id.
    pub jti: Option<String>,
    /// The grant's scopes: those asked for, or fewer.
    pub granted_scopes: Option<Vec<String>>,
    /// The grant's end.
    pub expires_at: Option<i64>,
    /// Until when the grant's first token has to be taken; none for a grant of an earlier version.
    pub activate_by: Option<i64>,
    /// When it was taken.
    pub activated_at: Option<i64>,
    /// When its requester was told that it ends soon.
    pub reminded_at: Option<i64>,
    /// When its requester was told that it is over.
    pub expired_at: Option<i64>,
    /// The revocation's place in the feed.
    pub epoch: Option<i64>,
    /// When the grant was revoked, in milliseconds.
    pub revoked_at_ms: Option<i64>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Why.
    pub revocation_reason: Option<String>,
    /// Its state at the moment of the question.
    #[serde(deserialize_with = "state")]
    pub state: State,
}

fn credential<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let digits = Option::<String>::deserialize(deserializer)?;
    digits
        .map(|digits| hex::decode(&digits).ok_or_else(|| D::Error::custom("no SHA-256")))
        .transpose()
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
    State::try_from(String::deserialize(deserializer)?).map_err(D::Error::custom)
}

impl FromRow<'_, SqliteRow> for Request {
    fn from_row(row: &SqliteRow) -> Result<Request, sqlx::Error> {
        row.try_get(0).map(|Json(request)| request)
    }
}

/// One person's approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// Who.
    pub approver: String,
    /// When, in milliseconds.
    pub approved_at_ms: i64,
    /// The digest of the request as it was shown; none for an approval of an earlier version.
    pub digest: Option<String>,
    /// What the approver wrote beside it.
    pub note: Option<String>,
    /// Of these scopes, where it is not of all that were asked for.
    pub scopes: Option<Vec<String>>,
    /// For so many seconds, where it is shorter than was asked for.
    pub duration_s: Option<i64>,
    /// The groups of the approver that rules named, then; none for an approval of an earlier version.
    pub approver_groups: Option<Vec<String>>,
}

impl Request {
    /// The scopes that no approval has left out.
    #[must_use]
    pub fn left_scopes(&self) -> &[String] {
        self.approvals.last().and_then(|last| last.scopes.as_deref()).unwrap_or(&self.scopes)
    }

    /// For how many seconds it can still be approved.
    #[must_use]
    pub fn left_duration_s(&self) -> i64 {
        self.approvals.last().and_then(|last| last.duration_s).unwrap_or(self.duration_s)
    }

    /// Whether its grant holds: approved, not over, not ended, and not left lying.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self.state, State::Approved | State::Active)
    }

    /// Whether its grant was approved by `now`: a clock that was wrong may have dated it later.
    #[must_use]
    pub fn has_begun(&self, now: Moment) -> bool {
        let begins = self.approved_at.map(|at| at.saturating_sub(MAX_CLOCK_STEP_S));
        begins.is_some_and(|begins| begins <= now.seconds())
    }

    /// The digests of the rules of these scopes, of those that were defined at submission.
    #[must_use]
    pub fn digests_of(&self, scopes: &[String]) -> BTreeMap<String, ScopeDigest> {
        let digests = self.scope_digests.iter().filter(|(name, _)| scopes.contains(name));
        digests.map(|(name, digest)| (name.clone(), *digest)).collect()
    }

    /// The scopes that its grant has, or would have.
    #[must_use]
    pub fn held_scopes(&self) -> &[String] {
        self.granted_scopes.as_deref().unwrap_or(&self.scopes)
    }

    /// Whether its requester took the grant without an approval.
    #[must_use]
    pub fn is_taken_alone(&self) -> bool {
        self.approvals.is_empty() && self.needs.as_ref().is_some_and(FixedNeeds::is_alone)
    }

    /// The names of those who approved it, the first first, where they are several.
    #[must_use]
    pub fn several_approvers(&self) -> Option<Vec<&str>> {
        Some(self.approvers().collect()).filter(|names: &Vec<&str>| names.len() > 1)
    }

    /// The names of those who approved it.
    pub fn approvers(&self) -> impl Iterator<Item = &str> {
        self.approvals.iter().map(|approval| approval.approver.as_str())
    }
}

/// The names of those who approved a request, as a list in JSON.
macro_rules! approvers {
    () => {
        "(SELECT json_group_array(approver ORDER BY position) FROM approvals WHERE request_id = requests.id)"
    };
}
pub(super) use approvers;

/// The approvals of a request, as a list in JSON.
macro_rules! approvals {
    ($id:literal) => {
        concat!(
            "(SELECT json_group_array(json_object('approver', approver, 'approved_at_ms', approved_at_ms,
                'digest', digest, 'note', note, 'scopes', json(approvals.scopes),
                'duration_s', approvals.duration_s,
                'approver_groups', json(approver_groups)) ORDER BY position)
              FROM approvals WHERE request_id = ",
            $id,
            ")"
        )
    };
}
pub(super) use approvals;

/// Selects requests with their state: the only place that says what each state is. Parameter 1 is
/// the moment in seconds.
///
/// Each is one JSON object, since sqlx copies every value of a row on its way from the connection's thread: with a column
/// for each field, a list of 50 requests spent half of its time on that.
macro_rules! select_requests {
    ($rest:literal) => {
        concat!(
            "SELECT json_object(
                'id', id, 'requester', requester, 'requester_roles', json(requester_roles),
                'requester_groups', json(requester_groups), 'audience', audience, 'scopes', json(scopes),
                'reason', reason, 'incident', incident, 'emergency', json(iif(emergency, 'true', 'false')),
                'duration_s', duration_s, 'extends', extends, 'submitted_at', submitted_at, 'lapses_at', lapses_at,
                'denied_at', denied_at, 'denied_by', denied_by, 'denial_reason', denial_reason,
                'cancelled_at', cancelled_at, 'lapsed_at', lapsed_at,
                'submitted_with', iif(submitted_with IS NULL, NULL, hex(submitted_with)),
                'scope_digests', json(scope_digests), 'needs', json(needs), 'basis', basis,
                'approvals', ",
            $crate::store::row::approvals!("id"),
            ",
                'incident_check', (
                    SELECT json_object('verdict', verdict, 'at_ms', at_ms, 'own_incident', json(iif(own_incident, 'true', 'false')),
                        'found', json(found), 'closed_at_ms', closed_at_ms, 'next_at', next_at)
                    FROM incident_checks WHERE request_id = id),
                'remarks', (SELECT count(*) FROM discussion WHERE request_id = id),
                'approved_at', approved_at, 'jti', jti, 'granted_scopes', json(granted_scopes),
                'expires_at', expires_at, 'activate_by', activate_by, 'activated_at', activated_at,
                'reminded_at', reminded_at, 'expired_at', nullif(expired_at, 0),
                'epoch', epoch, 'revoked_at_ms', revoked_at_ms, 'revoked_by', revoked_by,
                'revocation_reason', revocation_reason,
                'state', CASE
                    WHEN denied_at IS NOT NULL THEN 'denied'
                    WHEN cancelled_at IS NOT NULL THEN 'cancelled'
                    WHEN approved_at IS NULL AND (lapsed_at IS NOT NULL OR lapses_at <= ?1
                        OR submitted_at > ?1 + 5) THEN 'lapsed'
                    WHEN approved_at IS NULL THEN 'pending'
                    WHEN revoked_at_ms IS NOT NULL THEN 'revoked'
                    WHEN lapsed_at IS NOT NULL THEN 'lapsed'
                    WHEN activated_at IS NULL AND activate_by <= ?1 THEN 'lapsed'
                    WHEN expires_at <= ?1 THEN 'expired'
                    WHEN activated_at IS NULL THEN 'approved'
                    ELSE 'active'
                END) AS request
            FROM (
                SELECT requests.*, epoch, revoked_at_ms, revoked_by, revocations.reason AS revocation_reason
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
