//! Reviews after use: who is asked when, who may sign, and what is kept of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod common;
mod configured;
mod deadline;
mod decide;
mod killed;
mod listed;
mod races;
mod shown;
mod stored;
mod who;
