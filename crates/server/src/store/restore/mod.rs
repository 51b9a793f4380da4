//! Puts a backup in the place of a stopped service's databases. What ended after the backup stays ended:
//!
//! - Where the database that is replaced is whole, what was revoked or lapsed in it is revoked, and so is each grant that the
//!   backup does not have.
//! - Otherwise it is not known what ended: the same for what can still be read, and every grant that holds by the backup is
//!   revoked, unless the operator keeps them.
//!
//! One signed event says from which head the trail goes on, and which one was lost. Places of the trail are not given again:
//! the next one is [`ROOM`] after the last one that is known. The feed has another id, so that every proxy reads it whole.

mod carry;
mod files;
mod replaced;

use std::path::{Path, PathBuf};

use breakglass_api::trail::ServiceAction;
use serde::Serialize;
use serde_json::json;

use super::check::{Report, check_database};
use super::events::{Happened, ServiceAct};
use super::maintenance::{MaintenanceError, now, open_to_read};
use super::{SERVICE, SessionEnd, Store, StoreError, Target, TrailHead};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::database_lock::DatabaseLock;
use crate::issuer::TrailKeys;
use crate::random::Randomness;
use crate::timekeeper::Timekeeper;
use files::Staged;
use replaced::Replaced;
pub use replaced::State;

/// How many places of the trail a restore leaves free after the last known one: more than the replaced database could have
/// given since.
const ROOM: i64 = 1_000_000;

/// How a backup is restored.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory that `breakglass database backup` made.
    pub from: PathBuf,
    /// A head of the replaced database's trail that was kept elsewhere.
    pub trail_head: Option<TrailHead>,
    /// Keep the grants of the backup of which it is not known whether they were ended.
    pub keep_grants: bool,
    /// Restore also a backup in which a check has findings.
    pub with_findings: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Whether what ended after the backup is known.
    pub replaced: State,
    /// The head from which the trail goes on.
    pub goes_on_from: TrailHead,
    /// The last head that is known to be lost.
    pub lost: Option<TrailHead>,
    /// How many grants were revoked because they had ended after the backup.
    pub ended_since: usize,
    /// How many because they were approved after the backup.
    pub made_since: usize,
    /// How many because it is not known whether they ended.
    pub unknown: usize,
    /// How many hold by the backup, and were kept.
    pub kept: usize,
    /// The grants of the replaced database that could not be taken over: no feed lists them.
    pub not_carried: Vec<String>,
    /// How many pending requests were cancelled.
    pub cancelled: usize,
    /// The new id of the feed.
    pub feed: String,
    /// The names that the files have now that were replaced.
    pub set_aside: Vec<PathBuf>,
}

/// Restores a backup.
///
/// # Errors
/// [`MaintenanceError`] if the service runs, the backup is not whole, or a file cannot be read or written: then nothing has
/// changed.
pub async fn restore(config: &Config, options: &Options) -> Result<Restored, MaintenanceError> {
    let _lock = DatabaseLock::take(&config.database, now())?;
    let staged = Staged::copy(&options.from, &config.database)?;
    let failed = |error| MaintenanceError::of(&staged.path, error);
    let refuse = |what: String| MaintenanceError::Restore { what };
    let randomness = Randomness::from_system().map_err(|error| refuse(error.to_string()))?;
    let keys = TrailKeys::open(&config.key_directory, &config.database, &randomness, now())
        .map_err(|error| refuse(error.to_string()))?;
    // It brings a backup of an earlier version up to date.
    let store = Store::open(&staged.path, keys.clone()).await.map_err(failed)?;
    let mut report = Report::default();
    check_database(&staged.path, Some(&keys), &mut report).await?;
    if !report.is_clean() && !options.with_findings {
        let found: Vec<&str> = report.findings.iter().map(|one| one.what.as_str()).collect();
        store.close().await;
        return Err(refuse(format!(
            "{}: this backup is not what the service wrote:\n{}\ntake another one; or, if there is none, restore it \
             with --with-findings",
            options.from.display(),
            found.join("\n")
        )));
    }
    let from = store.trail_head().await.map_err(failed)?;
    let replaced =
        Replaced::read(&config.database, &keys, &from, options.trail_head.as_ref()).await;
    let known = replaced.state == State::Whole && report.is_clean();
    let mut restored = write(&store, options, from, &replaced, known).await.map_err(failed)?;
    store.close().await;
    let evidence = evidence(config, &options.from).await?;
    restored.set_aside.extend(staged.take_its_place(now())?);
    if let Some(evidence) = evidence {
        restored.set_aside.extend(evidence.take_its_place(now())?);
    }
    Ok(restored)
}

