//! The database: requests, revocations and the audit trail, on SQLite. Heads of audit chains and refused attempts
//! have another one: [`crate::evidence`].
//!
//! A change of state is one transaction ([`Change`]) that cannot be committed without its row of the trail and its event.
//! Use cases ([`crate::domain`]) say what is in it; here is the SQL, and nowhere else. Time and ids come in as arguments.
//!
//! Nothing outside relies on SQLite's one writer: what has to stand still while a use case decides, it reads through its
//! change; what has an order takes its place from the locked row ([`positions`]).

mod accounts;
mod batch;
mod chain;
mod change;
pub mod check;
mod clock;
mod decisions;
mod discussion;
mod emergencies;
mod error;
mod escalations;
mod event;
mod events;
mod evidence;
mod fault;
mod feed;
mod folded_names;
mod grant_ends;
mod grant_parties;
mod grants;
mod group_losses;
mod held_time;
mod idempotency;
mod incident_checks;
mod incident_row;
mod kill;
mod leavers;
mod lists;
pub mod maintenance;
mod mutual_approvals;
mod notify;
mod positions;
mod proof;
mod record;
mod request_digest;
mod requests;
pub mod restore;
mod review_changes;
mod reviews;
mod rotation_changes;
mod rotations;
mod row;
mod scope_grants;
mod scope_rules;
mod service_trail;
mod sessions;
mod spellings;
mod told;
mod trail_head;
pub(crate) mod write;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::statvfs;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub use accounts::Account;
pub use breakglass_api::request::State;
pub use change::{Change, Changed, Recorded};
pub use clock::ClockRow;
pub use decisions::{NewApproval, NewGrant};
pub use discussion::Remark;
use error::MIN_FREE_BYTES;
pub use error::StoreError;
pub use event::Event;
pub use events::{Happened, Noticed, OfRequest, Revocations, ServiceAct};
pub use evidence::{About, Evidence, EvidencePage, Step};
pub use fault::Fault;
pub use feed::{FeedEntry, FeedHead};
pub use grant_ends::Ends;
pub use grant_parties::GrantParties;
pub use grants::{Revoked, Step as RevokedStep};
pub use group_losses::{GroupLosses, HeldEnd};
pub use idempotency::{Earlier, Idempotency};
pub use incident_checks::DueCheck;
pub use incident_row::IncidentCheckRow;
pub use kill::{LiveGrant, STEP, Target};
pub use lists::{Filter, RequestPage, Visible};
pub use mutual_approvals::MutualApproval;
pub use proof::Unproven;
pub use requests::Submission;
pub use review_changes::{CarriedReview, NewDecision, NewReview};
pub use reviews::{OpenReviews, Review, ReviewFilter, ReviewsIn};
pub use rotation_changes::{CarriedRotation, NewRotation};
pub use rotations::{OpenRotations, Rotation, RotationFilter};
pub use row::{ApprovalRow, Request};
pub use scope_grants::OverGrants;
pub use service_trail::{Act, SERVICE};
pub use sessions::{
    Code, DeviceRow, FactorRow, NewCode, NewSession, NewTokens, Presented, ProviderSessionRow,
    Session, SessionEnd, SessionFilter, SessionState, code_context,
};
pub use spellings::Kind;
pub use told::ToldEvent;
pub use trail_head::TrailHead;
use write::{Write, reusable};

use crate::issuer::TrailKeys;

/// How long a request waits for the lock, and how long for a connection. A change reads, and then writes: all
/// its waits together are below the time that a request may take.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// How many connections each kind of work has at most: see [`Store`]. A connection is a thread and about 2 MiB.
///
/// One writes: SQLite lets one write at a time, changes wait in the pool's order in place of polling for the lock, and what
/// the connection has read stays in its cache, which another connection's commit would empty.
const WRITES: u32 = 1;
const LOOKUPS: u32 = 4;
const INTROSPECTION: u32 = 4;
const LISTS: u32 = 2;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    /// For transactions that write: one at a time.
    writes: SqlitePool,
    /// For what a person's decision needs: single requests, and what the kill switch matches.
    lookups: SqlitePool,
    /// For introspection alone.
    introspection: SqlitePool,
    /// For lists and evidence: whatever they take, they take it from each other.
    lists: SqlitePool,
    /// One connection for the feed alone.
    feed: SqlitePool,
    /// One connection for what the sinks are told of.
    telling: SqlitePool,
    /// What signs the events.
    keys: TrailKeys,
    path: PathBuf,
}

