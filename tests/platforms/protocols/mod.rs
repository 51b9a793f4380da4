//! Other people's suites of protocols through the gate: `scripts/platforms protocols`.
//!
//! Each runs three times in front of the same server and on the same configuration of Envoy, which differs
//! by the filter only: without it, with it, and with a token that another filter puts into every request,
//! for a permit that covers everything. What comes of each case has to be the same.

mod autobahn;
mod connect;
mod gates;
mod grpc;
mod h2spec;
mod results;
