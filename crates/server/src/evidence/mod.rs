//! The evidence database: heads of audit chains, alerts of proxies, and what known callers were refused. It has its own file, pools
//! and thread, so that nothing here can hold up a revocation.
//!
//! While the file cannot be opened or written, evidence is refused (503, `evidence_unavailable` or the storage
//! fault), it is tried again, and everything else goes on.

mod admission;
mod alert;
mod alert_ledger;
mod alert_lists;
mod alert_reports;
mod alert_summaries;
mod alerts;
mod attempt;
mod attempts;
mod database;
mod error;
mod head_pages;
mod heads;
mod import;
mod open;
mod quota;
mod recorder;
mod reported_head;
mod retention;
mod runtime;
mod unknown_proxies;
mod upkeep;
mod uses;

use std::path::PathBuf;
use std::sync::{OnceLock, RwLock};

use sqlx::sqlite::SqlitePool;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};

use crate::config::Config;
use crate::store::check_space;
use crate::store::write::Write;

pub use admission::AlertTurn;
pub use alert::{NewAlert, StoredAlert, counted_as};
pub use alert_ledger::Outcome as AlertOutcome;
pub use alert_lists::AlertFilter;
pub use alert_reports::{MAX_SENDERS, ReportKey};
pub use alerts::KeptAlerts;
pub use attempt::{Attempt, AttemptRow, CallerKind, Outcome};
pub use error::EvidenceError;
pub use head_pages::{HeadFilter, HeadPage};
pub use heads::{Disputed, Head, Reported, Reporter};
pub use quota::Quota;
pub use recorder::{MAX_READ, MAX_REFUSED, Recorder, Taken};
pub use reported_head::{Proof, ReportedHead};
pub use retention::Retention;
pub use upkeep::keep;
pub use uses::UsesOfGrants;

use database::Database;
pub(crate) use database::migrations;
use quota::Quotas;
use runtime::OwnRuntime;

/// The evidence database, open or not.
#[derive(Debug)]
pub struct Evidence {
    path: PathBuf,
    /// The main database, for the heads that earlier versions kept there.
    main: PathBuf,
    database: RwLock<Option<Database>>,
    /// One attempt to open it at a time.
    opening: Mutex<()>,
    quotas: Quotas,
    recorder: Recorder,
    /// The place of the last alert.
    alert_places: watch::Sender<i64>,
    runtime: OnceLock<Option<OwnRuntime>>,
}

impl Evidence {
    /// The evidence database of this configuration, not opened yet.
    #[must_use]
    pub fn new(config: &Config) -> Evidence {
        Evidence {
            path: config.evidence_path(),
            main: config.database.clone(),
            database: RwLock::new(None),
            opening: Mutex::new(()),
            quotas: Quotas::default(),
            recorder: Recorder::new(),
            alert_places: watch::Sender::new(0),
            runtime: OnceLock::new(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// What takes attempts until they are written.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The thread on which endpoints of evidence do their work; that of the caller where the system gives none.
    pub(crate) fn runtime(&self, otherwise: &Handle) -> Handle {
        let own = self.runtime.get_or_init(|| match OwnRuntime::new() {
            Ok(own) => Some(own),
            Err(cause) => {
                tracing::warn!(%cause, "evidence has no thread of its own");
                None
            }
        });
        own.as_ref().map_or_else(|| otherwise.clone(), OwnRuntime::handle)
    }

    fn database(&self) -> Result<Database, EvidenceError> {
        // It is replaced in one assignment.
        let database = self.database.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        database.clone().ok_or(EvidenceError::Unavailable)
    }

    fn readers(&self) -> Result<SqlitePool, EvidenceError> {
        Ok(self.database()?.readers)
    }

    async fn write(&self) -> Result<Write, EvidenceError> {
        check_space(&self.path)?;
        Ok(Write::begin(&self.database()?.writer).await?)
    }
}
