//! The API server of Kubernetes, with etcd and without a node, and every object that is shipped: `scripts/platforms
//! kubernetes`.
//!
//! What takes more of a cluster is stood in for, and named where it is: no kubelet runs a pod, no controller makes
//! pods of a Deployment or the numbers of a PodDisruptionBudget, and no network plugin enforces a NetworkPolicy.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod admission;
mod cluster;
mod definitions;
mod image;
mod lint;
mod objects;
mod pods;
mod shared;
mod units;
mod versions;
mod walk;
