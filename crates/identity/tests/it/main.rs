//! Identity providers: what an operator configures, what they answer, and how it is judged. The documents in
//! `tests/examples` are answers of real providers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod authentication;
mod callback;
mod discovery;
mod entry;
mod examples;
mod factor;
mod groups;
mod id_token;
mod keys;
mod logout_token;
mod refresh;
mod shapes;
mod sign_in;
mod support;
mod workload;
