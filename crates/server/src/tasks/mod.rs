//! What the service does in the background, for as long as it runs.

pub mod escalations;
pub mod feed;
pub mod holder_left;
pub mod incidents;
pub mod keys;
pub mod on_call;
pub mod readiness;
pub mod reload;
pub mod reviews;
pub mod rotations;
pub mod sessions;
pub mod time;
pub mod trail_heads;
pub mod unreached;
pub mod waits;
