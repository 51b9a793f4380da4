//! Events are delivered to the sinks of the configuration: at least once, in order per request, each under its own id.
//!
//! 1. The event is in the main database already, in the transaction that made it happen ([`crate::store::Change`]). The outbox
//!    reads events by place ([`cursor`]), so that none is lost, and the main database holds nothing of deliveries.
//! 2. Deliveries are in a file of their own beside it (`-outbox`), with pools of their own: each attempt writes twice, and a
//!    burst of them must hold up no approval, no revocation, and no report of a proxy. The file is made when the first sink is
//!    configured. It is in no backup: what was told is told, and under the ids of before a restored database repeats nothing.
//! 3. An attempt is written down before it is made, and what came of it afterwards ([`queue`]). A process that is killed in
//!    between makes it once more, with the same id: receivers drop what they have.
//! 4. Of the events of one request one is tried at a time. The next has its turn when that one has been delivered, or given up
//!    after [`retry_for`](crate::config::Sink::retry_for).
//! 5. A sink that does not answer is left alone for a while ([`breaker`]); it holds up no other one, since each has a worker
//!    ([`worker`]) and each call a thread of its own.
//!
//! ```text
//! source   main database, alerts       -> events by place
//! cursor   events by place             -> rows that wait, for each sink that takes them
//! worker   a row that is due           -> crate::sinks -> delivered, tried again, or dead
//! ```

mod backoff;
mod breaker;
mod cursor;
mod database;
mod keep;
mod list;
mod queue;
mod sink_state;
mod source;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use tokio::sync::{Mutex, Notify};

use crate::clock::Moment;
use crate::config::Config;
use crate::store::StoreError;

pub use keep::keep;
pub use list::{Delivery, Filter, Waiting};
pub use sink_state::SinkState;

use database::Database;
use sink_state::SinkStates;

/// The deliveries.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    database: RwLock<Option<Database>>,
    /// One attempt to open it at a time.
    opening: Mutex<()>,
    states: SinkStates,
    /// Something was queued.
    queued: Notify,
}

impl Outbox {
    /// The deliveries of this configuration, whose database is not opened yet.
    #[must_use]
    pub fn new(config: &Config) -> Outbox {
        Outbox {
            path: config.outbox_path(),
            database: RwLock::new(None),
            opening: Mutex::new(()),
            states: SinkStates::default(),
            queued: Notify::new(),
        }
    }

    /// Where its database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state of each sink's worker, by name.
    #[must_use]
    pub fn states(&self) -> BTreeMap<String, SinkState> {
        self.states.all()
    }

    /// The deliveries, the newest first, at most so many; none where there never was a sink.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn list(&self, filter: Filter<'_>, limit: i64) -> Result<Vec<Delivery>, StoreError> {
        match self.database() {
            Some(database) => database.list(filter, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// What waits at each sink, also at those that the configuration does not name any more.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn waiting(&self) -> Result<BTreeMap<String, Waiting>, StoreError> {
        match self.database() {
            Some(database) => database.waiting().await,
            None => Ok(BTreeMap::new()),
        }
    }

    /// Whether an event was queued for a sink, or for this one.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has(&self, event: &str, sink: Option<&str>) -> Result<bool, StoreError> {
        match self.database() {
            Some(database) => database.has(event, sink).await,
            None => Ok(false),
        }
    }

    /// Queues an event again, for all sinks that it was queued for or for one of them: their names.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn replay(
        &self,
        now: Moment,
        event: &str,
        sink: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let Some(database) = self.database() else { return Ok(Vec::new()) };
        let sinks = database.replay(now, event, sink).await?;
        self.queued.notify_waiters();
        Ok(sinks)
    }

    /// Closes it: what is under way ends first.
    pub async fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(database) = database {
            database.close().await;
        }
    }

    fn database(&self) -> Option<Database> {
        // It is replaced in one assignment.
        self.database.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the file, and makes it where it is not there.
    async fn open(&self) -> Result<Database, StoreError> {
        let _alone = self.opening.lock().await;
        if let Some(database) = self.database() {
            return Ok(database);
        }
        let database = Database::open(&self.path).await?;
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database.clone());
        Ok(database)
    }
}
