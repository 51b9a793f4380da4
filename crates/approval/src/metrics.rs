//! What the service counts, in Prometheus' text format.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};

/// The service's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    introspections: IntCounterVec,
    changes: IntCounterVec,
}

impl Metrics {
    /// All counters, at nothing.
    ///
    /// # Errors
    /// When two of them have one name.
    pub fn new() -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let requests = counter(
            "breakglass_http_requests_total",
            "Requests answered, by method, endpoint and status.",
            &["method", "endpoint", "status"],
        )?;
        let introspections = counter(
            "breakglass_introspections_total",
            "Introspections answered, by result: active or inactive.",
            &["result"],
        )?;
        let changes = counter(
            "breakglass_changes_total",
            "Changes of state, by action, as in the audit trail.",
            &["action"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "breakglass_http_request_duration_seconds",
                "How long answers took, by endpoint; a long poll counts its waiting.",
            ),
            &["endpoint"],
        )?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Metrics { registry, requests, seconds, introspections, changes })
    }

    pub(crate) fn answered(&self, method: &str, endpoint: &str, status: u16, seconds: f64) {
        let status = status.to_string();
        self.requests.with_label_values(&[method, endpoint, status.as_str()]).inc();
        self.seconds.with_label_values(&[endpoint]).observe(seconds);
    }

    pub(crate) fn introspected(&self, active: bool) {
        let result = if active { "active" } else { "inactive" };
        self.introspections.with_label_values(&[result]).inc();
    }

    pub(crate) fn changed(&self, action: &str) {
        self.changes.with_label_values(&[action]).inc();
    }

    /// All of it as text.
    ///
    /// # Errors
    /// When a counter cannot be written.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}
