//! Rotations: what a used grant touched is rotated once the grant has ended. What is read of them; what changes them is in
//! [`super::rotation_changes`].

use breakglass_api::rotations::RotationState;
use sqlx::types::Json;

use super::{Store, StoreError};
use crate::clock::Moment;

/// A rotation as the database has it. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Rotation {
    /// Its id, for good.
    pub id: String,
    /// The request of the grant.
    pub request_id: String,
    /// The grant.
    pub jti: String,
    /// The hook, as the configuration named it when the first token was taken.
    pub hook: String,
    /// The grant's scopes that named the hook.
    pub scopes: Json<Vec<String>>,
    /// When it became owed; none while the grant holds.
    pub owed_at_ms: Option<i64>,
    /// Since when the hook is called.
    pub tried_since_ms: Option<i64>,
    /// How often it was called, since then.
    pub attempts: i64,
    /// What came of the last call.
    pub last_outcome: Option<String>,
    /// When the last call failed, after which no other one is made.
    pub failed_at_ms: Option<i64>,
    /// When it was done.
    pub done_at_ms: Option<i64>,
    /// The person who rotated by hand, or `service` where the hook took the call.
    pub done_by: Option<String>,
    /// What that person said.
    pub note: Option<String>,
}

impl Rotation {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> RotationState {
        match (self.owed_at_ms, self.failed_at_ms, self.done_at_ms) {
            (_, _, Some(_)) => RotationState::Done,
            (_, Some(_), None) => RotationState::Failed,
            (Some(_), None, None) => RotationState::Owed,
            (None, None, None) => RotationState::Waiting,
        }
    }
}

/// What is selected of rotations.
macro_rules! columns {
    () => {
        "SELECT id, request_id, jti, hook, scopes, owed_at_ms, tried_since_ms, attempts, last_outcome, failed_at_ms,
             done_at_ms, done_by, note FROM "
    };
}
pub(super) use columns;

/// Selects rotations.
macro_rules! select_rotations {
    ($rest:expr) => {
        concat!($crate::store::rotations::columns!(), "rotations ", $rest)
    };
}
pub(super) use select_rotations;

/// Selects the newest before one: all, or those of some lists.
macro_rules! page {
    (all from $table:literal, $condition:literal) => {
        concat!(
            columns!(),
            $table,
            " WHERE id < ?1 AND ?2 IS NULL AND ",
            $condition,
            " ORDER BY id DESC LIMIT ?3"
        )
    };
    (listed, $condition:literal) => {
        select_rotations!(concat!(
            "WHERE id IN (SELECT rotation_id FROM rotation_lists WHERE list IN (SELECT value FROM json_each(?2)))
                 AND id < ?1 AND ",
            $condition,
            " ORDER BY id DESC LIMIT ?3"
        ))
    };
}

/// Sorts after every id.
const NEWEST: &str = "\u{10ffff}";

/// Which rotations: the newest first.
#[derive(Debug, Clone, Copy)]
pub struct RotationFilter<'a> {
    /// Of these lists alone: `requester <name>`, `scope <name>`. None: all.
    pub lists: Option<&'a [String]>,
    /// In this state alone.
    pub state: Option<RotationState>,
    /// Older than the one with this id.
    pub after: Option<&'a str>,
}

/// How many rotations are owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenRotations {
    /// The hook is called.
    pub owed: i64,
    /// The calls are over, and failed.
    pub failed: i64,
    /// When the oldest of both became owed, in milliseconds.
    pub oldest_ms: Option<i64>,
}

impl Store {
    /// The rotations that `filter` lets through, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn rotations(
        &self,
        filter: RotationFilter<'_>,
        limit: i64,
    ) -> Result<Vec<Rotation>, StoreError> {
        // What is not done has an index of its own.
        let page = match (filter.state, filter.lists.is_some()) {
            (None, false) => page!(all from "rotations", "true"),
            (None, true) => page!(listed, "true"),
            (Some(RotationState::Waiting), false) => {
                page!(all from "rotations INDEXED BY rotations_open", "done_at_ms IS NULL AND owed_at_ms IS NULL")
            }
            (Some(RotationState::Waiting), true) => page!(listed, "owed_at_ms IS NULL"),
            (Some(RotationState::Owed), false) => page!(
                all from "rotations INDEXED BY rotations_open",
                "done_at_ms IS NULL AND owed_at_ms IS NOT NULL AND failed_at_ms IS NULL"
            ),
            (Some(RotationState::Owed), true) => {
                page!(
                    listed,
                    "done_at_ms IS NULL AND owed_at_ms IS NOT NULL AND failed_at_ms IS NULL"
                )
            }
            (Some(RotationState::Failed), false) => page!(
                all from "rotations INDEXED BY rotations_open",
                "done_at_ms IS NULL AND failed_at_ms IS NOT NULL"
            ),
            (Some(RotationState::Failed), true) => page!(listed, "failed_at_ms IS NOT NULL"),
            (Some(RotationState::Done), false) => {
                page!(all from "rotations", "done_at_ms IS NOT NULL")
            }
            (Some(RotationState::Done), true) => page!(listed, "done_at_ms IS NOT NULL"),
        };
        Ok(sqlx::query_as(page)
            .bind(filter.after.unwrap_or(NEWEST))
            .bind(filter.lists.map(Json))
            .bind(limit)
            .fetch_all(&self.lists)
            .await?)
    }

    /// The rotations of one request, by hook.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn rotations_of(&self, request: &str) -> Result<Vec<Rotation>, StoreError> {
        Ok(sqlx::query_as(select_rotations!("WHERE request_id = ?1 ORDER BY hook"))
            .bind(request)
            .fetch_all(&self.lookups)
            .await?)
    }

    /// The rotation with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn rotation(&self, id: &str) -> Result<Option<Rotation>, StoreError> {
        Ok(sqlx::query_as(select_rotations!("WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// How many rotations are owed.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn open_rotations(&self) -> Result<OpenRotations, StoreError> {
        Ok(sqlx::query_as(
            "SELECT coalesce(sum(failed_at_ms IS NULL), 0) AS owed, coalesce(sum(failed_at_ms IS NOT NULL), 0) AS failed,
                 min(owed_at_ms) AS oldest_ms
             FROM rotations INDEXED BY rotations_open WHERE id > '' AND done_at_ms IS NULL AND owed_at_ms IS NOT NULL",
        )
        .fetch_one(&self.lists)
        .await?)
    }

    /// Whether the grant of a rotation that is not owed yet has ended by now.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_rotation_to_owe(&self, now: Moment) -> Result<bool, StoreError> {
        let has =
            "SELECT EXISTS (SELECT 1 FROM rotations WHERE owed_at_ms IS NULL AND next_at_ms <= ?1)";
        Ok(sqlx::query_scalar(has).bind(now.millis()).fetch_one(&self.lookups).await?)
    }
}
