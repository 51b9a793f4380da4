//! What is counted of the alerts that proxies report.

use breakglass_types::alerts::Class;
use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

use crate::evidence::{AlertOutcome, counted_as};

/// The counters.
#[derive(Debug)]
pub(crate) struct AlertMetrics {
    alerts: IntCounterVec,
    pages: IntCounterVec,
    lost: IntCounter,
    refused_reports: IntCounterVec,
}

impl AlertMetrics {
    /// All counters, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<AlertMetrics, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let alerts = counter(
            "breakglass_alerts_total",
            "Alerts that proxies reported, by kind (other: one that this version does not know), class and outcome: accepted \
             (kept), suppressed (counted with another one: the same within a minute, or beyond those that are kept in an \
             hour), or dropped (of a grant or an audience that the credential does not have).",
            &["kind", "class", "outcome"],
        )?;
        let pages = counter(
            "breakglass_alert_pages_total",
            "Alerts that are kept, by class and outcome: told (for a human) or suppressed (the credential and class have had \
             the pages of the hour); summary (told: how many were suppressed).",
            &["class", "outcome"],
        )?;
        let lost = IntCounter::new(
            "breakglass_alerts_lost_total",
            "Alerts that proxies have dropped before they could report them, as they say.",
        )?;
        registry.register(Box::new(lost.clone()))?;
        let refused_reports = counter(
            "breakglass_alert_reports_refused_total",
            "Reports of alerts that were refused, by reason; for a quota, by which one.",
            &["reason"],
        )?;
        Ok(AlertMetrics { alerts, pages, lost, refused_reports })
    }

    /// An alert was kept, or counted with others.
    pub(crate) fn kept(&self, kind: &str, class: Class, outcome: AlertOutcome) {
        let (outcome, page) = match outcome {
            AlertOutcome::Paged => ("accepted", Some("told")),
            AlertOutcome::Unpaged => ("accepted", Some("suppressed")),
            AlertOutcome::CountedWith(_)
            | AlertOutcome::CountedWithin(_)
            | AlertOutcome::Counted => ("suppressed", None),
        };
        self.alerts.with_label_values(&[counted_as(kind), class.word(), outcome]).inc();
        if let Some(page) = page {
            self.pages.with_label_values(&[class.word(), page]).inc();
        }
    }

    /// An alert is not the credential's.
    pub(crate) fn dropped(&self, kind: &str, class: Class) {
        self.alerts.with_label_values(&[counted_as(kind), class.word(), "dropped"]).inc();
    }

    /// It was said of these classes how many alerts came without a page.
    pub(crate) fn summaries(&self, classes: &[Class]) {
        for class in classes {
            self.pages.with_label_values(&[class.word(), "summary"]).inc();
        }
    }

    /// A proxy has dropped so many.
    pub(crate) fn lost(&self, count: u64) {
        // The sum must not wrap, whatever proxies say.
        self.lost.inc_by(count.min(u64::MAX.saturating_sub(self.lost.get())));
    }

    /// A report was refused.
    pub(crate) fn report_refused(&self, reason: &str) {
        self.refused_reports.with_label_values(&[reason]).inc();
    }
}
