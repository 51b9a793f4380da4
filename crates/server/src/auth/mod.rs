//! Who is calling.

mod certificate;
pub mod chain_owners;
pub mod identity;
pub mod live_sessions;
