//! What the service counts, in Prometheus' text format.

use breakglass_api::evidence::Action;
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

use crate::alert_metrics::AlertMetrics;
use crate::delivery_metrics::DeliveryMetrics;
use crate::evidence::{Reported, Taken};
use crate::request_metrics::RequestMetrics;
use crate::review_metrics::ReviewMetrics;
use crate::rotation_metrics::RotationMetrics;
use crate::service_metrics::ServiceMetrics;

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
    refused_reports: IntCounterVec,
    attempts: IntCounterVec,
    strangers: IntCounterVec,
    unknown_proxies: IntCounterVec,
    hanging: IntGauge,
    epoch: IntGauge,
    waiting: IntGauge,
    connections: ConnectionMetrics,
    service: ServiceMetrics,
    alerts: AlertMetrics,
    deliveries: DeliveryMetrics,
    of_requests: RequestMetrics,
    rotations: RotationMetrics,
    reviews: ReviewMetrics,
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

/// What is counted of connections.
#[derive(Debug, Clone)]
pub struct ConnectionMetrics {
    pub(crate) open: IntGauge,
    closed: IntCounterVec,
}

/// Why the service closed a connection, or refused one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    Idle,
    SlowHandshake,
    SlowHead,
    SlowBody,
    AnswerNotRead,
    PingNotAnswered,
    TooManyFrames,
    GaveWay,
    NoPlace,
    NoPlaceForAddress,
    NoPlaceForProxy,
    NoFile,
}

impl Closed {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Closed::Idle => "idle",
            Closed::SlowHandshake => "slow_handshake",
            Closed::SlowHead => "slow_head",
            Closed::SlowBody => "slow_body",
            Closed::AnswerNotRead => "answer_not_read",
            Closed::PingNotAnswered => "ping_not_answered",
            Closed::TooManyFrames => "too_many_frames",
            Closed::GaveWay => "gave_way",
            Closed::NoPlace => "no_place",
            Closed::NoPlaceForAddress => "no_place_for_address",
            Closed::NoPlaceForProxy => "no_place_for_proxy",
            Closed::NoFile => "no_file",
        }
    }
}

impl ConnectionMetrics {
    pub(crate) fn closed(&self, why: Closed) {
        self.closed.with_label_values(&[why.word()]).inc();
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
        let refused_reports = counter(
            "breakglass_audit_reports_refused_total",
            "Reports of heads that were refused, by reason; for a quota, by which one.",
            &["reason"],
        )?;
        let attempts = counter(
            "breakglass_attempts_total",
            "What known callers were refused and auditors read, by result: row (it is a row of the evidence \
             database), counted (with others of its minute) or lost.",
            &["result"],
        )?;
        let strangers = counter(
            "breakglass_strangers_refused_total",
            "Requests without a known credential that were refused, by status.",
            &["status"],
        )?;
        let unknown_proxies = counter(
            "breakglass_unknown_proxies_refused_total",
            "Requests without a known credential that were refused at endpoints that only proxies call, by endpoint.",
            &["endpoint"],
        )?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let hanging = gauge("breakglass_feed_hanging_polls", "Polls that wait for news now.")?;
        let epoch = gauge("breakglass_feed_epoch", "The latest epoch that this process knows.")?;
        let waiting = gauge("breakglass_waiting_requests", "People who wait for a decision now.")?;
        let connections = ConnectionMetrics {
            open: gauge("breakglass_connections", "Connections that are open now.")?,
            closed: counter(
                "breakglass_connections_closed_total",
                "Connections that the service closed or refused, and requests of proxies that it refused, \
                 by reason: idle, slow_handshake, slow_head, slow_body, answer_not_read, ping_not_answered, too_many_frames, \
                 gave_way (to another one), no_place, no_place_for_address, no_place_for_proxy, no_file (the system gives none).",
                &["reason"],
            )?,
        };
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "breakglass_http_request_duration_seconds",
                "How long answers took, by endpoint; a long poll counts its waiting.",
            ),
            &["endpoint"],
        )?;
        registry.register(Box::new(seconds.clone()))?;
        let service = ServiceMetrics::register(&registry)?;
        let alerts = AlertMetrics::register(&registry)?;
        let deliveries = DeliveryMetrics::register(&registry)?;
        let of_requests = RequestMetrics::register(&registry)?;
        let rotations = RotationMetrics::register(&registry)?;
        let reviews = ReviewMetrics::register(&registry)?;
        Ok(Metrics {
            registry,
            requests,
            seconds,
            introspections,
            changes,
            feed,
            heads,
            refused_reports,
            attempts,
            strangers,
            unknown_proxies,
            hanging,
            epoch,
            waiting,
            connections,
            service,
            alerts,
            deliveries,
            of_requests,
            rotations,
            reviews,
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

    pub(crate) fn changed(&self, action: Action, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.changes.with_label_values(&[action.word()]).inc_by(count);
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

    pub(crate) fn report_refused(&self, reason: &str) {
        self.refused_reports.with_label_values(&[reason]).inc();
    }

    pub(crate) fn attempted(&self, taken: Taken) {
        // What is lost is counted where it is.
        let result = match taken {
            Taken::Row => "row",
            Taken::Counted => "counted",
            Taken::Lost => return,
        };
        self.attempts.with_label_values(&[result]).inc();
    }

    pub(crate) fn lost_attempts(&self, count: u64) {
        self.attempts.with_label_values(&["lost"]).inc_by(count);
    }

    pub(crate) fn stranger_refused(&self, status: u16) {
        self.strangers.with_label_values(&[status.to_string().as_str()]).inc();
    }

    pub(crate) fn unknown_proxy_refused(&self, endpoint: &str) {
        self.unknown_proxies.with_label_values(&[endpoint]).inc();
    }

    /// One more poll hangs, until the value is dropped.
    pub(crate) fn hangs(&self) -> Hanging {
        self.hanging.inc();
        Hanging(self.hanging.clone())
    }

    pub(crate) fn at_epoch(&self, epoch: i64) {
        self.epoch.set(epoch);
    }

    /// What is counted of the service itself.
    pub(crate) fn service(&self) -> &ServiceMetrics {
        &self.service
    }

    /// What is counted of alerts.
    pub(crate) fn alerts(&self) -> &AlertMetrics {
        &self.alerts
    }

    /// What is counted of rotations.
    pub(crate) fn rotations(&self) -> &RotationMetrics {
        &self.rotations
    }

    /// What is counted of reviews.
    pub(crate) fn reviews(&self) -> &ReviewMetrics {
        &self.reviews
    }

    /// What is counted of deliveries.
    pub(crate) fn deliveries(&self) -> &DeliveryMetrics {
        &self.deliveries
    }

    /// What is counted of requests and grants.
    pub(crate) fn requests(&self) -> &RequestMetrics {
        &self.of_requests
    }

    /// So many wait for a decision.
    pub(crate) fn waits(&self, waiting: usize) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Those of connections.
    #[must_use]
    pub fn connections(&self) -> ConnectionMetrics {
        self.connections.clone()
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
