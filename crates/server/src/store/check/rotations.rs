//! What the rows of rotations say, beside the events: each step has its event, and each event its step.

use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};

/// Each step of a row that has no event: the rotation, and the type.
const WITHOUT_EVENT: &str = "
    WITH steps (id, request, type, at_ms, actor) AS (
        SELECT id, request_id, 'breakglass.rotation.owed', owed_at_ms, 'service' FROM rotations WHERE owed_at_ms IS NOT NULL
        UNION ALL
        SELECT id, request_id, 'breakglass.rotation.failed', failed_at_ms, 'service' FROM rotations WHERE failed_at_ms IS NOT NULL
        UNION ALL
        SELECT id, request_id, 'breakglass.rotation.done', done_at_ms, done_by FROM rotations WHERE done_at_ms IS NOT NULL)
    SELECT id, type FROM steps WHERE NOT EXISTS (
        SELECT 1 FROM events WHERE request_id = request AND events.type = steps.type AND time_ms = at_ms
            AND events.actor = steps.actor AND data ->> 'rotation' = steps.id)
    ORDER BY id, type";

/// Each event of which no row says the same: its place, and its type.
const WITHOUT_STEP: &str = "
    SELECT seq, type FROM events WHERE type IN ('breakglass.rotation.owed', 'breakglass.rotation.done')
        AND NOT EXISTS (SELECT 1 FROM rotations WHERE id = data ->> 'rotation' AND rotations.request_id = events.request_id
            AND time_ms = CASE type WHEN 'breakglass.rotation.owed' THEN owed_at_ms ELSE done_at_ms END)
    ORDER BY seq";

/// Compares all rotations.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as(WITHOUT_EVENT).fetch_all(&mut *connection).await?;
    for (id, kind) in rows {
        report.found(
            Part::Requests,
            format!("rotation {id}: the database says that it happened, and the trail has no `{kind}` of it"),
        );
    }
    let events: Vec<(i64, String)> = sqlx::query_as(WITHOUT_STEP).fetch_all(connection).await?;
    for (seq, kind) in events {
        report.found(
            Part::Requests,
            format!(
                "the trail has `{kind}` at place {seq}, and no rotation of the database says so"
            ),
        );
    }
    Ok(())
}
