//! Who may do what.

pub mod near;
pub mod policy;
