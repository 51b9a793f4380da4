//! Telling a challenge from a token, whatever else it says.

use breakglass_types::names::PROBE_TYPE;

use crate::token::media_type;

/// Whether a `typ` is that of a challenge, however it is written (RFC 7515 section 4.1.9).
#[must_use]
pub fn is_probe_type(typ: &str) -> bool {
    media_type(typ) == PROBE_TYPE
}
