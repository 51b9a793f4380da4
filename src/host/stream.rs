//! What identifies the current stream, and what instances of this filter leave in its filter state.

use breakglass_core::StreamState;

use super::ffi::{self, HostError};
use super::properties::{CurrentRequest, DECISION_STATE, RECORD_STATE, number, property};

/// The filter state for another instance of this filter in the same chain: Envoy's key is
/// `wasm.breakglass_mark`.
const MARK_STATE: &[u8] = b"breakglass_mark";

/// Leaves a mark for another instance of this filter in the same chain.
pub(crate) fn publish_mark(mark: &[u8]) -> Result<(), HostError> {
    ffi::set_property(MARK_STATE, mark)
}

/// Whether an audit record is in the filter state of the current request.
pub(crate) fn has_record() -> bool {
    ffi::property(RECORD_STATE).is_ok()
}

/// The audit record in the filter state of the current request.
#[cfg(feature = "panics-on-purpose")]
pub(crate) fn record() -> Option<String> {
    String::from_utf8(ffi::property(RECORD_STATE).ok()?).ok()
}

impl StreamState for CurrentRequest {
    fn connection_id(&self) -> Option<u64> {
        number(b"connection\0id")
    }

    fn request_time(&self) -> Option<u64> {
        number(b"request\0time")
    }

    fn has_record(&self) -> bool {
        has_record()
    }

    fn has_permit(&self) -> bool {
        ffi::property(DECISION_STATE).is_ok()
    }

    fn mark(&self) -> Option<Vec<u8>> {
        ffi::property(MARK_STATE).ok()
    }

    fn listener(&self) -> Option<String> {
        let words = [
            property(b"destination\0address").map(|at| format!("at {}", lossy(&at))),
            property(b"xds\0filter_chain_name")
                .map(|name| format!("filter chain {}", lossy(&name))),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// For a log: one line.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|one| !one.is_control()).collect()
}
