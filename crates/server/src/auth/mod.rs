//! Who is calling.

pub mod chain_owners;
pub mod identity;
