//! Reviews: a person who took no part looks at a used grant once it has ended. What is read of them; what changes them is in
//! [`super::review_changes`].

use breakglass_api::reviews::{ReviewState, SaidOfLog};
use sqlx::SqliteExecutor;
use sqlx::types::Json;

use super::change::Change;
use super::{Store, StoreError};
use crate::clock::Moment;

/// A review as the database has it. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Review {
    /// Its id.
    pub id: String,
    /// The request of the grant.
    pub request_id: String,
    /// The grant.
    pub jti: String,
    /// Who held it.
    pub requester: String,
    /// Its scopes.
    pub scopes: Json<Vec<String>>,
    /// The rules that asked for the review when the first token was taken.
    pub rules: Json<Vec<String>>,
    /// Whether the requester's emergencies take an approval while it is overdue.
    pub needs_approval: bool,
    /// When it became owed; none while the grant holds.
    pub owed_at_ms: Option<i64>,
    /// When it is overdue; none while the grant holds.
    pub due_at_ms: Option<i64>,
    /// When it was told that it is.
    pub overdue_at_ms: Option<i64>,
    /// When it was signed or disputed.
    pub decided_at_ms: Option<i64>,
    /// By whom.
    pub decided_by: Option<String>,
    /// `signed` or `disputed`.
    pub verdict: Option<String>,
    /// The digest of what was shown.
    pub digest: Option<String>,
    /// What that person said.
    pub note: Option<String>,
    /// What that person said of the log.
    pub log: Option<Json<SaidOfLog>>,
}

impl Review {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> ReviewState {
        match (self.owed_at_ms, self.overdue_at_ms, self.verdict.as_deref()) {
            (_, _, Some("disputed")) => ReviewState::Disputed,
            (_, _, Some(_)) => ReviewState::Signed,
            (_, Some(_), None) => ReviewState::Overdue,
            (Some(_), None, None) => ReviewState::Owed,
            (None, None, None) => ReviewState::Waiting,
        }
    }
}

/// Selects reviews.
macro_rules! select_reviews {
    ($rest:expr) => {
        concat!(
            "SELECT id, request_id, jti, requester, scopes, rules, needs_approval, owed_at_ms, due_at_ms, overdue_at_ms,
                 decided_at_ms, decided_by, verdict, digest, note, log FROM ",
            $rest
        )
    };
}
pub(super) use select_reviews;

/// Selects the newest before one: all, or those of some lists.
macro_rules! page {
    (all from $table:literal, $condition:literal) => {
        select_reviews!(concat!(
            $table,
            " WHERE id < ?1 AND ?2 IS NULL AND ",
            $condition,
            " ORDER BY id DESC LIMIT ?3"
        ))
    };
    (listed, $condition:literal) => {
        select_reviews!(concat!(
            "reviews WHERE id IN (SELECT review_id FROM review_lists WHERE list IN (SELECT value FROM json_each(?2)))
                 AND id < ?1 AND ",
            $condition,
            " ORDER BY id DESC LIMIT ?3"
        ))
    };
}

/// Both, with the condition written once. What is not decided has an index of its own.
macro_rules! pages {
    ($is_listed:expr, open, $condition:literal) => {
        match $is_listed {
            true => page!(listed, $condition),
            false => page!(all from "reviews INDEXED BY reviews_open", $condition),
        }
    };
    ($is_listed:expr, $condition:literal) => {
        match $is_listed {
            true => page!(listed, $condition),
            false => page!(all from "reviews", $condition),
        }
    };
}

/// Sorts after every id.
const NEWEST: &str = "\u{10ffff}";

/// In which states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewsIn {
    /// All of them.
    Any,
    /// Owed or overdue: it can be signed.
    Signable,
    /// This one alone.
    State(ReviewState),
}

/// Which reviews: the newest first.
#[derive(Debug, Clone, Copy)]
pub struct ReviewFilter<'a> {
    /// Of these lists alone: `requester <name>`, `scope <name>`. None: all.
    pub lists: Option<&'a [String]>,
    /// In these states alone.
    pub states: ReviewsIn,
    /// Older than the one with this id.
    pub after: Option<&'a str>,
}

