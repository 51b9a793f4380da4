//! What the rows of reviews say, beside the events: each step has its event, and each event its step.

use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};

/// Each step of a row that has no event: the review, and the type.
const WITHOUT_EVENT: &str = "
    WITH steps (id, request, type, at_ms, actor, digest) AS (
        SELECT id, request_id, 'breakglass.review.owed', owed_at_ms, 'service', NULL FROM reviews WHERE owed_at_ms IS NOT NULL
        UNION ALL
        SELECT id, request_id, 'breakglass.review.overdue', overdue_at_ms, 'service', NULL FROM reviews
            WHERE overdue_at_ms IS NOT NULL
        UNION ALL
        SELECT id, request_id, 'breakglass.review.' || verdict, decided_at_ms, decided_by, digest FROM reviews
            WHERE decided_at_ms IS NOT NULL)
    SELECT id, type FROM steps WHERE NOT EXISTS (
        SELECT 1 FROM events WHERE request_id = request AND events.type = steps.type AND time_ms = at_ms
            AND events.actor = steps.actor AND data ->> 'review' = steps.id AND data ->> 'digest' IS steps.digest)
    ORDER BY id, type";

/// Each event of which no row says the same: its place, and its type.
const WITHOUT_STEP: &str = "
    SELECT seq, type FROM events WHERE type IN ('breakglass.review.owed', 'breakglass.review.overdue',
            'breakglass.review.signed', 'breakglass.review.disputed')
        AND NOT EXISTS (SELECT 1 FROM reviews WHERE id = data ->> 'review' AND reviews.request_id = events.request_id
            AND time_ms = CASE type WHEN 'breakglass.review.owed' THEN owed_at_ms
                WHEN 'breakglass.review.overdue' THEN overdue_at_ms ELSE decided_at_ms END
            AND (type IN ('breakglass.review.owed', 'breakglass.review.overdue') OR type = 'breakglass.review.' || verdict))
    ORDER BY seq";

/// Compares all reviews.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as(WITHOUT_EVENT).fetch_all(&mut *connection).await?;
    for (id, kind) in rows {
        report.found(
            Part::Requests,
            format!("review {id}: the database says that it happened, and the trail has no `{kind}` of it"),
        );
    }
    let events: Vec<(i64, String)> = sqlx::query_as(WITHOUT_STEP).fetch_all(connection).await?;
    for (seq, kind) in events {
        report.found(
            Part::Requests,
            format!("the trail has `{kind}` at place {seq}, and no review of the database says so"),
        );
    }
    Ok(())
}
