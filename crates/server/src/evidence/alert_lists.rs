//! The alerts of proxies as they are read: by auditors, and by what delivers them.

use tokio::sync::watch;

use super::alert::StoredAlert;
use super::{Evidence, EvidenceError};

/// Which alerts to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlertFilter<'a> {
    /// After this place.
    pub after: i64,
    /// Of this kind.
    pub kind: Option<&'a str>,
    /// About this credential.
    pub proxy: Option<&'a str>,
    /// About this grant.
    pub grant: Option<&'a str>,
    /// At most this many.
    pub limit: i64,
}

impl Evidence {
    /// The alerts after this place, in order, at most so many. A reader that goes on after the last one that it read misses
    /// none. What is counted with an alert later changes its `count` alone.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn alerts_after(
        &self,
        place: i64,
        limit: i64,
    ) -> Result<Vec<StoredAlert>, EvidenceError> {
        self.alerts(AlertFilter { after: place, limit, ..AlertFilter::default() }).await
    }

    /// The place of the last alert that is kept; 0 without one.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn last_alert(&self) -> Result<i64, EvidenceError> {
        let last = sqlx::query_scalar("SELECT coalesce(max(place), 0) FROM alerts");
        Ok(last.fetch_one(&self.readers()?).await?)
    }

    /// The place of the last alert that this process has kept, 0 before the first one: it changes with each.
    #[must_use]
    pub fn alert_news(&self) -> watch::Receiver<i64> {
        self.alert_places.subscribe()
    }

    /// The alerts that `filter` lets through, in order.
    ///
    /// # Errors
    /// [`EvidenceError`] if the database cannot tell.
    pub async fn alerts(&self, filter: AlertFilter<'_>) -> Result<Vec<StoredAlert>, EvidenceError> {
        // One for each: with `?2 IS NULL OR ..` no index could be used. A grant has few alerts.
        let query = match filter {
            AlertFilter { grant: Some(_), .. } => {
                "SELECT place, id, at_ms, seen_ms, kind, page, count, body FROM alerts
                 WHERE grant_id = ?4 AND place > ?1 AND (?2 IS NULL OR kind = ?2)
                   AND (?3 IS NULL OR proxy = ?3) ORDER BY place LIMIT ?5"
            }
            AlertFilter { kind: Some(_), proxy: Some(_), .. } => {
                "SELECT place, id, at_ms, seen_ms, kind, page, count, body FROM alerts
                 WHERE kind = ?2 AND proxy = ?3 AND place > ?1 ORDER BY place LIMIT ?5"
            }
            AlertFilter { kind: Some(_), .. } => {
                "SELECT place, id, at_ms, seen_ms, kind, page, count, body FROM alerts
                 WHERE kind = ?2 AND place > ?1 ORDER BY place LIMIT ?5"
            }
            AlertFilter { proxy: Some(_), .. } => {
                "SELECT place, id, at_ms, seen_ms, kind, page, count, body FROM alerts
                 WHERE proxy = ?3 AND place > ?1 ORDER BY place LIMIT ?5"
            }
            _ => {
                "SELECT place, id, at_ms, seen_ms, kind, page, count, body FROM alerts
                 WHERE place > ?1 ORDER BY place LIMIT ?5"
            }
        };
        Ok(sqlx::query_as(query)
            .bind(filter.after)
            .bind(filter.kind)
            .bind(filter.proxy)
            .bind(filter.grant)
            .bind(filter.limit)
            .fetch_all(&self.readers()?)
            .await?)
    }
}
