//! How far each source was read.
//!
//! A place alone does not say it: after a backup was put in the place of a database, places are given again. So the last event
//! that was read is known by its place and its id, and those of 30 days are kept. Where the source has another event at that
//! place, it is gone on from the last one that both have, and what comes after it is new; an event that was told before has
//! its id from before, and is not queued again.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::database::Database;
use super::queue::queue;
use super::source::{Item, Source};
use super::submissions;
use super::takers::{Takers, takers};
use crate::app::App;
use crate::clock::Moment;
use crate::evidence::EvidenceError;
use crate::store::StoreError;

/// How many events are read at once.
const PAGE: i64 = 200;

/// How far a source was read.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Cursor {
    place: i64,
    id: String,
    skip_before_ms: i64,
}

/// What came of a look at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// There was something, and there may be more.
    More,
    /// Everything up to this place was read and queued.
    UpTo(i64),
}

/// Reads what is new in a source, and queues it for those that take it.
pub(super) async fn read(
    app: &App,
    database: &Database,
    source: Source,
) -> Result<Read, EvidenceError> {
    let Some(cursor) = database.cursor(source).await? else {
        // Sinks are told of what happens from now on.
        let place = source.last(app).await?;
        let last = source.after(app, place.saturating_sub(1), 1).await?;
        let (place, id) =
            last.first().map_or((0, ""), |item| (item.place, item.notice.id.as_str()));
        let new = Cursor { place, id: id.to_owned(), skip_before_ms: 0 };
        let mut change = database.write().await?;
        keep(&mut change, source, app.now(), &last).await?;
        go_on(&mut change, source, &new).await?;
        change.commit().await?;
        return Ok(Read::More);
    };
    // The last one once more: whether it is still the one that was read.
    let after = cursor.place.saturating_sub(1).max(0);
    let mut items = source.after(app, after, PAGE).await?;
    if cursor.place > 0 {
        let is_same = items
            .first()
            .is_some_and(|item| item.place == cursor.place && item.notice.id == cursor.id);
        if !is_same {
            let found = find(app, database, source, &cursor).await?;
            tracing::warn!(
                source = source.word(),
                read = cursor.place,
                goes_on_after = found.place,
                "another database is in the place of the one that was read: sinks are told of what is new in it"
            );
            database.move_to(source, &found, found.place).await?;
            return Ok(Read::More);
        }
        items.remove(0);
    }
    if items.is_empty() {
        return Ok(Read::UpTo(cursor.place));
    }
    let mut each = Vec::with_capacity(items.len());
    for item in &items {
        let is_told = item.told && item.notice.time_ms >= cursor.skip_before_ms;
        each.push(if is_told { takers(app, &item.notice).await? } else { Takers::default() });
    }
    database.take(app.now(), source, &cursor, &items, &each).await?;
    Ok(Read::More)
}

/// The last event that was read and that the source still has. What it has in common with the one that was read is all up to
/// a place, and nothing after it.
async fn find(
    app: &App,
    database: &Database,
    source: Source,
    cursor: &Cursor,
) -> Result<Cursor, EvidenceError> {
    let read = database.places(source).await?;
    let places: Vec<(&i64, &String)> = read.iter().collect();
    let (mut known, mut lost) = (0_usize, places.len());
    while known < lost {
        let middle = known.midpoint(lost);
        let Some((place, id)) = places.get(middle) else { break };
        let there = source.after(app, place.saturating_sub(1), 1).await?;
        match there.first().is_some_and(|item| item.place == **place && item.notice.id == **id) {
            true => known = middle.saturating_add(1),
            false => lost = middle,
        }
    }
    match known.checked_sub(1).and_then(|last| places.get(last)) {
        Some((place, id)) => {
            Ok(Cursor { place: **place, id: (*id).clone(), skip_before_ms: cursor.skip_before_ms })
        }
        None => {
            // Nothing in common: an older backup, or another database. What is older than what was read is of before.
            let last = database.last_time(source).await?.unwrap_or_default();
            Ok(Cursor { place: 0, id: String::new(), skip_before_ms: last.saturating_add(1) })
        }
    }
}

impl Database {
    async fn cursor(&self, source: Source) -> Result<Option<Cursor>, StoreError> {
        let cursor = "SELECT place, id, skip_before_ms FROM sources WHERE source = ?1";
        Ok(sqlx::query_as(cursor).bind(source.word()).fetch_optional(&self.readers).await?)
    }

    /// The places that were read, each with the id of its event.
    async fn places(&self, source: Source) -> Result<BTreeMap<i64, String>, StoreError> {
        let places: Vec<(i64, String)> =
            sqlx::query_as("SELECT place, id FROM places WHERE source = ?1 ORDER BY place")
                .bind(source.word())
                .fetch_all(&self.readers)
                .await?;
        Ok(places.into_iter().collect())
    }

    /// The time of the last event that was read.
    async fn last_time(&self, source: Source) -> Result<Option<i64>, StoreError> {
        let last = "SELECT max(time_ms) FROM places WHERE source = ?1";
        Ok(sqlx::query_scalar(last).bind(source.word()).fetch_one(&self.readers).await?)
    }

    /// Goes on from another event. The places after `keep` are those of a database that is gone.
    async fn move_to(&self, source: Source, to: &Cursor, keep: i64) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        sqlx::query("DELETE FROM places WHERE source = ?1 AND place > ?2")
            .bind(source.word())
            .bind(keep)
            .execute(&mut *change)
            .await?;
        go_on(&mut change, source, to).await?;
        change.commit().await
    }

    /// Queues what was read, each for its takers, and writes down that it was: one transaction.
    async fn take(
        &self,
        now: Moment,
        source: Source,
        cursor: &Cursor,
        items: &[Item],
        takers: &[Takers],
    ) -> Result<(), StoreError> {
        let mut change = self.write().await?;
        for (Item { notice, .. }, takers) in items.iter().zip(takers) {
            let Takers { takers, is_told } = takers;
            queue(&mut change, now, notice, takers).await?;
            if let Some(is_any_told) = is_told {
                submissions::note(&mut change, now, notice, *is_any_told).await?;
            }
        }
        keep(&mut change, source, now, items).await?;
        if let Some(Item { place, notice, .. }) = items.last() {
            let id = notice.id.clone();
            let to = Cursor { place: *place, id, skip_before_ms: cursor.skip_before_ms };
            go_on(&mut change, source, &to).await?;
        }
        change.commit().await
    }
}

/// Writes down which events were read.
async fn keep(
    connection: &mut SqliteConnection,
    source: Source,
    now: Moment,
    items: &[Item],
) -> Result<(), StoreError> {
    for Item { place, notice, .. } in items {
        sqlx::query(
            "INSERT INTO places (source, place, id, time_ms, read_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )
        .bind(source.word())
        .bind(place)
        .bind(&notice.id)
        .bind(notice.time_ms)
        .bind(now.millis())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Writes down from where the source is gone on from.
async fn go_on(
    connection: &mut SqliteConnection,
    source: Source,
    to: &Cursor,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sources (source, place, id, skip_before_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (source) DO UPDATE SET place = excluded.place, id = excluded.id,
             skip_before_ms = excluded.skip_before_ms",
    )
    .bind(source.word())
    .bind(to.place)
    .bind(&to.id)
    .bind(to.skip_before_ms)
    .execute(connection)
    .await?;
    Ok(())
}
