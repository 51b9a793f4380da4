//! What changes a rotation: it is opened with the first token, owed once the grant has ended, tried, and done.

use sqlx::types::Json;

use super::change::Change;
use super::rotations::{Rotation, select_rotations};
use super::{Request, SERVICE, Store, StoreError, exactly_one};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;

/// A rotation that is to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRotation {
    /// Its id.
    pub id: String,
    /// The hook.
    pub hook: String,
    /// The grant's scopes that name the hook.
    pub scopes: Vec<String>,
}

/// A rotation of a database that a restore replaces.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CarriedRotation {
    /// Its id.
    pub id: String,
    /// The request of the grant.
    pub request_id: String,
    /// The hook.
    pub hook: String,
    /// The grant's scopes that named the hook.
    pub scopes: Json<Vec<String>>,
}

impl Change {
    /// Takes a rotation over from a database that is replaced, where this one has the grant and not the rotation.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn carry_rotation(&mut self, rotation: &CarriedRotation) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
             SELECT ?1, id, jti, ?3, ?4, CASE
                 WHEN EXISTS (SELECT 1 FROM revocations WHERE revocations.jti = requests.jti) THEN 0
                 ELSE (expires_at + ?5) * 1000 END
             FROM requests WHERE id = ?2 AND jti IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM rotations WHERE id = ?1 OR request_id = ?2 AND hook = ?3)",
        )
        .bind(&rotation.id)
        .bind(&rotation.request_id)
        .bind(&rotation.hook)
        .bind(&rotation.scopes)
        .bind(CLOCK_SKEW_S)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// Opens the rotations that this grant will owe. One that was opened before stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn open_rotations(
        &mut self,
        request: &Request,
        rotations: &[NewRotation],
    ) -> Result<(), StoreError> {
        for NewRotation { id, hook, scopes } in rotations {
            // A filter whose clock is late honours the token until then.
            sqlx::query(
                "INSERT INTO rotations (id, request_id, jti, hook, scopes, next_at_ms)
                 SELECT ?1, id, jti, ?3, ?4, (expires_at + ?5) * 1000 FROM requests WHERE id = ?2 AND jti IS NOT NULL
                 ON CONFLICT (request_id, hook) DO NOTHING",
            )
            .bind(id)
            .bind(&request.id)
            .bind(hook)
            .bind(Json(scopes))
            .bind(CLOCK_SKEW_S)
            .execute(&mut *self.0)
            .await?;
        }
        Ok(())
    }

    /// The rotations whose grants have ended by now and that are not owed yet, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn rotations_to_owe(
        &mut self,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<Rotation>, StoreError> {
        Ok(sqlx::query_as(select_rotations!(
            "WHERE owed_at_ms IS NULL AND next_at_ms <= ?1 ORDER BY next_at_ms LIMIT ?2"
        ))
        .bind(now.millis())
        .bind(limit)
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// Notes that a rotation is owed: its hook is called from now on.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if that was noted before.
    pub async fn owe_rotation(&mut self, now: Moment, id: &str) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE rotations SET owed_at_ms = ?2, tried_since_ms = ?2, next_at_ms = ?2
             WHERE id = ?1 AND owed_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// The rotation with this id, as it is and stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn rotation(&mut self, id: &str) -> Result<Option<Rotation>, StoreError> {
        Ok(sqlx::query_as(select_rotations!("WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// Notes that the hook took the call.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if the rotation is not owed.
    pub async fn rotation_called(
        &mut self,
        now: Moment,
        id: &str,
        outcome: &str,
    ) -> Result<(), StoreError> {
        self.rotation_done(now, id, SERVICE, (Some(outcome), None)).await
    }

    /// Notes that a person has rotated by hand.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if the rotation is not owed.
    pub async fn rotated_by_hand(
        &mut self,
        now: Moment,
        id: &str,
        (person, note): (&str, &str),
    ) -> Result<(), StoreError> {
        self.rotation_done(now, id, person, (None, Some(note))).await
    }

    /// It is owed no more, by what `by` did: with what the hook answered, or with what the person writes.
    async fn rotation_done(
        &mut self,
        now: Moment,
        id: &str,
        by: &str,
        (outcome, note): (Option<&str>, Option<&str>),
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE rotations SET done_at_ms = ?2, done_by = ?3, last_outcome = coalesce(?4, last_outcome), note = ?5,
                 failed_at_ms = NULL, next_at_ms = NULL
             WHERE id = ?1 AND owed_at_ms IS NOT NULL AND done_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .bind(by)
        .bind(outcome)
        .bind(note)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Notes that no further call is made.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if that was noted before, or the rotation is not owed.
    pub async fn rotation_failed(
        &mut self,
        now: Moment,
        id: &str,
        outcome: &str,
    ) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE rotations SET failed_at_ms = ?2, last_outcome = ?3, next_at_ms = NULL
             WHERE id = ?1 AND owed_at_ms IS NOT NULL AND failed_at_ms IS NULL AND done_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .bind(outcome)
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }

    /// Lets the hook be called at once, and again for as long as from the beginning.
    ///
    /// # Errors
    /// [`StoreError::RowsAffected`] if the rotation is not owed.
    pub async fn retry_rotation(&mut self, now: Moment, id: &str) -> Result<(), StoreError> {
        let result = sqlx::query(
            "UPDATE rotations SET failed_at_ms = NULL, attempts = 0, tried_since_ms = ?2, next_at_ms = ?2
             WHERE id = ?1 AND owed_at_ms IS NOT NULL AND done_at_ms IS NULL",
        )
        .bind(id)
        .bind(now.millis())
        .execute(&mut *self.0)
        .await?;
        exactly_one(&result)
    }
}

impl Store {
    /// Takes the rotations of this hook that are to be called now, at most so many. Until `again_ms` no other process takes
    /// them: if this one ends meanwhile, they are called again then. A time later than `latest_ms` was written by a clock that
    /// was wrong, and counts for nothing.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn take_due_rotations(
        &self,
        now: Moment,
        hook: &str,
        (again_ms, latest_ms): (i64, i64),
        most: i64,
    ) -> Result<Vec<Rotation>, StoreError> {
        let has_due = "SELECT EXISTS (SELECT 1 FROM rotations
            WHERE hook = ?1 AND owed_at_ms IS NOT NULL AND next_at_ms IS NOT NULL AND (next_at_ms <= ?2 OR next_at_ms > ?3))";
        let has_due = sqlx::query_scalar(has_due).bind(hook).bind(now.millis()).bind(latest_ms);
        // Most of the time there is none: that takes no lock.
        if !has_due.fetch_one(&self.lookups).await? {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        let due = sqlx::query_as(
            "UPDATE rotations SET attempts = attempts + 1, next_at_ms = ?4
             WHERE id IN (SELECT id FROM rotations
                 WHERE hook = ?1 AND owed_at_ms IS NOT NULL AND next_at_ms IS NOT NULL AND (next_at_ms <= ?2 OR next_at_ms > ?3)
                 ORDER BY next_at_ms LIMIT ?5)
             RETURNING id, request_id, jti, hook, scopes, owed_at_ms, tried_since_ms, attempts, last_outcome, failed_at_ms,
                 done_at_ms, done_by, note",
        )
        .bind(hook)
        .bind(now.millis())
        .bind(latest_ms)
        .bind(again_ms)
        .bind(most)
        .fetch_all(&mut *write)
        .await?;
        write.commit().await?;
        Ok(due)
    }

    /// Writes down that a call failed, and when the next one is made. Of a rotation that was done or tried anew meanwhile
    /// nothing changes.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn postpone_rotation(
        &self,
        rotation: &Rotation,
        next_at_ms: i64,
        outcome: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query(
            "UPDATE rotations SET next_at_ms = ?2, last_outcome = ?3
             WHERE id = ?1 AND next_at_ms IS NOT NULL AND tried_since_ms = ?4",
        )
        .bind(&rotation.id)
        .bind(next_at_ms)
        .bind(outcome)
        .bind(rotation.tried_since_ms)
        .execute(&mut *write)
        .await?;
        write.commit().await
    }
}