/// Writes down in the copy what ended, and that it was restored: one transaction.
async fn write(
    store: &Store,
    options: &Options,
    from: TrailHead,
    replaced: &Replaced,
    known: bool,
) -> Result<Restored, StoreError> {
    let keeper = Timekeeper::open(Box::new(SystemClock), store, false).await.map_err(|error| {
        StoreError::Database(sqlx::Error::Io(std::io::Error::other(error.to_string())))
    })?;
    let now = keeper.now();
    let live = store.matching(keeper.floor(), Target::All).await?;
    let (live, kept) = match known || options.keep_grants {
        true => (Vec::new(), live),
        false => (live, Vec::new()),
    };
    let lost = [replaced.head.as_ref(), options.trail_head.as_ref()].into_iter().flatten();
    let lost = lost.filter(|head| **head != from).max_by_key(|head| head.seq).cloned();
    let mut change = store.change().await?;
    let last = lost.as_ref().map_or(from.seq, |lost| lost.seq.max(from.seq));
    sqlx::query("UPDATE positions SET event = ?1")
        .bind(last.saturating_add(ROOM))
        .execute(&mut *change.0)
        .await?;
    let feed: String =
        sqlx::query_scalar("UPDATE feed SET id = lower(hex(randomblob(16))) RETURNING id")
            .fetch_one(&mut *change.0)
            .await?;
    let ended = carry::end(&mut change, now, replaced, &live).await?;
    // A session that was ended after the backup would live again, and so would its refresh tokens.
    let sessions = change.end_all_sessions(now, SERVICE, SessionEnd::Restored).await?;
    let mut held = 0_usize;
    for grant in &kept {
        held = held.saturating_add(usize::from(change.revocation(&grant.jti).await?.is_none()));
    }
    let detail = json!({
        "from": from, "lost": lost, "replaced": replaced.state, "ended_since": ended.carried,
        "made_since": ended.made_since, "unknown": ended.unknown, "kept": held,
        "not_carried": ended.not_carried, "cancelled": ended.cancelled.len(),
        "sessions": sessions,
    });
    let act = ServiceAct { actor: SERVICE, action: ServiceAction::Restored, detail: &detail };
    let mut happened = vec![Happened::Service(act)];
    happened.extend(ended.happened());
    change.record(now, &happened).await?.commit().await?;
    Ok(Restored {
        replaced: replaced.state,
        goes_on_from: from,
        lost,
        ended_since: ended.carried,
        made_since: ended.made_since,
        unknown: ended.unknown,
        kept: held,
        not_carried: ended.not_carried,
        cancelled: ended.cancelled.len(),
        feed,
        set_aside: Vec::new(),
    })
}

/// The backup's evidence database, where the one that is there is missing or damaged. Evidence only grows, so that one that
/// is whole has more than its backup.
async fn evidence(config: &Config, from: &Path) -> Result<Option<Staged>, MaintenanceError> {
    let path = config.evidence_path();
    if !from.join(path.file_name().unwrap_or_default()).exists() {
        return Ok(None);
    }
    if let Ok(mut connection) = open_to_read(&path).await {
        let said: Result<Vec<String>, sqlx::Error> =
            sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut connection).await;
        if said.is_ok_and(|said| said == ["ok"]) {
            return Ok(None);
        }
    }
    Staged::copy(from, &path).map(Some)
}
