//! The objects in `envoy/istio` before Istio's own control plane: `scripts/platforms istio`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod driven;
mod judged;
