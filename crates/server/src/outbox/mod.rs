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
//! takers   an event                    -> the sinks and people that it goes to
//! cursor   events by place             -> rows that wait, for each of these
//! worker   a row that is due           -> crate::sinks -> delivered, tried again, or dead
//! told     the rows of a submission    -> how many approvers were reached (counts), and the wait for that
//! ```

pub(crate) mod backoff;
mod breaker;
mod counts;
mod cursor;
mod database;
mod keep;
mod list;
mod queue;
mod reviewers;
mod sink_state;
mod source;
mod submissions;
mod takers;
mod told;
mod waiting;
mod worker;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use tokio::sync::{Mutex, Notify, broadcast, watch};

use crate::clock::Moment;
use crate::config::Config;
use crate::store::StoreError;

pub use keep::keep;
use list::Delivered;
pub use list::{Delivery, Filter, ReplayTo, Waiting};
pub use sink_state::SinkState;
pub(crate) use source::opens;
pub use told::{told_of, wait_until_told};

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
    /// The place up to which events were read and queued.
    read: watch::Sender<i64>,
    /// The events of which a delivery has ended.
    ends: broadcast::Sender<String>,
}

/// How many ends a reader may be behind: one that missed some looks for itself.
const ENDS: usize = 256;

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
            read: watch::Sender::new(0),
            ends: broadcast::Sender::new(ENDS),
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

    /// Whether an event was queued for any of these.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn has(&self, event: &str, to: ReplayTo<'_>) -> Result<bool, StoreError> {
        match self.database() {
            Some(database) => database.has(event, to).await,
            None => Ok(false),
        }
    }

    /// Queues an event again, for all that it was queued for or for some of them: the names of the sinks.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it.
    pub async fn replay(
        &self,
        now: Moment,
        event: &str,
        to: ReplayTo<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let Some(database) = self.database() else { return Ok(Vec::new()) };
        let sinks = database.replay(now, event, to).await?;
        self.queued.notify_waiters();
        Ok(sinks)
    }

    /// The place up to which events were read and queued, as it grows.
    fn read_up_to(&self) -> watch::Receiver<i64> {
        self.read.subscribe()
    }

    /// The events of which a delivery ends from now on.
    fn ends(&self) -> broadcast::Receiver<String> {
        self.ends.subscribe()
    }

    /// A delivery of this event has ended.
    fn ended(&self, event: String) {
        // Often nothing waits for it.
        let _ = self.ends.send(event);
    }

    /// What has become of the deliveries of one event.
    async fn deliveries_of(&self, event: &str) -> Result<Vec<Delivered>, StoreError> {
        match self.database() {
            Some(database) => database.of_event(event).await,
            None => Ok(Vec::new()),
        }
    }

    /// The requests of which it is to be said now whether an approver was reached, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] if the database cannot tell.
    pub async fn to_judge(&self, now: Moment, limit: i64) -> Result<Vec<String>, StoreError> {
        match self.database() {
            Some(database) => database.to_judge(now, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// Of this request it was said.
    ///
    /// # Errors
    /// [`StoreError`] if the database does not do it: then it is to be said again.
    pub async fn judged(&self, request: &str) -> Result<(), StoreError> {
        match self.database() {
            Some(database) => database.judged(request).await,
            None => Ok(()),
        }
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
