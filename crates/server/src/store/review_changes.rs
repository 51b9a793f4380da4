//! What changes a review: it is opened with the first token, owed once the grant has ended, overdue, and decided.

use breakglass_api::reviews::SaidOfLog;
use sqlx::types::Json;

use super::change::Change;
use super::reviews::{Review, select_reviews};
use super::{Request, StoreError, exactly_one};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;

/// A review that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReview {
    /// Its id.
    pub id: String,
    /// The rules that ask for it.
    pub rules: Vec<String>,
    /// How long after the end of the grant it is overdue, in seconds.
    pub within_s: i64,
    /// Whether the requester's emergencies take an approval while it is overdue.
    pub needs_approval: bool,
}

/// What a reviewer decided.
#[derive(Debug, Clone, Copy)]
pub struct NewDecision<'a> {
    /// Who.
    pub by: &'a str,
    /// `signed` or `disputed`.
    pub verdict: &'a str,
    /// The digest of what was shown.
    pub digest: &'a str,
    /// What the person said.
    pub note: Option<&'a str>,
    /// What the person said of the log.
    pub log: Option<&'a SaidOfLog>,
}

/// A review of a database that a restore replaces.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CarriedReview {
    /// Its id.
    pub id: String,
    /// The request of the grant.
    pub request_id: String,
    /// The grant's scopes.
    pub scopes: Json<Vec<String>>,
    /// The rules that asked for it.
    pub rules: Json<Vec<String>>,
    /// How long after the end of the grant it is overdue, in seconds.
    pub within_s: i64,
    /// Whether the requester's emergencies take an approval while it is overdue.
    pub needs_approval: bool,
}

impl Change {
    /// Opens the review of this grant. One that was opened before stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn open_review(
        &mut self,
        request: &Request,
        review: &NewReview,
    ) -> Result<(), StoreError> {
        self.carry_review(&CarriedReview {
            id: review.id.clone(),
            request_id: request.id.clone(),
            scopes: Json(request.held_scopes().to_vec()),
            rules: Json(review.rules.clone()),
            within_s: review.within_s,
            needs_approval: review.needs_approval,
        })
        .await
    }

    /// Takes a review over from a database that is replaced, where this one has the grant and not the review.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn carry_review(&mut self, review: &CarriedReview) -> Result<(), StoreError> {
        // A filter whose clock is late honours the token until then.
        sqlx::query(
            "INSERT INTO reviews (id, request_id, jti, requester, scopes, rules, within_s, needs_approval, ends_at_ms)
             SELECT ?1, id, jti, requester, ?3, ?4, ?5, ?6, CASE
                 WHEN EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti) THEN 0
                 ELSE (expires_at + ?7) * 1000 END
             FROM requests WHERE id = ?2 AND jti IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM reviews WHERE id = ?1)
                 AND NOT EXISTS (SELECT 1 FROM reviews WHERE request_id = ?2)",
        )
        .bind(&review.id)
        .bind(&review.request_id)
        .bind(&review.scopes)
        .bind(&review.rules)
        .bind(review.within_s)
        .bind(review.needs_approval)
        .bind(CLOCK_SKEW_S)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// The reviews whose grants have ended by now and that are not owed yet, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn reviews_to_owe(
        &mut self,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<Review>, StoreError> {
        Ok(sqlx::query_as(select_reviews!(
            "reviews WHERE owed_at_ms IS NULL AND ends_at_ms <= ?1 ORDER BY ends_at_ms LIMIT ?2"
        ))
        .bind(now.millis())
        .bind(limit)
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// Notes that a review is owed: when it is overdue, in milliseconds.
    ///
    /// # Errors
    /// [`StoreError`] if that was noted before.
    pub async fn owe_review(&mut self, now: Moment, id: &str) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "UPDATE reviews SET owed_at_ms = ?2, due_at_ms = ?2 + within_s * 1000
             WHERE id = ?1 AND owed_at_ms IS NULL RETURNING due_at_ms",
        )
        .bind(id)
        .bind(now.millis())
        .fetch_one(&mut *self.0)
        .await?)
    }

    /// The reviews whose deadline has passed by now without that being told, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn reviews_due(
        &mut self,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<Review>, StoreError> {
        Ok(sqlx::query_as(select_reviews!(
            "reviews WHERE owed_at_ms IS NOT NULL AND overdue_at_ms IS NULL AND decided_at_ms IS NULL AND due_at_ms <= ?1
             ORDER BY due_at_ms LIMIT ?2"
        ))
        .bind(now.millis())
        .bind(limit)
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// Notes that the deadline of a review has passed.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if that was noted before, or it is not owed.
    pub async fn review_overdue(&mut self, now: Moment, id: &str) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE reviews SET overdue_at_ms = ?2
             WHERE id = ?1 AND owed_at_ms IS NOT NULL AND overdue_at_ms IS NULL AND decided_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Notes what a reviewer decided.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if one has decided before, or it is not owed.
    pub async fn decide_review(
        &mut self,
        now: Moment,
        id: &str,
        decision: &NewDecision<'_>,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE reviews SET decided_at_ms = ?2, decided_by = ?3, verdict = ?4, digest = ?5, note = ?6, log = ?7
             WHERE id = ?1 AND owed_at_ms IS NOT NULL AND decided_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .bind(decision.by)
        .bind(decision.verdict)
        .bind(decision.digest)
        .bind(decision.note)
        .bind(decision.log.map(Json))
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}
