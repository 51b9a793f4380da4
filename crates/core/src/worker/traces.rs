//! By which steps requests were decided, where Envoy logs that much. Elsewhere nothing is kept.

use crate::calls::StreamId;
use crate::trace::Trace;

/// The most traces that are kept until the filter takes them.
const MAX_TRACES: usize = 1024;

/// `None` where they are not logged.
#[derive(Debug, Default)]
pub(super) struct Traces(Option<Vec<(StreamId, Trace)>>);

impl Traces {
    pub(super) fn note(&mut self, stream: StreamId, trace: &Trace) {
        if let Some(kept) = self.0.as_mut().filter(|kept| kept.len() < MAX_TRACES) {
            kept.push((stream, *trace));
        }
    }

    /// Keeps them from now on.
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_default();
    }

    /// Hands over what was kept since the last time.
    pub(super) fn take(&mut self) -> Vec<(StreamId, Trace)> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
