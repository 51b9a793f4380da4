//! Envoy's counters, gauges and histograms, each defined when it is used first.

use std::collections::HashMap;

use breakglass_core::worker::Tick;
use breakglass_core::{CounterName, GaugeChange};
use log::warn;

use super::ffi::{self, HostError};

const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const HISTOGRAM: u32 = 2;

/// The metrics that were used, by name: `None` for one that Envoy does not take.
#[derive(Debug, Default)]
pub(crate) struct Metrics(HashMap<String, Option<u32>>);

impl Metrics {
    /// Hands over what a tick has counted and measured.
    pub(crate) fn take(&mut self, tick: &mut Tick) {
        self.count(std::mem::take(&mut tick.counters));
        for (name, change) in std::mem::take(&mut tick.gauges) {
            self.with(GAUGE, name, |id| match change {
                GaugeChange::Declare => ffi::increment_metric(id, 0),
                GaugeChange::Set(value) => ffi::record_metric(id, value),
            });
        }
        for (name, value) in std::mem::take(&mut tick.durations) {
            self.with(HISTOGRAM, name, |id| ffi::record_metric(id, value));
        }
    }

    /// Adds to counters.
    pub(crate) fn count(&mut self, counters: Vec<(CounterName, u64)>) {
        for (name, count) in counters {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.with(COUNTER, name, |id| ffi::increment_metric(id, count));
        }
    }

    /// Changes a metric. Of one that Envoy does not take the log has one line: what is measured is measured each second.
    fn with(&mut self, kind: u32, name: String, change: impl Fn(u32) -> Result<(), HostError>) {
        let known = self.0.get(&name).copied();
        let changed = match known {
            Some(None) => return,
            Some(Some(id)) => change(id).map(|()| id),
            None => ffi::define_metric(kind, &name).and_then(|id| change(id).map(|()| id)),
        };
        let id = changed.inspect_err(|status| {
            warn!("breakglass: Envoy does not take the metric {name}, which is left out from now on: {status:?}");
        });
        if known != Some(id.ok()) {
            self.0.insert(name, id.ok());
        }
    }
}
