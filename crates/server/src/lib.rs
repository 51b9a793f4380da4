//! The approval service of breakglass.
//!
//! It takes requests for access, has them approved by another
//! person, mints the tokens that the filter reads, and answers whether a grant still holds. The
//! command line (`breakglass`) starts it and is its client.
//!
//! What the service holds to:
//! 1. What was asked for is frozen at submission, and what was approved is what is issued.
//! 2. No person approves their own request; the database refuses it too.
//! 3. Deadlines are absolute from approval.
//! 4. Every change of state and its audit row are one transaction.
//! 5. What cannot be known (the clock, an approver, the database) is a refusal. A revocation is never refused
//!    because of the clock.

pub mod access;
mod alert_metrics;
pub mod app;
pub mod auth;
pub mod clock;
pub mod config;
pub mod configurations;
pub mod connections;
pub mod database_lock;
pub mod definitions;
mod delivery_metrics;
pub mod difference;
pub mod doctor;
pub mod domain;
pub mod duration;
pub mod evidence;
pub mod factor;
pub mod feed;
mod granted;
pub mod held_ends;
pub mod incidents;
pub mod issuer;
pub mod json_call;
pub mod key_schedule;
pub mod key_switch;
pub mod limits;
pub mod listeners;
pub mod look;
mod matching;
pub mod memory_guard;
pub mod metrics;
pub mod metrics_server;
mod needed;
pub mod on_call;
pub mod outbox;
pub mod probes;
pub mod problem;
pub mod provider_groups;
pub mod random;
pub mod readiness;
pub mod reload;
mod request_metrics;
mod review_metrics;
mod reviewers;
mod rotation_metrics;
pub mod routes;
pub mod server;
mod service_metrics;
pub mod session_token;
pub mod signin;
pub mod sinks;
pub mod store;
pub mod tasks;
pub mod text;
pub mod timekeeper;
pub mod tls;
pub mod untold_heads;
pub mod waits;
