//! The tests: one file for each concern.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "test code: whatever is not as expected must fail the test"
)]

mod alerts;
mod allow;
mod applications;
mod approved_rules;
mod behind;
mod bodies;
mod calls;
mod carriers;
mod client_certificates;
mod closed_paths;
mod configuration;
mod connection;
mod counters;
mod crd_rules;
mod crowds;
mod cuts;
mod digests;
mod docs;
mod emergency;
mod envoy_gateway;
mod faults;
mod feed;
mod grpc_calls;
mod harness;
mod headers;
mod heads;
mod host_calls;
mod hostile;
mod http2_service;
mod http3;
mod internal_redirects;
mod introspection;
mod istio;
mod istio_alternatives;
mod istio_cases;
mod key_switch;
mod listeners;
mod logs;
mod losses;
mod manifests;
mod max_stream;
mod metrics;
mod narrowed;
mod observability;
mod outage;
mod panics;
mod paths;
mod presentation;
mod probe;
mod rbac;
mod readings;
mod receipts;
mod redirects;
mod rejections;
mod requirements;
mod restore;
mod revoke;
mod routes_used;
mod rules;
mod scope;
mod second_resources;
mod several_approvers;
mod shadow;
mod shipped;
mod shipped_definitions;
mod shipped_pod;
mod shipped_routes;
mod signing_keys;
mod spellings;
mod step_up;
mod steps;
mod story;
mod trail;
mod tunnels;
mod twice;
mod unauthenticated;
mod untouched;
mod updates;
mod upgrades;
mod uses;
mod verification;
mod wire;
mod workers;
