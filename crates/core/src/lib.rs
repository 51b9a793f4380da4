//! Every decision of breakglass, without I/O: time, randomness and bytes come in as arguments.
//!
//! Data flows one way. The filter turns Envoy's callbacks into the events of a [`worker::Worker`]
//! (a request came, a call was answered, time passed, a request was logged); the worker hands back
//! [`step::Step`]s, which the filter turns into Envoy's actions.
//!
//! - [`config`]: what an operator wrote, as types that need no further check.
//! - [`token`], `breakglass_types::claims`: from bytes in a header to a token that can be believed.
//! - [`policy`]: hosts, methods, paths, and what covers them.
//! - `decision`: the rules in their order; the only place that makes a permit.
//! - [`calls`], `breakglass_types::introspection`: questions to the outside.
//! - [`untouched`]: the proof that a request carries nothing of ours.
//! - [`probe`]: what an entrance is asked, and what a filter answers, to show that it is there.
//! - `mark`: what one instance of the filter tells another one in the same chain.
//! - `alerts`: what a person should hear of now, and how it is reported.
//! - [`audit`], `refusal`, [`reason`]: what is said about a decision, and to whom.

mod alerts;
pub mod audit;
pub mod bodies;
pub mod cache;
mod caller;
pub mod calls;
mod code;
pub mod config;
mod connection;
mod counters;
mod decision;
pub mod headers;
mod knowledge;
mod mark;
mod measures;
mod memory;
pub mod policy;
pub mod probe;
mod question;
pub mod reason;
mod refusal;
mod request;
mod revocations;
mod route_used;
pub mod sharing;
mod sources;
pub mod step;
mod ticks;
pub mod token;
pub mod trace;
pub mod untouched;
pub mod worker;

// Defined once for all programs.
pub use breakglass_types::{claims, instant, introspection, json};

use breakglass_config_schema::{self as schema, object};
use breakglass_types::hex;

pub use counters::CounterName;
pub use mark::StreamState;
pub use measures::{GaugeChange, MeasureName};
pub use request::Attributes;

#[cfg(test)]
mod testing;
