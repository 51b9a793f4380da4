//! Headers and query parameters that name a second resource.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

mod configuration;
mod decisions;
mod oracle;
mod query;
mod reload;
mod spelling;
