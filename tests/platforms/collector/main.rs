//! A real OpenTelemetry collector is told of events by the real service: `scripts/platforms collector`. What it decoded is
//! compared with what the service says of the same event.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod collector;
mod decoded;
mod refused;
mod told;
