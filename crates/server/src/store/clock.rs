//! What is believed of the time, kept over restarts; and what follows from the time without anybody's doing.

use breakglass_api::trail::ServiceAction;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::events::{Happened, ServiceAct};
use super::{SERVICE, Store, StoreError, exactly_one};
use crate::clock::Moment;

/// How many of the latest rows of a trail are asked for their time: more than one minute of a busy service.
macro_rules! latest_rows {
    ($table:literal, $after:literal) => {
        concat!(
            "(SELECT max(at_ms) FROM (SELECT at_ms FROM ",
            $table,
            " WHERE seq > ",
            $after,
            " ORDER BY seq DESC LIMIT 1000))"
        )
    };
}

/// What was believed of the time when this was written, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ClockRow {
    /// The boot of the machine; empty where no other row can be compared with this one.
    pub boot: String,
    /// Its steady clock.
    pub steady_ms: i64,
    /// The believed time minus the steady clock.
    pub offset_ms: i64,
    /// The wall clock minus the believed time.
    pub ahead_ms: i64,
    /// The latest time that was believed.
    pub newest_ms: i64,
    /// The earliest time that it could be.
    pub floor_ms: i64,
    /// On this boot it may be as early as the steady clock plus this ..
    pub floor_offset_ms: Option<i64>,
    /// .. until the steady clock is this.
    pub floor_until_ms: Option<i64>,
    /// The rows of `audit` up to here say nothing of the time.
    pub audit_seq: i64,
    /// The rows of `service_trail` up to here say nothing of the time.
    pub trail_seq: i64,
}

impl Store {
    /// What was believed when the service last wrote it down.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn clock(&self) -> Result<Option<ClockRow>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM clock").fetch_optional(&self.lookups).await?)
    }

    /// The latest time in the trails after these rows, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn newest_row(
        &self,
        audit_seq: i64,
        trail_seq: i64,
    ) -> Result<Option<Moment>, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar(concat!(
            "SELECT max(at_ms) FROM (SELECT ",
            latest_rows!("audit", "?1"),
            " AS at_ms UNION ALL SELECT ",
            latest_rows!("service_trail", "?2"),
            ")"
        ))
        .bind(audit_seq)
        .bind(trail_seq)
        .fetch_one(&self.lookups)
        .await?;
        Ok(newest.map(Moment::from_millis))
    }

    /// Writes down what is believed.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn save_clock(&self, row: &ClockRow) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        write(&mut transaction, row).await?;
        transaction.commit().await
    }

    /// Writes down that another time is believed from now on, on whose word, and that every proxy has to read
    /// the feed again. What the trails say of the time up to here says nothing of it any more.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do all of it: then none of it is done.
    pub async fn accept_clock(
        &self,
        row: &ClockRow,
        detail: &Value,
    ) -> Result<ClockRow, StoreError> {
        let mut change = self.change().await?;
        // The row that is about to be appended says nothing of the time either.
        let (audit_seq, trail_seq): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(seq), 0) FROM audit),
                 (SELECT coalesce(max(seq), 0) + 1 FROM service_trail)",
        )
        .fetch_one(&mut *change.0)
        .await?;
        let row = ClockRow { audit_seq, trail_seq, ..row.clone() };
        write(&mut change.0, &row).await?;
        renew(&mut change.0).await?;
        let (actor, action) = (SERVICE, ServiceAction::AcceptClock);
        let act = Happened::Service(ServiceAct { actor, action, detail });
        let when = Moment::from_millis(row.newest_ms);
        change.record(when, &[act]).await?.commit().await?;
        Ok(row)
    }

    /// Gives the feed another id: every proxy reads all of it again.
    ///
    /// # Errors
    /// [`StoreError`] if the database refuses it.
    pub async fn renew_feed(&self) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        renew(&mut transaction).await?;
        transaction.commit().await
    }

    /// The ids of requests that were not decided in time, or whose grants were not activated in time, at most `limit`, and
    /// of those from a time that has not come: a clock was wrong, and how long they may still wait is not known.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn due(&self, now: Moment, limit: i64) -> Result<Vec<String>, StoreError> {
        // Each part walks its index.
        Ok(sqlx::query_scalar(
            "SELECT id FROM requests
             WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
               AND lapsed_at IS NULL AND lapses_at <= ?1
             UNION
             SELECT id FROM requests
             WHERE approved_at IS NULL AND denied_at IS NULL AND cancelled_at IS NULL
               AND lapsed_at IS NULL AND submitted_at > ?1 + 5
             UNION
             SELECT id FROM requests
             WHERE activate_by IS NOT NULL AND activated_at IS NULL AND lapsed_at IS NULL
               AND activate_by <= ?1
             LIMIT ?2",
        )
        .bind(now.seconds())
        .bind(limit)
        .fetch_all(&self.lookups)
        .await?)
    }
}

async fn write(connection: &mut SqliteConnection, row: &ClockRow) -> Result<(), StoreError> {
    let result = sqlx::query(
        "INSERT INTO clock (only_row, boot, steady_ms, offset_ms, ahead_ms, newest_ms, floor_ms,
             floor_offset_ms, floor_until_ms, audit_seq, trail_seq)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (only_row) DO UPDATE SET boot = ?1, steady_ms = ?2, offset_ms = ?3,
             ahead_ms = ?4, newest_ms = ?5, floor_ms = ?6, floor_offset_ms = ?7,
             floor_until_ms = ?8, audit_seq = ?9, trail_seq = ?10",
    )
    .bind(&row.boot)
    .bind(row.steady_ms)
    .bind(row.offset_ms)
    .bind(row.ahead_ms)
    .bind(row.newest_ms)
    .bind(row.floor_ms)
    .bind(row.floor_offset_ms)
    .bind(row.floor_until_ms)
    .bind(row.audit_seq)
    .bind(row.trail_seq)
    .execute(connection)
    .await?;
    exactly_one(&result)
}

async fn renew(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let result =
        sqlx::query("UPDATE feed SET id = lower(hex(randomblob(16)))").execute(connection).await?;
    exactly_one(&result)
}
