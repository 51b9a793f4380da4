//! Ends of grants that are held.

use breakglass_api::directory::{ConfirmedHeldEnds, HeldEnds};

use super::Body;

impl Body for HeldEnds {
    const NAME: &'static str = "a list of held ends";
}

impl Body for ConfirmedHeldEnds {
    const NAME: &'static str = "how many held ends were confirmed";
}
