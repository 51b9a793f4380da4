//! Laws over made-up input: what must hold for every path, template, token and body. Natively only.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

mod alerts;
mod paths;
mod redactor;
mod scope_digests;
mod tokens;
mod uses;
