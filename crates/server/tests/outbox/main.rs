//! What the sinks are told of events: the real service with receivers that check what vendors document.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod before_recipients;
mod deliveries;
mod deliveries_failing;
mod deliveries_restored;
mod emergencies;
mod hostile;
mod killed;
mod people;
mod reviews;
mod rotations;
mod rotations_config;
mod rotations_documented;
mod rotations_failing;
mod rotations_killed;
mod rotations_restored;
mod rotations_store;
mod sink_config;
mod sink_mail;
mod sink_otlp;
mod sinks;
mod templates;
mod told;
mod words;
