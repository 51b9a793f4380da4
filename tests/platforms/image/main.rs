//! The approval service's image, started as one: `scripts/platforms image`.
//!
//! A container engine runs it with what envoy/kubernetes/deployment.yaml asks for (`pod`): the user, the root directory
//! that cannot be written, the volumes as a kubelet leaves them, the limits, the probes. What is not here: a kubelet.
//! The tests ask what it would ask.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod engine;
mod layout;
mod name_server;
mod names;
mod needs;
mod pod;
mod story;
