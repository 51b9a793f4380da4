//! Counters, kept here and handed over now and then: one host call for many requests.

use std::collections::BTreeMap;

use crate::audit::Decision;
use crate::reason::Reason;

/// The name of a counter. Envoy's own prefix `wasmcustom.` comes before it.
pub type CounterName = String;

/// What happened since the last hand-over.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    decisions: BTreeMap<(&'static str, &'static str), u64>,
    calls: BTreeMap<(&'static str, &'static str), u64>,
}

impl Counters {
    pub(crate) fn decision(&mut self, decision: Decision, reason: Reason) {
        add_one(self.decisions.entry((decision.word(), reason.code())).or_default());
    }

    pub(crate) fn call(&mut self, purpose: &'static str, result: &'static str) {
        self.add(purpose, result, 1);
    }

    /// The same, so many times.
    pub(crate) fn add(&mut self, purpose: &'static str, result: &'static str, count: u64) {
        if count > 0 {
            let before = self.calls.entry((purpose, result)).or_default();
            *before = before.saturating_add(count);
        }
    }

    /// Hands over what was counted, and begins anew.
    pub(crate) fn take(&mut self) -> Vec<(CounterName, u64)> {
        let decisions = std::mem::take(&mut self.decisions);
        let calls = std::mem::take(&mut self.calls);
        let decisions = decisions.into_iter().map(|((decision, reason), count)| {
            (format!("breakglass.decision.{decision}.reason.{reason}"), count)
        });
        let calls = calls.into_iter().map(|((purpose, result), count)| {
            (format!("breakglass.{purpose}.result.{result}"), count)
        });
        decisions.chain(calls).collect()
    }
}

fn add_one(count: &mut u64) {
    *count = count.saturating_add(1);
}
