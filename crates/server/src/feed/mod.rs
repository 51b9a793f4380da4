//! The feed of revocations as this process knows it, for thousands who wait for news of it.
//!
//! 1. What counts is the database: another process may write to it. One task looks there whenever
//!    this process has changed something, and otherwise twice a second.
//! 2. Who waits asks no database: news is read once, and kept as long as it counts.
//! 3. An answer is written once for all who ask from the same epoch.
//! 4. If the database cannot be read, nobody is told that there is no news.

mod about;
mod list;
mod nodes;
mod tags;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Moment;
use crate::problem::{Problem, Reason};
use crate::store::{Store, StoreError};
pub use about::{About, Bounds, OnUnavailable};
pub use list::{List, Place};
pub use nodes::{Key, Known, Nodes, NotForgotten};

/// How old a look at the database may be when "no news" is answered: more than one look ([`crate::tasks::feed`]) has
/// failed or is late.
const FRESH: Duration = Duration::from_secs(2);

/// How long a look may take: who asks for a place in the feed is refused soon, also by a disk that
/// neither answers nor fails.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// The feed.
#[derive(Debug)]
pub struct Feed {
    list: Mutex<List>,
    /// Its number changes with the list, and when the service stops.
    changes: watch::Sender<u64>,
    /// The latest look at the database; held during the look.
    look: tokio::sync::Mutex<Option<Look>>,
    nodes: Nodes,
}

#[derive(Debug, Clone, Copy)]
struct Look {
    began: Instant,
    succeeded: bool,
}

impl Feed {
    /// A feed of which nothing is known yet; nodes are known from `since` on.
    #[must_use]
    pub fn new(since: Option<Moment>) -> Feed {
        Feed {
            list: Mutex::default(),
            changes: watch::Sender::new(0),
            look: tokio::sync::Mutex::default(),
            nodes: Nodes::new(since),
        }
    }

    /// Told of every change from now on.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Wakes those who wait.
    pub(crate) fn wake(&self) {
        self.changes.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// Who reads the feed.
    #[must_use]
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The latest epoch that is known.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.list().epoch()
    }

    /// Where somebody stands who knows `feed` up to the epoch `after`, whose tag is `tag`.
    #[must_use]
    pub fn place(&self, after: Option<i64>, feed: Option<&str>, tag: Option<&str>) -> Place {
        self.list().place(after, feed, tag)
    }

    /// The latest end of what was revoked after an epoch and still counts, as a function of the epoch.
    pub fn ends(&self, now: Moment) -> impl Fn(i64) -> Option<i64> + use<> {
        self.list().ends(now)
    }

    /// The answer for somebody who stands there.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn answer(&self, now: Moment, place: Place) -> Result<Bytes, serde_json::Error> {
        self.list().answer(now, place)
    }

    /// Makes sure that the database was looked at a short time ago.
    ///
    /// All come here one by one, in their order, and a look that is under way ends first: so those
    /// who come back for more news are spread out by the looks of those who revoke.
    ///
    /// # Errors
    /// A refusal if the database cannot be read.
    pub async fn freshen(&self, store: &Store, now: Moment) -> Result<(), Problem> {
        let asked = Instant::now();
        self.look_since(store, now, asked.checked_sub(FRESH).unwrap_or(asked)).await
    }

    /// Looks at the database now.
    ///
    /// # Errors
    /// A refusal if it cannot be read.
    pub async fn look(&self, store: &Store, now: Moment) -> Result<(), Problem> {
        self.look_since(store, now, Instant::now()).await
    }

    /// Looks, unless somebody's look began at `since` or later: who waited for a look shares it,
    /// also its failure.
    async fn look_since(&self, store: &Store, now: Moment, since: Instant) -> Result<(), Problem> {
        let mut latest = self.look.lock().await;
        let succeeded = match *latest {
            Some(look) if look.began >= since => look.succeeded,
            _ => {
                let began = Instant::now();
                let succeeded = self.read_in_time(store, now).await;
                *latest = Some(Look { began, succeeded });
                succeeded
            }
        };
        if succeeded {
            return Ok(());
        }
        let detail = "the revocations cannot be read; the log has the cause";
        Err(Problem::new(Reason::NotReady, detail))
    }

    async fn read_in_time(&self, store: &Store, now: Moment) -> bool {
        match tokio::time::timeout(LOOK_LIMIT, self.read(store, now)).await {
            Ok(Ok(())) => true,
            Ok(Err(cause)) => {
                tracing::error!(%cause, "revocations not read");
                false
            }
            Err(_) => {
                tracing::error!(limit_s = LOOK_LIMIT.as_secs(), "revocations not read in time");
                false
            }
        }
    }

    async fn read(&self, store: &Store, now: Moment) -> Result<(), StoreError> {
        let head = store.feed_head(self.epoch()).await?;
        let from = self.list().reusable(now, &head);
        if from == Some(head.epoch) {
            return Ok(());
        }
        let entries = store.feed_after(now, from.unwrap_or(0)).await?;
        // After the entries: what was committed meanwhile is left for the next look.
        let tags = store.feed_tags(from.unwrap_or(0), tags::MAX_TAGS).await?;
        self.list().add(now, from.is_some(), head, entries, tags);
        self.wake();
        Ok(())
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // The list changes in steps that cannot panic half way.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
