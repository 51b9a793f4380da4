//! The reader of logs, on logs that another program wrote.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod approvals;
mod exports;
mod heads;
mod laws;
mod orders;
mod trail_vectors;
