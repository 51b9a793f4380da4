//! The core from outside: configurations, tokens and whole decisions, natively and inside a wasm
//! engine.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

mod answers;
mod beside;
mod chain;
mod configuration;
mod connection;
mod cut;
mod decision;
mod feed;
mod heads;
mod hostile;
mod idle_time;
#[cfg(not(target_arch = "wasm32"))]
mod laws;
mod long_records;
mod max_stream;
mod new_configurations;
mod probe;
mod quiet_heads;
mod random;
mod readings;
mod redirects;
mod refusal;
mod report_pages;
mod routes_used;
mod second;
mod sharing;
mod sources;
mod support;
mod tags;
mod token_sources;
mod traces;
mod tunnels;
mod twice;
mod unavailable;
mod untouched;
mod upgrades;
mod vectors;
