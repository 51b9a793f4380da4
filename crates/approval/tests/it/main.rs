//! The service on a real database file, and the real binary against a real server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what is not as expected ends the test"
)]

mod approve;
mod audit;
mod cli_flow;
mod cli_refusals;
mod cli_revoke;
mod cli_serve;
mod config;
mod connections;
mod database;
mod decide;
mod evidence;
mod faults;
mod feed;
mod feed_load;
mod heads;
mod heads_document;
mod heads_owner;
mod heads_since;
mod http;
mod introspect;
mod keys;
mod kill;
mod lists;
mod openapi;
mod plans;
mod process;
mod proxies;
mod request;
mod revoke;
mod service;
mod storage;
mod store;
mod token;
mod waits;
