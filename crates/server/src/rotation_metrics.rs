//! What is counted of rotations: how many are owed.

use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use crate::clock::Moment;
use crate::store::OpenRotations;

/// The gauges.
#[derive(Debug)]
pub(crate) struct RotationMetrics {
    open: IntGaugeVec,
    oldest: IntGauge,
}

impl RotationMetrics {
    /// All gauges, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<RotationMetrics, prometheus::Error> {
        let open = IntGaugeVec::new(
            Opts::new(
                "breakglass_rotations",
                "Rotations that are not done, by state: owed (the hook is called), or failed (it is not called any more).",
            ),
            &["state"],
        )?;
        registry.register(Box::new(open.clone()))?;
        let oldest = IntGauge::new(
            "breakglass_rotation_oldest_owed_seconds",
            "How long the oldest rotation that is not done has been owed; 0 where none is.",
        )?;
        registry.register(Box::new(oldest.clone()))?;
        for state in ["owed", "failed"] {
            open.with_label_values(&[state]);
        }
        Ok(RotationMetrics { open, oldest })
    }

    pub(crate) fn open(&self, open: OpenRotations, now: Moment) {
        self.open.with_label_values(&["owed"]).set(open.owed);
        self.open.with_label_values(&["failed"]).set(open.failed);
        let age = open.oldest_ms.map_or(0, |oldest| now.millis().saturating_sub(oldest).max(0));
        self.oldest.set(age.div_euclid(1000));
    }
}
