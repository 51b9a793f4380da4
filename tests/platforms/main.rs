//! Real applications behind the filter, each with its own client: `scripts/platforms applications`; and other
//! people's suites of protocols: `scripts/platforms protocols`.
//!
//! What each of them takes for a second name of a resource is theirs to know; here it is seen how far the
//! rules reach, and where they end.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod application;
mod application_gate;
mod git;
mod jupyter;
mod protocols;
mod rabbitmq;
mod registry;
mod s3;
mod spelled;
