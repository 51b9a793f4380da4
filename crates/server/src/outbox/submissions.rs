//! Submissions of which it is not said yet whether an approver was reached: each is written down with the deliveries of its
//! event, until that is said.

use std::time::Duration;

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use sqlx::SqliteConnection;

use super::database::Database;
use crate::clock::Moment;
use crate::sinks::Notice;
use crate::store::StoreError;

/// How long after its submission it is said that no approver was reached.
const REACHED_WITHIN: Duration = Duration::from_secs(30);

/// Writes down that it is to be said of this event, where it is a submission: at once, where no approver is told of it.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    now: Moment,
    notice: &Notice,
    is_any_told: bool,
) -> Result<(), StoreError> {
    let submitted = EventType::of(&notice.kind) == Some(EventType::Submitted);
    let Some(request) = notice.request.as_ref().filter(|_| submitted) else { return Ok(()) };
    let within = i64::try_from(REACHED_WITHIN.as_millis()).unwrap_or(i64::MAX);
    let judge_ms = match is_any_told {
        // A clock that was wrong may have dated it later.
        true => notice.time_ms.min(now.millis()).saturating_add(within),
        false => now.millis(),
    };
    sqlx::query(
        "INSERT INTO submissions (request, judge_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )
    .bind(request)
    .bind(judge_ms)
    .execute(connection)
    .await?;
    Ok(())
}

impl Database {
    /// The requests of which it is to be said now, at most so many. A time that a clock which was wrong set far ahead counts
    /// for nothing.
    pub(super) async fn to_judge(
        &self,
        now: Moment,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let within = i64::try_from(REACHED_WITHIN.as_millis()).unwrap_or(i64::MAX);
        Ok(sqlx::query_scalar(
            "SELECT request FROM submissions WHERE judge_ms <= ?1
             UNION SELECT request FROM submissions WHERE judge_ms > ?2 LIMIT ?3",
        )
        .bind(now.millis())
        .bind(now.millis().saturating_add(within))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?)
    }

    /// It was said.
    pub(super) async fn judged(&self, request: &str) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query("DELETE FROM submissions WHERE request = ?1")
            .bind(request)
            .execute(&mut *change)
            .await?;
        change.commit().await
    }
}