impl Store {
    /// Opens the file at `path`, makes it if it is not there, and brings its schema up to date. What happens is signed with
    /// `keys`.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be opened or is not ours.
    pub async fn open(path: &Path, keys: TrailKeys) -> Result<Store, StoreError> {
        create_private(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An approval that was answered must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            // A statement that changes much has a journal of its own, which would need a directory such as
            // /tmp that can be written.
            .pragma("temp_store", "MEMORY");
        // The threads have the names of the pools, as `top -H` shows them.
        let pool = |name: &'static str, connections: u32| {
            let pool = SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_TIMEOUT)
                // sqlx tests each connection when it comes back; what it could have died of since is its own work.
                .test_before_acquire(false)
                .after_release(|connection, _| Box::pin(reusable(connection)));
            (pool, options.clone().thread_name(move |id| format!("{name}-{id}")))
        };
        let reads = |name: &'static str, connections: u32| {
            let (pool, options) = pool(name, connections);
            pool.connect_lazy_with(options)
        };
        let (writes, options) = pool("writes", WRITES);
        let writes = writes.connect_with(options).await?;
        migrations().run(&writes).await?;
        folded_names::catch_up(&writes).await?;
        chain::begin(&writes).await?;
        Ok(Store {
            writes,
            lookups: reads("lookups", LOOKUPS),
            introspection: reads("introspection", INTROSPECTION),
            lists: reads("lists", LISTS),
            feed: reads("feed", 1),
            telling: reads("telling", 1),
            keys,
            path: path.to_owned(),
        })
    }

    /// Proves that the feed can be read and that a change is kept: it writes to the disk.
    ///
    /// # Errors
    /// [`StoreError`] if not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.feed_head(0).await?;
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE feed SET id = id").execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// Closes it: what is under way ends first.
    pub async fn close(&self) {
        let readers = [&self.telling, &self.feed, &self.lists, &self.introspection, &self.lookups];
        for pool in readers.into_iter().chain([&self.writes]) {
            pool.close().await;
        }
    }

    /// Refuses what is not needed to end a grant while there is little space left.
    ///
    /// # Errors
    /// [`StoreError::LowSpace`].
    pub fn check_space(&self) -> Result<(), StoreError> {
        check_space(&self.path).map(drop)
    }

    async fn write(&self) -> Result<Write, StoreError> {
        Write::begin(&self.writes).await
    }
}

/// What brings the schema up to date.
fn migrations() -> Migrator {
    sqlx::migrate!("./migrations")
}

/// How much is free on the file system of this database, in bytes; nothing where the system cannot tell: then the
/// write itself does.
///
/// # Errors
/// [`StoreError::LowSpace`] if what is left is kept for revocations.
pub(crate) fn check_space(path: &Path) -> Result<Option<u64>, StoreError> {
    let Ok(disk) = statvfs(path) else { return Ok(None) };
    match disk.f_bavail.saturating_mul(disk.f_frsize) {
        free if free < MIN_FREE_BYTES => Err(StoreError::LowSpace),
        free => Ok(Some(free)),
    }
}

/// Makes the file, if it is not there, for its owner alone: it tells who had access to what, and
/// why. SQLite gives its journal files the same mode.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// The check that a change of state changed the one row it was about.
pub(crate) fn exactly_one(result: &sqlx::sqlite::SqliteQueryResult) -> Result<(), StoreError> {
    match result.rows_affected() {
        1 => Ok(()),
        other => Err(StoreError::RowsAffected(other)),
    }
}
