//! Every decision of breakglass, without I/O: time, randomness and bytes come in as arguments.

pub mod claims;
pub mod json;