impl ReviewFilter<'_> {
    fn page(&self) -> &'static str {
        let is_listed = self.lists.is_some();
        match self.states {
            ReviewsIn::Any => pages!(is_listed, "true"),
            ReviewsIn::Signable => {
                pages!(is_listed, open, "decided_at_ms IS NULL AND owed_at_ms IS NOT NULL")
            }
            ReviewsIn::State(ReviewState::Waiting) => {
                pages!(is_listed, open, "decided_at_ms IS NULL AND owed_at_ms IS NULL")
            }
            ReviewsIn::State(ReviewState::Owed) => pages!(
                is_listed,
                open,
                "decided_at_ms IS NULL AND owed_at_ms IS NOT NULL AND overdue_at_ms IS NULL"
            ),
            ReviewsIn::State(ReviewState::Overdue) => {
                pages!(is_listed, open, "decided_at_ms IS NULL AND overdue_at_ms IS NOT NULL")
            }
            ReviewsIn::State(ReviewState::Signed) => pages!(is_listed, "verdict = 'signed'"),
            ReviewsIn::State(ReviewState::Disputed) => pages!(is_listed, "verdict = 'disputed'"),
        }
    }
}

/// How many reviews wait for a reviewer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct OpenReviews {
    /// Their deadline has not passed.
    pub owed: i64,
    /// It has.
    pub overdue: i64,
}

impl Store {
    /// The reviews that `filter` lets through, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn reviews(
        &self,
        filter: ReviewFilter<'_>,
        limit: i64,
    ) -> Result<Vec<Review>, StoreError> {
        Ok(sqlx::query_as(filter.page())
            .bind(filter.after.unwrap_or(NEWEST))
            .bind(filter.lists.map(Json))
            .bind(limit)
            .fetch_all(&self.lists)
            .await?)
    }

    /// The review with this id.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn review(&self, id: &str) -> Result<Option<Review>, StoreError> {
        Ok(sqlx::query_as(select_reviews!("reviews WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// The review of the grant of this request.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn review_of(&self, request: &str) -> Result<Option<Review>, StoreError> {
        Ok(sqlx::query_as(select_reviews!("reviews WHERE request_id = ?1"))
            .bind(request)
            .fetch_optional(&self.lookups)
            .await?)
    }

    /// How many reviews wait for a reviewer.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn open_reviews(&self) -> Result<OpenReviews, StoreError> {
        Ok(sqlx::query_as(
            "SELECT coalesce(sum(overdue_at_ms IS NULL), 0) AS owed, coalesce(sum(overdue_at_ms IS NOT NULL), 0) AS overdue
             FROM reviews INDEXED BY reviews_open WHERE id > '' AND decided_at_ms IS NULL AND owed_at_ms IS NOT NULL",
        )
        .fetch_one(&self.lists)
        .await?)
    }

    /// Whether a grant whose review is not owed yet has ended by now.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_review_to_owe(&self, now: Moment) -> Result<bool, StoreError> {
        let has =
            "SELECT EXISTS (SELECT 1 FROM reviews WHERE owed_at_ms IS NULL AND ends_at_ms <= ?1)";
        Ok(sqlx::query_scalar(has).bind(now.millis()).fetch_one(&self.lookups).await?)
    }

    /// Whether the deadline of a review has passed by now, and that was not told.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_review_due(&self, now: Moment) -> Result<bool, StoreError> {
        let has = "SELECT EXISTS (SELECT 1 FROM reviews
             WHERE owed_at_ms IS NOT NULL AND overdue_at_ms IS NULL AND decided_at_ms IS NULL AND due_at_ms <= ?1)";
        Ok(sqlx::query_scalar(has).bind(now.millis()).fetch_one(&self.lookups).await?)
    }
}

impl Change {
    /// The review with this id, as it is and stays until the change ends.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn review(&mut self, id: &str) -> Result<Option<Review>, StoreError> {
        Ok(sqlx::query_as(select_reviews!("reviews WHERE id = ?1"))
            .bind(id)
            .fetch_optional(&mut *self.0)
            .await?)
    }

    /// Whether the deadline of a review of a grant of `person` has passed by now, which a rule lets wait for with the person's
    /// next emergency, and which no reviewer has signed or disputed. A deadline that was told to have passed has passed,
    /// whatever the clock says since.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_overdue_review(
        &mut self,
        now: Moment,
        person: &str,
    ) -> Result<bool, StoreError> {
        has_overdue_review(&mut *self.0, now, person).await
    }
}

impl Store {
    /// The same as [`Change::has_overdue_review`], without a lock.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has_overdue_review(&self, now: Moment, person: &str) -> Result<bool, StoreError> {
        has_overdue_review(&self.lookups, now, person).await
    }
}

async fn has_overdue_review(
    database: impl SqliteExecutor<'_>,
    now: Moment,
    person: &str,
) -> Result<bool, StoreError> {
    let has = "SELECT EXISTS (SELECT 1 FROM reviews
             WHERE requester = ?1 AND needs_approval = 1 AND owed_at_ms IS NOT NULL AND decided_at_ms IS NULL
               AND (due_at_ms <= ?2 OR overdue_at_ms IS NOT NULL))";
    Ok(sqlx::query_scalar(has).bind(person).bind(now.millis()).fetch_one(database).await?)
}
