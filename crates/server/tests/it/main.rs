//! The service on a real database file, asked through its interface.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what is not as expected ends the test"
)]

mod activation;
mod alert_pages;
mod alerts;
mod approve;
mod approve_by_token;
mod attempts;
mod audience_keys;
mod audience_keys_config;
mod audiences;
mod auditors;
mod before_device_sign_in;
mod before_digests;
mod before_grants;
mod before_judged;
mod before_people;
mod callers;
mod callers_by_session;
mod clock;
mod clock_dates;
mod clock_restart;
mod config;
mod config_files;
mod configurations;
mod connections;
mod credentials;
mod database;
mod database_check;
mod database_check_members;
mod decide;
mod definitions;
mod device_errors;
mod device_judged;
mod device_routes;
mod difference;
mod discussion;
mod events;
mod evidence;
mod evidence_database;
mod evidence_retention;
mod evidence_storage;
mod extensions;
mod feed;
mod feed_load;
mod feed_tags;
mod heads;
mod heads_configuration;
mod heads_owner;
mod heads_since;
mod http;
mod http2;
mod http2_frames;
mod http2_hostile;
mod http2_limits;
mod introspect;
mod judged;
mod judged_losses;
mod key_schedule;
mod key_switch;
mod keys;
mod kill;
mod leavers;
mod lists;
mod names;
mod narrowing;
mod openapi;
mod probes;
mod provider_groups;
mod proxies;
mod reload_load;
mod request;
mod request_digest;
mod responders;
mod revoke;
mod scopes;
mod session_bounds;
mod session_errors;
mod session_people;
mod session_revoke;
mod session_routes;
mod session_store;
mod step_up;
mod step_up_config;
mod storage;
mod store;
mod submissions;
mod tls;
mod tls_callers;
mod tls_config;
mod tls_files;
mod tls_listeners;
mod token;
mod trail_chain;
mod trail_heads;
mod trail_heads_tls;
mod waits;
mod watch;
mod whoami;
mod wrapped_keys;
