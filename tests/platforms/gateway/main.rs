//! Envoy Gateway with the objects of `envoy/gateway`: `scripts/platforms gateway`.
//!
//! Its own standalone server reads the objects from a file, pulls the module from a registry, and runs the Envoys
//! that the Gateways ask for. All of it is in namespaces of its own (`namespace`), in which the names and files of the
//! shipped objects are real: the registry speaks TLS by a certificate of the CA that the system trusts, and the approval service
//! by one of an authority of its own, with client certificates.
//!
//! What a reader fills in is filled in here (`objects::placed`): the issuer, the audience, the image's digest; and the
//! provider is `Host` in place of `Kubernetes`.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod chains;
mod control;
mod documented;
mod generated;
mod https;
mod merged;
mod mistakes;
mod modules;
mod objects;
mod options;
mod overrides;
mod source;
mod world;
