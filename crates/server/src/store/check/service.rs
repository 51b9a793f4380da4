//! What was done to the service itself: each row of `service_trail` has its event. Rows of before there were events have
//! none, and are the first.

use breakglass_api::trail::ServiceAction;
use breakglass_api::words::Vocabulary as _;
use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};
use crate::store::record::event_of;

/// How many rows are compared at once.
const PAGE: i64 = 5_000;

/// An act, as either table has it.
#[derive(Debug, sqlx::FromRow)]
struct ActRow {
    seq: i64,
    at_ms: i64,
    actor: String,
    what: String,
    detail: String,
}

/// Compares them.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let (rows, events): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM service_trail), (SELECT count(*) FROM events WHERE request_id IS NULL)",
    )
    .fetch_one(&mut *connection)
    .await?;
    let count = &mut report.checked.older_trail;
    *count = count.saturating_add(rows.unsigned_abs());
    if rows < events {
        let text = format!(
            "`service_trail` has {rows} rows, and the trail {events} events of the service"
        );
        report.found(Part::OlderTrail, text);
        return Ok(());
    }
    let mut done = 0_i64;
    while done < events {
        let acts = page(
            connection,
            "SELECT seq, at_ms, actor, action AS what, detail FROM service_trail ORDER BY seq LIMIT ?1 OFFSET ?2",
            rows.saturating_sub(events).saturating_add(done),
        );
        let acts = acts.await?;
        let said = page(
            connection,
            "SELECT seq, time_ms AS at_ms, actor, type AS what, data AS detail FROM events WHERE request_id IS NULL
             ORDER BY seq LIMIT ?1 OFFSET ?2",
            done,
        );
        let said = said.await?;
        if let Some((act, event)) = acts.iter().zip(&said).find(|(act, event)| !same(act, event)) {
            let text = format!(
                "row {} of `service_trail` and the event at place {} differ",
                act.seq, event.seq
            );
            report.found(Part::OlderTrail, text);
            return Ok(());
        }
        done = done.saturating_add(PAGE);
    }
    Ok(())
}

async fn page(
    connection: &mut SqliteConnection,
    sql: &'static str,
    skip: i64,
) -> Result<Vec<ActRow>, sqlx::Error> {
    sqlx::query_as(sql).bind(PAGE).bind(skip).fetch_all(connection).await
}

fn same(act: &ActRow, event: &ActRow) -> bool {
    let kind = ServiceAction::of(&act.what).map(|action| event_of(action).word());
    kind == Some(event.what.as_str())
        && (act.at_ms, &act.actor, &act.detail) == (event.at_ms, &event.actor, &event.detail)
}
