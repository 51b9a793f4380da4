//! What the workers know of their sinks, for those who look at it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use breakglass_api::deliveries::Circuit;

/// What is known of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkState {
    /// Whether attempts are made.
    pub circuit: Circuit,
    /// Why the last attempt failed, where the last one did.
    pub error: Option<String>,
}

impl Default for SinkState {
    fn default() -> SinkState {
        SinkState { circuit: Circuit::Closed, error: None }
    }
}

/// The sinks by name.
#[derive(Debug, Default)]
pub(super) struct SinkStates(Mutex<BTreeMap<String, SinkState>>);

impl SinkStates {
    pub(super) fn put(&self, sink: &str, state: SinkState) {
        self.states().insert(sink.to_owned(), state);
    }

    pub(super) fn remove(&self, sink: &str) {
        self.states().remove(sink);
    }

    pub(super) fn all(&self) -> BTreeMap<String, SinkState> {
        self.states().clone()
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<String, SinkState>> {
        // Each change is one call of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
