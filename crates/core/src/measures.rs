//! What is measured, as opposed to counted: gauges, and how long calls took.

use std::collections::BTreeMap;
use std::time::Duration;

/// The name of a gauge or a histogram. Envoy's own prefix `wasmcustom.` comes before it.
pub type MeasureName = String;

/// The most durations that are kept for one hand-over: Envoy takes no more calls at once by default.
const MAX_DURATIONS: usize = 1024;

/// What was measured since the last hand-over.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    gauges: BTreeMap<&'static str, Option<u64>>,
    durations: Vec<(&'static str, Duration)>,
}

/// A value for a gauge of the Envoy process: all of its VMs have one together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GaugeChange {
    /// The gauge is there, and keeps what another VM has set.
    Declare,
    /// It has this value now.
    Set(u64),
}

/// Gauges that are other ones now.
pub(crate) type Gauges = Vec<(MeasureName, GaugeChange)>;

/// How long calls took, in milliseconds.
pub(crate) type Durations = Vec<(MeasureName, u64)>;

impl Measures {
    /// Lets a gauge be there.
    pub(crate) fn declare(&mut self, gauge: &'static str) {
        self.gauges.entry(gauge).or_default();
    }

    /// Sets a gauge.
    pub(crate) fn set(&mut self, gauge: &'static str, value: u64) {
        self.gauges.insert(gauge, Some(value));
    }

    /// A call took so long.
    pub(crate) fn took(&mut self, purpose: &'static str, duration: Duration) {
        if self.durations.len() < MAX_DURATIONS {
            self.durations.push((purpose, duration));
        }
    }

    /// Hands over the gauges, and how long calls took, in milliseconds.
    pub(crate) fn take(&mut self) -> (Gauges, Durations) {
        let change = |value: Option<u64>| value.map_or(GaugeChange::Declare, GaugeChange::Set);
        let gauges = std::mem::take(&mut self.gauges).into_iter();
        let gauges = gauges.map(|(name, value)| (format!("breakglass.{name}"), change(value)));
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let name = |purpose| format!("breakglass.callout_ms.purpose.{purpose}");
        let durations = std::mem::take(&mut self.durations).into_iter();
        let durations = durations.map(|(purpose, duration)| (name(purpose), millis(duration)));
        (gauges.collect(), durations.collect())
    }
}
