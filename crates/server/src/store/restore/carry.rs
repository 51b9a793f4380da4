//! What ends with a restore: grants that ended after the backup, grants that the backup does not have, and, where it is not
//! known what ended, every grant that holds.

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use serde_json::{Value, json};
use sqlx::types::Json;

use super::replaced::{Replaced, State};
use crate::clock::{Moment, rfc3339};
use crate::store::change::Change;
use crate::store::events::{Happened, OfRequest, Revocations};
use crate::store::row::{Request, json as list, select_requests};
use crate::store::{LiveGrant, SERVICE, StoreError};

/// A grant that ends.
#[derive(Debug)]
struct End {
    jti: String,
    reason: String,
    /// For the trail.
    because: &'static str,
}

/// What ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Grants of the backup that had ended in the database that was replaced.
    pub(super) carried: usize,
    /// Grants that were made after the backup.
    pub(super) made_since: usize,
    /// Grants of the backup of which it is not known.
    pub(super) unknown: usize,
    /// Pending requests that were cancelled.
    pub(super) cancelled: Vec<Request>,
    /// Grants of the replaced database that could not be taken over.
    pub(super) not_carried: Vec<String>,
    /// The epochs, each with what the trail says of it.
    revoked: Vec<(i64, Value)>,
}

impl Ended {
    /// What the trail says of it.
    pub(super) fn happened(&self) -> Vec<Happened<'_>> {
        let revoked = self.revoked.iter().map(|(epoch, detail)| {
            let (after, detail) = (epoch.saturating_sub(1), detail.clone());
            Happened::Revocations(Revocations { actor: SERVICE, after, last: *epoch, detail })
        });
        let cancelled = self.cancelled.iter().map(|request| {
            let words = (Action::Cancel, EventType::Cancelled);
            let detail = json!({ "reason": "restored" });
            Happened::Request(OfRequest::new(SERVICE, words, request, detail))
        });
        revoked.chain(cancelled).collect()
    }
}

/// Ends them. `live` are the grants that hold by the backup, of which none is known to have ended; nothing where they stay.
pub(super) async fn end(
    change: &mut Change,
    now: Moment,
    replaced: &Replaced,
    live: &[LiveGrant],
) -> Result<Ended, StoreError> {
    let mut ended = Ended::default();
    for request in &replaced.grants {
        let Some(jti) = &request.jti else { continue };
        let known = change.grant(now, jti).await?;
        let has_ended =
            known.as_ref().is_some_and(|one| one.epoch.is_some() || one.lapsed_at.is_some());
        let Some(end) = why(request, jti, known.is_some()).filter(|_| !has_ended) else { continue };
        if known.is_none() && !take_over(change, now, request).await? {
            ended.not_carried.push(jti.clone());
            continue;
        }
        let count = if known.is_none() { &mut ended.made_since } else { &mut ended.carried };
        *count = count.saturating_add(1);
        ended.revoke(change, now, end).await?;
    }
    for grant in live {
        let reason =
            "whether it was revoked after the backup that was restored is not known".to_owned();
        let end = End { jti: grant.jti.clone(), reason, because: "unknown" };
        if ended.revoke(change, now, end).await? {
            ended.unknown = ended.unknown.saturating_add(1);
        }
    }
    // What was used after the backup is owed, under the ids by which receivers know it.
    for rotation in &replaced.rotations {
        change.carry_rotation(rotation).await?;
    }
    for review in &replaced.reviews {
        change.carry_review(review).await?;
    }
    ended.cancel(change, now, replaced).await?;
    Ok(ended)
}

/// Why a grant of the replaced database ends, if it does.
fn why(request: &Request, jti: &str, known: bool) -> Option<End> {
    let end = |because, reason| Some(End { jti: jti.to_owned(), reason, because });
    if let (Some(by), Some(at)) = (&request.revoked_by, request.revoked_at_ms) {
        let (at, why) = (rfc3339(at.div_euclid(1000)), request.revocation_reason.as_deref());
        let why = why.unwrap_or_default();
        return end("revoked", format!("before the restore, {by} revoked it at {at}: {why}"));
    }
    match (request.lapsed_at, known) {
        (Some(_), _) => end("lapsed", "it had lapsed before the restore".to_owned()),
        (None, false) => {
            end("made_since", "it was approved after the backup that was restored".to_owned())
        }
        (None, true) => None,
    }
}

