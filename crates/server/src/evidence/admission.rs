//! Whether a report of heads or alerts is taken: its credential's turn, and what that may still put into the database.

use std::sync::Arc;

use sqlx::types::Json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Evidence, EvidenceError, Head, Quota, Reporter};
use crate::limits::MAX_CHAINS;
use crate::store::{BUSY_TIMEOUT, StoreError, check_space};

/// A credential's turn to report alerts, until it is dropped.
#[derive(Debug)]
pub struct AlertTurn {
    _turn: OwnedSemaphorePermit,
    /// The name of the credential.
    pub(super) proxy: String,
}

impl Evidence {
    /// Whether a refused report of this credential is to be logged, and how many were not since the last one.
    pub(crate) fn logs_refusal(&self, proxy: &str) -> Option<u64> {
        self.quotas.logs_refusal(proxy)
    }

    /// Waits for this credential's turn.
    pub(super) async fn turn(&self, proxy: &str) -> Result<OwnedSemaphorePermit, EvidenceError> {
        take_turn(self.quotas.turn(proxy)).await
    }

    /// Waits for the turn of this credential's alerts, and refuses a report of them if it has had its share: before anything
    /// else is asked of a database.
    ///
    /// # Errors
    /// [`EvidenceError::Quota`], or another one if the database cannot tell.
    pub async fn admit_alerts(&self, proxy: &str) -> Result<AlertTurn, EvidenceError> {
        let turn = take_turn(self.quotas.turn_of_alerts(proxy)).await?;
        self.check_alert_quota(proxy).await?;
        Ok(AlertTurn { _turn: turn, proxy: proxy.to_owned() })
    }

    async fn check_alert_quota(&self, proxy: &str) -> Result<(), EvidenceError> {
        let free = check_space(&self.path)?;
        let bytes: Option<i64> =
            sqlx::query_scalar("SELECT bytes FROM proxy_usage WHERE proxy = ?1")
                .bind(proxy)
                .fetch_optional(&self.readers()?)
                .await?;
        if free.is_some_and(|free| u64::try_from(bytes.unwrap_or(0)).unwrap_or(0) > free) {
            return Err(Quota::Bytes.into());
        }
        Ok(self.quotas.take_alert_report(proxy)?)
    }

    /// Refuses a report by a credential that has had its share.
    pub(super) async fn check_quota(
        &self,
        reporter: Reporter<'_>,
        heads: &[Head],
    ) -> Result<(), EvidenceError> {
        let free = check_space(&self.path)?;
        let chains: Vec<&str> = heads.iter().map(|head| head.chain.as_str()).collect();
        let (chains, bytes, new): (i64, i64, i64) = sqlx::query_as(
            "SELECT coalesce((SELECT chains FROM proxy_usage WHERE proxy = ?1), 0),
                 coalesce((SELECT bytes FROM proxy_usage WHERE proxy = ?1), 0),
                 (SELECT count(DISTINCT value) FROM json_each(?3) AS named WHERE NOT EXISTS (
                     SELECT 1 FROM audit_reporters
                     WHERE chain = named.value AND proxy = ?1 AND node = ?2))",
        )
        .bind(reporter.proxy)
        .bind(reporter.node)
        .bind(Json(&chains))
        .fetch_one(&self.readers()?)
        .await?;
        if free.is_some_and(|free| u64::try_from(bytes).unwrap_or(0) > free) {
            return Err(Quota::Bytes.into());
        }
        if new > 0 && chains.saturating_add(new) > MAX_CHAINS {
            return Err(Quota::Chains.into());
        }
        self.quotas.take(reporter.proxy, usize::try_from(new).unwrap_or(0))?;
        Ok(())
    }
}

async fn take_turn(turn: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, EvidenceError> {
    let busy = || EvidenceError::Store(StoreError::Database(sqlx::Error::PoolTimedOut));
    let waited = tokio::time::timeout(BUSY_TIMEOUT, turn.acquire_owned()).await;
    waited.map_err(|_| busy())?.map_err(|_| busy())
}
