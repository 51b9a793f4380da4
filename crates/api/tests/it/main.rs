//! Bodies of services and clients that are older or newer than these types.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod leniency;
mod strictness;
