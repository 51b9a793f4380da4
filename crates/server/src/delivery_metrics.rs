//! What is counted of deliveries, by sink: the sinks are those of the configuration.

use std::time::Duration;

use breakglass_api::deliveries::Circuit;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// The bounds of lags, in seconds: an alert that takes a second is late, and a sink may be down for a day.
const LAGS: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0];

/// The counters.
#[derive(Debug)]
pub(crate) struct DeliveryMetrics {
    attempts: IntCounterVec,
    lag: HistogramVec,
    waiting: IntGaugeVec,
    dead: IntGaugeVec,
    oldest: IntGaugeVec,
    open: IntGaugeVec,
}

impl DeliveryMetrics {
    /// All counters, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<DeliveryMetrics, prometheus::Error> {
        let attempts = IntCounterVec::new(
            Opts::new(
                "breakglass_delivery_attempts_total",
                "Attempts to deliver events, by sink and outcome: delivered, failed (it is tried again), or dead (it is given up).",
            ),
            &["sink", "outcome"],
        )?;
        registry.register(Box::new(attempts.clone()))?;
        let lag = HistogramVec::new(
            HistogramOpts::new(
                "breakglass_delivery_lag_seconds",
                "From the time of an event to the receiver's receipt, by sink.",
            )
            .buckets(LAGS.to_vec()),
            &["sink"],
        )?;
        registry.register(Box::new(lag.clone()))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGaugeVec::new(Opts::new(name, help), &["sink"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        Ok(DeliveryMetrics {
            attempts,
            lag,
            waiting: gauge("breakglass_deliveries_waiting", "Deliveries that wait, by sink.")?,
            dead: gauge(
                "breakglass_deliveries_dead",
                "Deliveries that were given up in the last 30 days and not tried again since, by sink.",
            )?,
            oldest: gauge(
                "breakglass_delivery_oldest_waiting_seconds",
                "How long the oldest delivery waits, by sink; 0 where none does.",
            )?,
            open: gauge(
                "breakglass_sink_circuit_open",
                "1 while too many attempts at a sink fail in a row for further ones, by sink.",
            )?,
        })
    }

    pub(crate) fn attempted(&self, sink: &str, outcome: &str) {
        self.attempts.with_label_values(&[sink, outcome]).inc();
    }

    /// A receiver has taken an event that happened so many milliseconds ago.
    pub(crate) fn delivered(&self, sink: &str, lag_ms: i64) {
        let lag = Duration::from_millis(u64::try_from(lag_ms).unwrap_or(0));
        self.lag.with_label_values(&[sink]).observe(lag.as_secs_f64());
    }

    pub(crate) fn waiting(&self, sink: &str, waiting: i64, dead: i64, oldest_s: i64) {
        self.waiting.with_label_values(&[sink]).set(waiting);
        self.dead.with_label_values(&[sink]).set(dead);
        self.oldest.with_label_values(&[sink]).set(oldest_s);
    }

    pub(crate) fn circuit(&self, sink: &str, circuit: Circuit) {
        self.open.with_label_values(&[sink]).set(i64::from(circuit != Circuit::Closed));
    }

    /// So that a sink which the configuration does not name any more leaves no series behind.
    pub(crate) fn forget_sinks(&self) {
        for gauges in [&self.waiting, &self.dead, &self.oldest, &self.open] {
            gauges.reset();
        }
    }
}