impl Ended {
    /// Whether it was not revoked before.
    async fn revoke(
        &mut self,
        change: &mut Change,
        now: Moment,
        end: End,
    ) -> Result<bool, StoreError> {
        let step = change.revoke(now, &[end.jti], SERVICE, &end.reason).await?;
        if step.revoked.is_empty() {
            return Ok(false);
        }
        self.revoked.push((step.epoch, json!({ "reason": end.reason, "restored": end.because })));
        Ok(true)
    }

    /// Cancels what waits for a decision by the backup, unless it is known that it still does.
    async fn cancel(
        &mut self,
        change: &mut Change,
        now: Moment,
        replaced: &Replaced,
    ) -> Result<(), StoreError> {
        let pending: Vec<Request> = sqlx::query_as(select_requests!(
            "WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL AND lapsed_at IS NULL ORDER BY id"
        ))
        .bind(now.seconds())
        .fetch_all(&mut *change.0)
        .await?;
        for request in pending {
            let waits = replaced.state == State::Whole && replaced.pending.contains(&request.id);
            if request.state == breakglass_api::request::State::Pending && !waits {
                change.cancel_one(now, &request).await?;
                self.cancelled.push(request);
            }
        }
        Ok(())
    }
}

/// Takes a grant over that the backup does not have, so that the feed can list it. Whether it could be: a row of a database
/// that was changed can break a rule of this one.
async fn take_over(
    change: &mut Change,
    now: Moment,
    request: &Request,
) -> Result<bool, StoreError> {
    sqlx::query("SAVEPOINT grant_taken").execute(&mut *change.0).await?;
    match write(change, now, request).await {
        Ok(()) => {
            sqlx::query("RELEASE grant_taken").execute(&mut *change.0).await?;
            Ok(true)
        }
        Err(cause @ StoreError::Database(sqlx::Error::Database(_))) => {
            tracing::warn!(%cause, request = request.id, "a grant of the replaced database is not taken over");
            sqlx::raw_sql("ROLLBACK TO grant_taken; RELEASE grant_taken")
                .execute(&mut *change.0)
                .await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn write(change: &mut Change, now: Moment, request: &Request) -> Result<(), StoreError> {
    if change.request(now, &request.id).await?.is_none() {
        sqlx::query(
            "INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes, reason, incident,
                emergency, duration_s, submitted_at, lapses_at, submitted_with, scope_digests, extends, needs, basis)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, (SELECT id FROM requests WHERE id = ?15), ?16, ?17)",
        )
        .bind(&request.id)
        .bind(&request.requester)
        .bind(list(&request.requester_roles))
        .bind(list(&request.requester_groups))
        .bind(&request.audience)
        .bind(list(&request.scopes))
        .bind(&request.reason)
        .bind(&request.incident)
        .bind(request.emergency)
        .bind(request.duration_s)
        .bind(request.submitted_at)
        .bind(request.lapses_at)
        .bind(request.submitted_with.as_ref().map(|digest| digest.to_vec()))
        .bind(Json(&request.scope_digests))
        .bind(&request.extends)
        .bind(request.needs.as_ref().map(Json))
        .bind(request.basis.word())
        .execute(&mut *change.0)
        .await?;
    }
    for (position, approval) in (1_i64..).zip(&request.approvals) {
        sqlx::query(
            "INSERT INTO approvals (request_id, position, approver, approved_at_ms, digest, note, scopes, duration_s,
                approver_groups)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )
        .bind(&request.id)
        .bind(position)
        .bind(&approval.approver)
        .bind(approval.approved_at_ms)
        .bind(&approval.digest)
        .bind(&approval.note)
        .bind(approval.scopes.as_deref().map(list))
        .bind(approval.duration_s)
        .bind(approval.approver_groups.as_deref().map(list))
        .execute(&mut *change.0)
        .await?;
    }
    sqlx::query(
        "UPDATE requests SET approved_at = ?2, jti = ?3, granted_scopes = ?4, expires_at = ?5, activate_by = ?6,
             activated_at = ?7 WHERE id = ?1",
    )
    .bind(&request.id)
    .bind(request.approved_at)
    .bind(&request.jti)
    .bind(request.granted_scopes.as_deref().map(list))
    .bind(request.expires_at)
    .bind(request.activate_by)
    .bind(request.activated_at)
    .execute(&mut *change.0)
    .await?;
    Ok(())
}
