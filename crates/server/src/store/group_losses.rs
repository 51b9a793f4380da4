//! People who lost a group that a scope needs: how many within a while, and whose grants do not end before an administrator
//! says so.

use super::change::Change;
use super::row::json;
use super::{Store, StoreError};
use crate::clock::Moment;

/// How many people lost a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct GroupLosses {
    /// Within the time that was asked for.
    pub recent: i64,
    /// Those whose ends are held, since whenever.
    pub held: i64,
}

/// A person whose grants do not end, although a group was lost.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct HeldEnd {
    /// The group.
    pub group_name: String,
    /// The person.
    pub account: String,
    /// When the provider's answer came, in seconds.
    pub lost_at: i64,
}

impl Change {
    /// Forgets that the person lost one of the groups that they have by a new answer; and of all people losses of before
    /// `since`, and ends that were held of grants that are over. Returns how many of the person's there were.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn forget_losses(
        &mut self,
        account: &str,
        groups: &[String],
        (now, since): (Moment, Moment),
    ) -> Result<u64, StoreError> {
        let seen_again = sqlx::query(
            "DELETE FROM group_losses WHERE account = ?1 AND group_name IN (SELECT value FROM json_each(?2))",
        )
        .bind(account)
        .bind(json(groups))
        .execute(&mut *self.0)
        .await?;
        sqlx::query("DELETE FROM group_losses WHERE held_until IS NULL AND lost_at < ?1")
            .bind(since.seconds())
            .execute(&mut *self.0)
            .await?;
        sqlx::query("DELETE FROM group_losses WHERE held_until <= ?1")
            .bind(now.seconds())
            .execute(&mut *self.0)
            .await?;
        Ok(seen_again.rows_affected())
    }

    /// Whether it is noted that this person lost this group.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn is_loss_noted(&mut self, account: &str, group: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM group_losses WHERE account = ?1 AND group_name = ?2)",
        )
        .bind(account)
        .bind(group)
        .fetch_one(&mut *self.0)
        .await?)
    }

    /// The groups for which this person's ends are held.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn held_groups(
        &mut self,
        now: Moment,
        account: &str,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT group_name FROM group_losses WHERE account = ?1 AND held_until > ?2",
        )
        .bind(account)
        .bind(now.seconds())
        .fetch_all(&mut *self.0)
        .await?)
    }

    /// How many people lost this group since then.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn group_losses(
        &mut self,
        group: &str,
        since: Moment,
    ) -> Result<GroupLosses, StoreError> {
        Ok(sqlx::query_as(
            "SELECT count(*) FILTER (WHERE lost_at >= ?2) AS recent, count(held_until) AS held
             FROM group_losses WHERE group_name = ?1",
        )
        .bind(group)
        .bind(since.seconds())
        .fetch_one(&mut *self.0)
        .await?)
    }

    /// Notes that this person lost this group; until when the end of the grants that need it is held, in seconds.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn note_loss(
        &mut self,
        now: Moment,
        account: &str,
        group: &str,
        held_until: Option<i64>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO group_losses (account, group_name, lost_at, held_until) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, group_name) DO UPDATE SET held_until = ?4",
        )
        .bind(account)
        .bind(group)
        .bind(now.seconds())
        .bind(held_until)
        .execute(&mut *self.0)
        .await?;
        Ok(())
    }

    /// The people whose ends are held for this group, in order, at most so many after this one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn held_for(
        &mut self,
        now: Moment,
        group: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT account FROM group_losses WHERE group_name = ?1 AND account > ?2 AND held_until > ?4
             ORDER BY account LIMIT ?3",
        )
        .bind(group)
        .bind(after)
        .bind(limit)
        .bind(now.seconds())
        .fetch_all(&mut *self.0)
        .await?)
    }
}

impl Store {
    /// The people whose ends are held, by group and name, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn held_ends(&self, now: Moment, limit: i64) -> Result<Vec<HeldEnd>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT group_name, account, lost_at FROM group_losses WHERE held_until > ?1
             ORDER BY group_name, account LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }
}
