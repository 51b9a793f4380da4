//! What the service counts, in Prometheus' text format.

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::store::Reported;

/// The service's counters.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    introspections: IntCounterVec,
    changes: IntCounterVec,
    feed: IntCounterVec,
    heads: IntCounterVec,
    key_files: IntGaugeVec,
    hanging: IntGauge,
    epoch: IntGauge,
}

/// What an introspection found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Introspected {
    Active,
    Inactive,
    /// The grant holds, and the token is of an audience that is not the proxy's.
    OtherAudience,
}

/// What an answer of the feed was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    News,
    Reset,
    Timeout,
}

/// A poll of the feed hangs as long as this is.
#[derive(Debug)]
pub(crate) struct Hanging(IntGauge);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.dec();
    }
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
            "Introspections answered, by result: active, inactive, or other_audience (answered as \
             inactive: the token is of an audience that is not the proxy's).",
            &["result"],
        )?;
        let changes = counter(
            "breakglass_changes_total",
            "Changes of state, by action, as in the audit trail.",
            &["action"],
        )?;
        let feed = counter(
            "breakglass_feed_answers_total",
            "Polls of the feed answered, by kind: news, timeout (nothing new) or reset.",
            &["kind"],
        )?;
        let heads = counter(
            "breakglass_audit_heads_total",
            "Heads of audit chains that proxies reported, by result: accepted, conflict, or disputed \
             (the chain is another proxy's).",
            &["result"],
        )?;
        let key_files = IntGaugeVec::new(
            Opts::new(
                "breakglass_signing_key_files",
                "Files in the key directory, by state: used, or unusable (the log says why).",
            ),
            &["state"],
        )?;
        registry.register(Box::new(key_files.clone()))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let hanging = gauge("breakglass_feed_hanging_polls", "Polls that wait for news now.")?;
        let epoch = gauge("breakglass_feed_epoch", "The latest epoch that this process knows.")?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "breakglass_http_request_duration_seconds",
                "How long answers took, by endpoint; a long poll counts its waiting.",
            ),
            &["endpoint"],
        )?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Metrics {
            registry,
            requests,
            seconds,
            introspections,
            changes,
            feed,
            heads,
            key_files,
            hanging,
            epoch,
        })
    }

    pub(crate) fn answered(&self, method: &str, endpoint: &str, status: u16, seconds: f64) {
        let status = status.to_string();
        self.requests.with_label_values(&[method, endpoint, status.as_str()]).inc();
        self.seconds.with_label_values(&[endpoint]).observe(seconds);
    }

    pub(crate) fn introspected(&self, result: Introspected) {
        let result = match result {
            Introspected::Active => "active",
            Introspected::Inactive => "inactive",
            Introspected::OtherAudience => "other_audience",
        };
        self.introspections.with_label_values(&[result]).inc();
    }

    pub(crate) fn changed(&self, action: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.changes.with_label_values(&[action]).inc_by(count);
    }

    pub(crate) fn fed(&self, kind: Fed) {
        let kind = match kind {
            Fed::News => "news",
            Fed::Reset => "reset",
            Fed::Timeout => "timeout",
        };
        self.feed.with_label_values(&[kind]).inc();
    }

    pub(crate) fn reported(&self, reported: &Reported) {
        let Reported { accepted, conflicts, disputed, .. } = *reported;
        let accepted = accepted.saturating_sub(conflicts).saturating_sub(disputed);
        self.heads.with_label_values(&["accepted"]).inc_by(accepted);
        self.heads.with_label_values(&["conflict"]).inc_by(conflicts);
        self.heads.with_label_values(&["disputed"]).inc_by(disputed);
    }

    /// One more poll hangs, until the value is dropped.
    pub(crate) fn hangs(&self) -> Hanging {
        self.hanging.inc();
        Hanging(self.hanging.clone())
    }

    pub(crate) fn key_files(&self, used: usize, unusable: usize) {
        for (state, count) in [("used", used), ("unusable", unusable)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.key_files.with_label_values(&[state]).set(count);
        }
    }

    pub(crate) fn at_epoch(&self, epoch: i64) {
        self.epoch.set(epoch);
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
