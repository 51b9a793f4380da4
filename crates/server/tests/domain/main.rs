//! Proofs of the use cases: against a reference of the rules, with the process killed after each SQL statement, with many
//! callers at once, and for readers of events.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod action;
mod compare;
mod crashes;
mod driver;
mod killed;
mod law;
mod model;
mod races;
mod races_of_emergencies;
mod races_of_stages;
mod reach;
mod readers;
mod sequences;
mod trail;
mod written;
