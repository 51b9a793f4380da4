//! The end-to-end harness: a real Envoy with the built filter, an upstream that says what it saw,
//! the approval service or a programmable stand-in, tokens made by an implementation that is not
//! the filter's, and clients that can send any bytes.
//!
//! A test reads as a sentence: start a [`gate::Gate`], mint a token, say what the gate does with
//! the request. [`gate::Gate::allows`], [`gate::Gate::refuses`] and [`gate::Gate::passes`] check
//! the answer, what the upstream saw, and the audit record, each exactly.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test, and real time is the point"
)]

pub mod applications;
pub mod approvals;
pub mod artefacts;
pub mod bootstrap;
pub mod certificates;
pub mod client;
mod clock;
pub mod collector;
mod endless;
pub mod envoy;
mod envoy_process;
pub mod extended_connect;
pub mod gate;
pub mod grpc;
pub mod http3;
pub mod istio;
pub mod keys;
pub mod live;
pub mod manifests;
pub mod policy;
pub mod ports;
pub mod processes;
pub mod record;
pub mod relay;
mod replacements;
mod runtime;
pub mod service;
mod shared;
pub mod shipped_tls;
pub mod spellings;
pub mod stats;
pub mod tls_front;
pub mod tokens;
pub mod trailers;
pub mod upstream;
pub mod wait;
