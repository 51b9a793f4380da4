//! What Envoy calls properties: attributes, and filter state.

use super::ffi;

/// The filter state that later filters match: Envoy's key is `wasm.breakglass_decision`.
pub(super) const DECISION_STATE: &[u8] = b"breakglass_decision";

/// The filter state that access loggers print: Envoy's key is `wasm.breakglass`.
pub(super) const RECORD_STATE: &[u8] = b"breakglass";

/// The attributes of the current request.
pub(crate) struct CurrentRequest;

/// One of Envoy's attributes, by its path with a NUL between the parts; `None` if it is not there, or
/// empty.
pub(super) fn property(path: &[u8]) -> Option<Vec<u8>> {
    ffi::property(path).ok().filter(|value| !value.is_empty())
}

/// An attribute that is a number: eight bytes, little-endian.
pub(super) fn number(path: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(property(path)?.try_into().ok()?))
}
