//! What one proxy's credential may put into the evidence database, so that it neither fills the disk nor keeps
//! others out.
//!
//! 1. No more bytes than the disk has free beside them: a credential that nobody bounds takes half of the disk, and
//!    others go on with the other half.
//! 2. So many new chains a minute, and so many in all.
//! 3. One report at a time: the next one waits for its turn, and others do not wait for it. Alerts have a turn beside that of
//!    heads, and so many reports a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::limits::{MAX_ALERT_REPORTS, MAX_CHAINS, MAX_NEW_CHAINS};

const MINUTE: Duration = Duration::from_secs(60);

/// How often a refused report of one credential is logged at most.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Which bound a credential has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Quota {
    /// New chains in a minute.
    #[error(
        "this credential has reported {MAX_NEW_CHAINS} new chains within a minute: report again later"
    )]
    NewChains,
    /// Chains in all.
    #[error(
        "this credential has {MAX_CHAINS} chains, each counted for every node that reports it: give proxies \
         credentials of their own, or lower `evidence_retention`"
    )]
    Chains,
    /// Its share of the disk.
    #[error(
        "the heads and alerts of this credential take more of the disk than is left free: make room, lower \
         `evidence_retention`, or find out which proxy reports so much"
    )]
    Bytes,
    /// Reports of alerts in a minute.
    #[error(
        "this credential has reported alerts {MAX_ALERT_REPORTS} times within a minute: report again later, with several \
         alerts in one report"
    )]
    AlertReports,
}

impl Quota {
    /// Its word, for the metric.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Quota::NewChains => "new_chains",
            Quota::Chains => "chains",
            Quota::Bytes => "bytes",
            Quota::AlertReports => "alert_reports",
        }
    }
}

/// What each credential does now. Names come from the configuration: there are not many.
#[derive(Debug, Default)]
pub(super) struct Quotas(Mutex<HashMap<String, Use>>);

#[derive(Debug)]
struct Use {
    turn: Arc<Semaphore>,
    turn_of_alerts: Arc<Semaphore>,
    minute: Instant,
    new_chains: usize,
    alert_reports: usize,
    /// When a refused report was logged last, and how many were not since then.
    logged: Option<Instant>,
    unlogged: u64,
}

impl Quotas {
    fn of<T>(&self, proxy: &str, ask: impl FnOnce(&mut Use) -> T) -> T {
        // Counters: a panic in between leaves nothing half done.
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ask(uses.entry(proxy.to_owned()).or_insert_with(|| Use {
            turn: Arc::new(Semaphore::new(1)),
            turn_of_alerts: Arc::new(Semaphore::new(1)),
            minute: Instant::now(),
            new_chains: 0,
            alert_reports: 0,
            logged: None,
            unlogged: 0,
        }))
    }

    /// Whether a refused report of this credential is to be logged, and how many were not since the last one.
    pub(super) fn logs_refusal(&self, proxy: &str) -> Option<u64> {
        self.of(proxy, |used| {
            if used.logged.is_some_and(|at| at.elapsed() < LOG_EVERY) {
                used.unlogged = used.unlogged.saturating_add(1);
                return None;
            }
            used.logged = Some(Instant::now());
            Some(std::mem::take(&mut used.unlogged))
        })
    }

    /// What lets one report of this credential in at a time.
    pub(super) fn turn(&self, proxy: &str) -> Arc<Semaphore> {
        self.of(proxy, |used| Arc::clone(&used.turn))
    }

    /// What lets one report of alerts of this credential in at a time.
    pub(super) fn turn_of_alerts(&self, proxy: &str) -> Arc<Semaphore> {
        self.of(proxy, |used| Arc::clone(&used.turn_of_alerts))
    }

    /// Counts a report of alerts; not one that is too many.
    pub(super) fn take_alert_report(&self, proxy: &str) -> Result<(), Quota> {
        self.of(proxy, |used| {
            used.begin_minute();
            if used.alert_reports >= MAX_ALERT_REPORTS {
                return Err(Quota::AlertReports);
            }
            used.alert_reports = used.alert_reports.saturating_add(1);
            Ok(())
        })
    }

    /// Counts new chains; not those that are too many.
    pub(super) fn take(&self, proxy: &str, new: usize) -> Result<(), Quota> {
        self.of(proxy, |used| {
            used.begin_minute();
            let chains = used.new_chains.saturating_add(new);
            if chains > MAX_NEW_CHAINS {
                return Err(Quota::NewChains);
            }
            used.new_chains = chains;
            Ok(())
        })
    }
}

impl Use {
    /// Begins another minute, if the last one is over.
    fn begin_minute(&mut self) {
        if self.minute.elapsed() >= MINUTE {
            (self.minute, self.new_chains, self.alert_reports) = (Instant::now(), 0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_credential_does_not_use_up_the_minute_of_another() {
        let quotas = Quotas::default();
        assert_eq!(quotas.take("a", MAX_NEW_CHAINS), Ok(()));
        assert_eq!(quotas.take("a", 1), Err(Quota::NewChains));
        assert_eq!(quotas.take("a", 0), Ok(()));
        assert_eq!(quotas.take("b", 1), Ok(()));
        tokio::time::advance(MINUTE).await;
        assert_eq!(quotas.take("a", 1), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn reports_of_alerts_use_up_no_chains_and_the_other_way_round() {
        let quotas = Quotas::default();
        assert_eq!(quotas.take("a", MAX_NEW_CHAINS), Ok(()));
        for _ in 0..MAX_ALERT_REPORTS {
            assert_eq!(quotas.take_alert_report("a"), Ok(()));
        }
        assert_eq!(quotas.take_alert_report("a"), Err(Quota::AlertReports));
        assert_eq!(quotas.take_alert_report("b"), Ok(()));
        tokio::time::advance(MINUTE).await;
        assert_eq!((quotas.take_alert_report("a"), quotas.take("a", 1)), (Ok(()), Ok(())));
    }
}
