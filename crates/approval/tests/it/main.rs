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
mod attempts;
mod audiences;
mod audit;
mod auditors;
mod before;
mod before_people;
mod cli_answers;
mod cli_flow;
mod cli_list;
mod cli_matrix;
mod cli_probe;
mod cli_reach;
mod cli_receipt;
mod cli_refusals;
mod cli_revoke;
mod cli_serve;
mod cli_submit;
mod clock;
mod clock_dates;
mod clock_process;
mod clock_restart;
mod config;
mod connections;
mod credentials;
mod database;
mod decide;
mod evidence;
mod evidence_database;
mod evidence_retention;
mod evidence_storage;
mod faults;
mod feed;
mod feed_load;
mod feed_tags;
mod heads;
mod heads_document;
mod heads_owner;
mod heads_since;
mod http;
mod introspect;
mod keys;
mod kill;
mod leavers;
mod lists;
mod maintenance;
mod memory;
mod names;
mod one_process;
mod openapi;
mod plans;
mod probes;
mod process;
mod proxies;
mod reload;
mod request;
mod revoke;
mod scopes;
mod service;
mod stand_in;
mod storage;
mod store;
mod submissions;
mod token;
mod unknown_proxies;
mod waits;
