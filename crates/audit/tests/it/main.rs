//! The reader of logs, on logs that another program wrote.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what is not as expected ends the test"
)]

mod orders;
