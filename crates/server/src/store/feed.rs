//! Reads the feed of revocations, on a connection of its own: writers that wait for their lock
//! must not keep news from those who wait for it.

use super::{Store, StoreError};
use crate::clock::Moment;
use crate::limits::CLOCK_SKEW_S;

/// Where the feed stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FeedHead {
    /// Which feed: made with the database.
    pub feed: String,
    /// The latest epoch; 0 before the first revocation.
    pub epoch: i64,
    /// The tag of the epoch that was asked about, if it was given.
    pub tag: Option<String>,
}

/// A revocation as the feed lists it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FeedEntry {
    /// Its place.
    pub epoch: i64,
    /// The grant.
    pub jti: Box<str>,
    /// When the grant would have ended.
    pub exp: i64,
}

impl FeedEntry {
    /// Whether some filter, whose clock may be slow, could still honour the grant.
    ///
    /// INVARIANT (skew): the same condition as in [`Store::feed_after`].
    #[must_use]
    pub fn counts(&self, now: Moment) -> bool {
        self.exp.saturating_add(CLOCK_SKEW_S) > now.seconds()
    }
}

impl Store {
    /// Where the feed stands, and the tag of the epoch `known`.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn feed_head(&self, known: i64) -> Result<FeedHead, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id AS feed, (SELECT coalesce(max(epoch), 0) FROM revocations) AS epoch,
                 (SELECT tag FROM revocations WHERE epoch = ?1) AS tag
             FROM feed",
        )
        .bind(known)
        .fetch_one(&self.feed)
        .await?)
    }

    /// The tags of the epochs after this one, in order: the latest, and at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn feed_tags(
        &self,
        epoch: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Box<str>)>, StoreError> {
        let mut tags: Vec<(i64, Box<str>)> = sqlx::query_as(
            "SELECT epoch, tag FROM revocations WHERE epoch > ?1 ORDER BY epoch DESC LIMIT ?2",
        )
        .bind(epoch)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.feed)
        .await?;
        tags.reverse();
        Ok(tags)
    }

    /// The revocations after this epoch that still count at `floor`, in order.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn feed_after(
        &self,
        floor: Moment,
        epoch: i64,
    ) -> Result<Vec<FeedEntry>, StoreError> {
        // From the beginning there are all that ever were, and few that still count; from a later epoch there are
        // few anyway.
        let query = match epoch {
            ..=0 => {
                "SELECT epoch, jti, expires_at AS exp FROM revocations INDEXED BY revocations_by_end
                 WHERE epoch > ?1 AND expires_at > ?2 ORDER BY epoch"
            }
            _ => {
                "SELECT epoch, jti, expires_at AS exp FROM revocations
                 WHERE epoch > ?1 AND expires_at > ?2 ORDER BY epoch"
            }
        };
        Ok(sqlx::query_as(query)
            .bind(epoch)
            .bind(floor.seconds().saturating_sub(CLOCK_SKEW_S))
            .fetch_all(&self.feed)
            .await?)
    }
}
