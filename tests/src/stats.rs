//! Envoy's own numbers, read from its admin interface.

use std::collections::BTreeMap;

/// A reading of all of Envoy's counters and gauges.
#[derive(Debug, Clone)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// Reads the text of `/stats`; histograms are left out.
    #[must_use]
    pub fn parse(text: &str) -> Stats {
        let number = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Stats(text.lines().filter_map(number).collect())
    }

    /// The value of one counter or gauge; a name that Envoy has not heard of counts nothing.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The sum of those whose names end like this.
    #[must_use]
    pub fn ending_with(&self, end: &str) -> u64 {
        self.0.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, value)| value).sum()
    }

    /// What the filter counted for a decision and its reason.
    #[must_use]
    pub fn decisions(&self, decision: &str, reason: &str) -> u64 {
        self.of(&format!("wasmcustom.breakglass.decision.{decision}.reason.{reason}"))
    }

    /// How often any VM of the filter was made: it grows when one had to be replaced.
    #[must_use]
    pub fn vms_made(&self) -> u64 {
        self.of("wasm.envoy.wasm.runtime.v8.created")
    }

    /// How often the filter's VM was or could not be reloaded after a failure.
    #[must_use]
    pub fn vm_reloads(&self) -> u64 {
        let reload = |name: &&String| name.contains(".vm_reload_");
        self.0.keys().filter(reload).map(|name| self.of(name)).sum()
    }
}
