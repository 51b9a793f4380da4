//! The command line of breakglass: `breakglass serve` runs the approval service, the other verbs are its
//! clients. The library exists for the tests: the product is the binary.

pub mod answer;
pub mod cli;
pub mod client;
pub mod command;
pub mod exit;
mod session;
mod signin;
pub mod terminal;
mod xdg;
