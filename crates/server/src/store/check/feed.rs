//! The feed of revocations, and the numbers that are given one after the other.

use sqlx::sqlite::SqliteConnection;

use super::report::{Part, Report};

/// The places of the revocations.
#[derive(Debug, sqlx::FromRow)]
struct Epochs {
    count: i64,
    last: i64,
    given: i64,
    untagged: i64,
    tags: i64,
    feeds: i64,
}

/// Checks epochs and tags, and that `audit` and `service_trail` have a row for each number.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let epochs: Epochs = sqlx::query_as(
        "SELECT count(*) AS count, coalesce(max(epoch), 0) AS last, (SELECT epoch FROM positions) AS given,
             count(*) FILTER (WHERE tag = '') AS untagged, count(DISTINCT tag) AS tags,
             (SELECT count(*) FROM feed WHERE id <> '') AS feeds
         FROM revocations",
    )
    .fetch_one(&mut *connection)
    .await?;
    let Epochs { count, last, given, untagged, tags, feeds } = epochs;
    if given != last {
        let text = format!(
            "`positions` says that the last epoch is {given}, and the last revocation has {last}"
        );
        report.found(Part::Feed, text);
    }
    if count != last {
        gaps(connection, report).await?;
    }
    if untagged > 0 {
        report.found(Part::Feed, format!("{untagged} epochs have no tag"));
    }
    if tags < count && untagged == 0 {
        report.found(Part::Feed, "a tag is given to several epochs");
    }
    if feeds != 1 {
        report.found(Part::Feed, "the feed has no id");
    }
    for (table, sql) in [
        ("audit", "SELECT count(*), coalesce(max(seq), 0) FROM audit"),
        ("service_trail", "SELECT count(*), coalesce(max(seq), 0) FROM service_trail"),
    ] {
        let (rows, last): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut *connection).await?;
        if rows != last {
            let missing = last.saturating_sub(rows);
            let text = format!(
                "`{table}` has {rows} rows, and the last one has number {last}: {missing} are missing"
            );
            report.found(Part::OlderTrail, text);
        }
    }
    Ok(())
}

/// Names the epochs before which others are missing.
async fn gaps(connection: &mut SqliteConnection, report: &mut Report) -> Result<(), sqlx::Error> {
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT before, epoch FROM (
             SELECT coalesce(lag(epoch) OVER (ORDER BY epoch), 0) AS before, epoch FROM revocations)
         WHERE epoch <> before + 1 ORDER BY epoch",
    )
    .fetch_all(connection)
    .await?;
    for (before, epoch) in found {
        let text = format!(
            "epochs {} to {} are missing",
            before.saturating_add(1),
            epoch.saturating_sub(1)
        );
        report.found(Part::Feed, text);
    }
    Ok(())
}
