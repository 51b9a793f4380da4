//! The gate: how it is planned, and how it runs.

mod plan;
mod running;

pub use plan::Plan;
pub use running::{Allowed, Gate, Passed, Refused};
