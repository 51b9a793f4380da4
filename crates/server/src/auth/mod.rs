//! Who is calling.

mod certificate;
pub mod chain_owners;
pub mod current_session;
pub mod identity;
pub mod live_sessions;
pub mod public_client;
