//! The tests: one file for each concern.

#![expect(
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod harness;
