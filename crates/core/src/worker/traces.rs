//! By which steps requests were decided, for whoever asks. While nobody does, nothing is kept.

use crate::calls::StreamId;
use crate::trace::Trace;

use super::Worker;

/// The most traces that are kept until somebody takes them.
const MAX_TRACES: usize = 1024;

/// `None` while nobody asks.
#[derive(Debug, Default)]
pub(super) struct Traces(Option<Vec<(StreamId, Trace)>>);

impl Traces {
    pub(super) fn note(&mut self, stream: StreamId, trace: &Trace) {
        if let Some(kept) = self.0.as_mut().filter(|kept| kept.len() < MAX_TRACES) {
            kept.push((stream, *trace));
        }
    }
}

impl Worker {
    /// Keeps from now on by which steps requests are decided.
    pub fn keep_traces(&mut self) {
        self.traces.0.get_or_insert_default();
    }

    /// Hands over what was kept since the last time: the last ones are left out where nobody came for more than a
    /// thousand.
    pub fn take_traces(&mut self) -> Vec<(StreamId, Trace)> {
        self.traces.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
