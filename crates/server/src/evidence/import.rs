//! Copies the heads that versions before this one kept in the main database, with their ids, so that a list goes
//! on where it was. The tables there stay as they are.
//!
//! The main database is only read, a bounded part at a time; each part and how far it goes are one transaction
//! here. A copy that was ended half way goes on at the next start.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, Connection};

use super::EvidenceError;
use crate::store::write::Write;
use crate::store::{BUSY_TIMEOUT, exactly_one};

/// How many rows are copied at a time: milliseconds.
const ROWS: i64 = 1000;

/// The tables, with their columns; the first is the key, but for `audit_reporter_grants`, where it is the first two.
const TABLES: [(&str, &str); 4] = [
    ("audit_chain_owners", "id, chain, owner, proven"),
    (
        "audit_reporters",
        "id, chain, proxy, node, head_id, seq, seen_at_ms, first_ms, last_ms, heads, ended_seq",
    ),
    ("audit_reporter_grants", "reporter, grant_id, count"),
    (
        "audit_heads",
        "id, reported_at_ms, proxy, node, process, chain, seq, hash, began, ended, grants, conflict",
    ),
];

/// How far the copy is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Position {
    part: i64,
    after_id: i64,
    after_grant: String,
    done: bool,
    last_head: i64,
}

/// Returns the id of the last head, if the copy came to its end just now.
pub(super) async fn run(writer: &SqlitePool, main: &Path) -> Result<Option<i64>, EvidenceError> {
    let mut position = position(&mut *writer.acquire().await?).await?;
    let options =
        SqliteConnectOptions::new().filename(main).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut from = SqliteConnection::connect_with(&options).await?;
    let was_done = position.done;
    if was_done {
        warn_of_later_heads(&mut from, &position).await?;
    } else {
        let begun = position.part > 0 || position.after_id > 0;
        tracing::info!(goes_on = begun, "copying heads of earlier versions from the main database");
        while !position.done {
            position = step(writer, &mut from, position).await?;
        }
        tracing::info!(last = position.last_head, "copied");
    }
    from.close().await?;
    Ok((!was_done).then_some(position.last_head))
}

async fn position(connection: &mut SqliteConnection) -> Result<Position, EvidenceError> {
    Ok(sqlx::query_as("SELECT part, after_id, after_grant, done, last_head FROM import")
        .fetch_one(connection)
        .await?)
}

/// Takes the write lock; nothing where the copy is not at this position any more, because another attempt has moved
/// it on.
async fn begin_at(
    writer: &SqlitePool,
    expected: &Position,
) -> Result<Result<Write, Position>, EvidenceError> {
    let mut transaction = Write::begin(writer).await?;
    let found = position(&mut transaction).await?;
    if found == *expected {
        return Ok(Ok(transaction));
    }
    transaction.rollback().await?;
    Ok(Err(found))
}

/// Copies a part, and returns how far it is then.
async fn step(
    writer: &SqlitePool,
    from: &mut SqliteConnection,
    position: Position,
) -> Result<Position, EvidenceError> {
    let part = usize::try_from(position.part).unwrap_or(usize::MAX);
    let Some((table, columns)) = TABLES.get(part) else {
        return finish(writer, from, position).await;
    };
    // As JSON: the rows of all tables are read and written alike.
    let names = columns.split(", ").map(|name| format!("'{name}', {name}")).collect::<Vec<_>>();
    let (key, grant) = match *table {
        "audit_reporter_grants" => ("reporter", "grant_id"),
        _ => ("id", "''"),
    };
    let read = format!(
        "SELECT {key}, {grant}, json_object({names}) FROM {table}
         WHERE ({key}, {grant}) > (?1, ?2) ORDER BY {key}, {grant} LIMIT {ROWS}",
        names = names.join(", "),
    );
    let rows: Vec<(i64, String, String)> = sqlx::query_as(AssertSqlSafe(read))
        .bind(position.after_id)
        .bind(&position.after_grant)
        .fetch_all(from)
        .await?;
    let next = match rows.last() {
        Some((id, grant, _)) => Position { after_id: *id, after_grant: grant.clone(), ..position },
        None => Position {
            part: position.part.saturating_add(1),
            after_id: 0,
            after_grant: String::new(),
            ..position.clone()
        },
    };
    let values = columns.split(", ").map(|name| format!("?1 ->> '{name}'")).collect::<Vec<_>>();
    let write = format!("INSERT INTO {table} ({columns}) SELECT {}", values.join(", "));
    let mut transaction = match begin_at(writer, &position).await? {
        Ok(transaction) => transaction,
        Err(elsewhere) => return Ok(elsewhere),
    };
    for (_, _, row) in &rows {
        let result =
            sqlx::query(AssertSqlSafe(write.clone())).bind(row).execute(&mut *transaction).await?;
        exactly_one(&result)?;
    }
    save(&mut transaction, &next).await?;
    transaction.commit().await?;
    Ok(next)
}

async fn finish(
    writer: &SqlitePool,
    from: &mut SqliteConnection,
    position: Position,
) -> Result<Position, EvidenceError> {
    let next = Position { done: true, last_head: last_head(from).await?, ..position.clone() };
    let mut transaction = match begin_at(writer, &position).await? {
        Ok(transaction) => transaction,
        Err(elsewhere) => return Ok(elsewhere),
    };
    save(&mut transaction, &next).await?;
    transaction.commit().await?;
    Ok(next)
}

async fn save(transaction: &mut Write, position: &Position) -> Result<(), EvidenceError> {
    let result = sqlx::query(
        "UPDATE import SET part = ?1, after_id = ?2, after_grant = ?3, done = ?4, last_head = ?5",
    )
    .bind(position.part)
    .bind(position.after_id)
    .bind(&position.after_grant)
    .bind(position.done)
    .bind(position.last_head)
    .execute(&mut **transaction)
    .await?;
    Ok(exactly_one(&result)?)
}

async fn last_head(from: &mut SqliteConnection) -> Result<i64, EvidenceError> {
    Ok(sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM audit_heads").fetch_one(from).await?)
}

/// An earlier version that was started again on the main database has kept its heads there.
async fn warn_of_later_heads(
    from: &mut SqliteConnection,
    position: &Position,
) -> Result<(), EvidenceError> {
    let last = last_head(from).await?;
    if last > position.last_head {
        tracing::warn!(
            copied_up_to = position.last_head,
            last,
            "the main database has heads that an earlier version took after they were copied: they are in its \
             table audit_heads and in no list"
        );
    }
    Ok(())
}
