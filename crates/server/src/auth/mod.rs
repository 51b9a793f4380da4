//! Who is calling.

mod certificate;
pub mod chain_owners;
pub mod identity;
