//! The core from outside: configurations, tokens and whole decisions, natively and inside a wasm
//! engine.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod alerts;
mod approved_rules;
mod chain;
mod configuration;
mod configuration_fields;
mod configuration_reports;
mod connection;
mod cut;
mod decision;
mod feed;
mod heads;
mod hostile;
mod idle_time;
mod keys_said;
#[cfg(not(target_arch = "wasm32"))]
mod laws;
mod logs;
mod long_records;
mod max_stream;
mod measures;
mod new_configurations;
mod paths;
mod plugin_names;
mod probe;
mod quiet_heads;
mod random;
mod readings;
mod redirects;
mod refusal;
mod repeated_epochs;
mod report_pages;
mod routes_used;
mod scope_vectors;
mod scopes;
mod second_resources;
mod sharing;
mod support;
mod token_sources;
mod tokens;
mod traces;
mod tunnels;
mod twice;
mod unavailable;
mod untouched;
mod upgrades;
mod vectors;
mod waiting;
