//! What is counted of reviews: how many wait for a reviewer.

use prometheus::{IntGaugeVec, Opts, Registry};

use crate::store::OpenReviews;

/// The gauges.
#[derive(Debug)]
pub(crate) struct ReviewMetrics(IntGaugeVec);

impl ReviewMetrics {
    /// All gauges, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<ReviewMetrics, prometheus::Error> {
        let open = IntGaugeVec::new(
            Opts::new(
                "breakglass_reviews",
                "Reviews of used grants that no reviewer has signed or disputed, by state: owed, or overdue.",
            ),
            &["state"],
        )?;
        registry.register(Box::new(open.clone()))?;
        for state in ["owed", "overdue"] {
            open.with_label_values(&[state]);
        }
        Ok(ReviewMetrics(open))
    }

    pub(crate) fn open(&self, open: OpenReviews) {
        self.0.with_label_values(&["owed"]).set(open.owed);
        self.0.with_label_values(&["overdue"]).set(open.overdue);
    }
}
