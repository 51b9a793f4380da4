//! What is counted of the service itself: its clock, its configuration, and its signing keys.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::timekeeper::Timekeeper;

/// The counters.
#[derive(Debug)]
pub(crate) struct ServiceMetrics {
    clock_believed: IntGauge,
    clock_ahead: IntGauge,
    clock_steps: IntCounter,
    reloads: IntCounterVec,
    reload_succeeded: IntGauge,
    told_heads: IntCounterVec,
    key_files: IntGaugeVec,
    key_overdue: IntGaugeVec,
    key_lacking: IntGaugeVec,
    directory_asked: IntCounterVec,
    held_ends: IntGauge,
}

impl ServiceMetrics {
    /// All counters, at nothing.
    pub(crate) fn register(registry: &Registry) -> Result<ServiceMetrics, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let clock_believed = gauge(
            "breakglass_clock_believed",
            "1 while the wall clock is believed; 0 while approvals and tokens are refused because it is not.",
        )?;
        let clock_ahead = gauge(
            "breakglass_clock_ahead_seconds",
            "How far the wall clock is ahead of the believed time; negative where it is behind.",
        )?;
        let clock_steps = IntCounter::new(
            "breakglass_clock_steps_total",
            "How often the wall clock was found set, or unreadable, since the start.",
        )?;
        registry.register(Box::new(clock_steps.clone()))?;
        let reloads = IntCounterVec::new(
            Opts::new(
                "breakglass_config_reloads_total",
                "Reloads of the configuration, by result: applied or failed.",
            ),
            &["result"],
        )?;
        registry.register(Box::new(reloads.clone()))?;
        let reload_succeeded = gauge(
            "breakglass_config_last_reload_successful",
            "0 where the configuration file could not be applied when it was last read.",
        )?;
        reload_succeeded.set(1);
        let told_heads = IntCounterVec::new(
            Opts::new(
                "breakglass_trail_heads_total",
                "Heads of the service's trail, by where they went (file, log, url) and result: taken or failed.",
            ),
            &["place", "result"],
        )?;
        registry.register(Box::new(told_heads.clone()))?;
        // Without an audience for the default ring: an empty label is none to Prometheus.
        let of_ring = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let key_files = of_ring(
            "breakglass_signing_key_files",
            "Files of signing keys, by state: used, or unusable; and the audience that has keys of its own.",
            &["audience", "state"],
        )?;
        let key_overdue = of_ring(
            "breakglass_signing_key_overdue_seconds",
            "How long ago the time of a signing key came that does not sign yet; 0 where there is none.",
            &["audience"],
        )?;
        let key_lacking = of_ring(
            "breakglass_signing_key_lacking_proxies",
            "How many proxies that live do not have that key.",
            &["audience"],
        )?;
        let directory_asked = IntCounterVec::new(
            Opts::new(
                "breakglass_directory_answers_total",
                "Questions to identity providers about the groups of people who have signed in, by outcome: answered, \
                 no_groups, no_answer, session_ended, refused, not_asked.",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(directory_asked.clone()))?;
        let held_ends = gauge(
            "breakglass_directory_held_ends",
            "People, by group, whose grants do not end although they lost the group, because many did at once.",
        )?;
        Ok(ServiceMetrics {
            clock_believed,
            clock_ahead,
            clock_steps,
            reloads,
            reload_succeeded,
            told_heads,
            key_files,
            key_overdue,
            key_lacking,
            directory_asked,
            held_ends,
        })
    }

    /// Takes what the timekeeper says now.
    pub(crate) fn clock(&self, timekeeper: &Timekeeper) {
        let reading = timekeeper.reading();
        self.clock_believed.set(i64::from(reading.doubt.is_none()));
        let ahead = reading.wall.map_or(0, |wall| {
            wall.millis().saturating_sub(reading.believed.millis()).div_euclid(1000)
        });
        self.clock_ahead.set(ahead);
        self.clock_steps.inc_by(timekeeper.steps().saturating_sub(self.clock_steps.get()));
    }

    pub(crate) fn told_head(&self, place: &str, taken: bool) {
        let result = if taken { "taken" } else { "failed" };
        self.told_heads.with_label_values(&[place, result]).inc();
    }

    /// A signing key's time came so many seconds ago, and so many proxies lack it; both are 0 where no key is held up.
    pub(crate) fn key_switch(&self, audience: &str, overdue_s: i64, lacking: usize) {
        self.key_overdue.with_label_values(&[audience]).set(overdue_s);
        let lacking = i64::try_from(lacking).unwrap_or(i64::MAX);
        self.key_lacking.with_label_values(&[audience]).set(lacking);
    }

    /// How many key files a ring uses, and how many of its files cannot be used.
    pub(crate) fn key_files(&self, audience: &str, used: usize, unusable: usize) {
        for (state, count) in [("used", used), ("unusable", unusable)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.key_files.with_label_values(&[audience, state]).set(count);
        }
    }

    /// After a reload, so that an audience without keys of its own any more leaves no series behind.
    pub(crate) fn forget_keys(&self) {
        for gauges in [&self.key_files, &self.key_overdue, &self.key_lacking] {
            gauges.reset();
        }
    }

    pub(crate) fn directory_asked(&self, outcome: &str) {
        self.directory_asked.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn held_ends(&self, count: usize) {
        self.held_ends.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn reloaded(&self, applied: bool) {
        let result = if applied { "applied" } else { "failed" };
        self.reloads.with_label_values(&[result]).inc();
        self.reload_succeeded.set(i64::from(applied));
    }
}
