//! What the sinks were told of events.

use breakglass_api::deliveries::{Deliveries, Replayed};

use super::{Body, check_id};

impl Body for Deliveries {
    const NAME: &'static str = "a list of deliveries";

    fn check(&self) -> Result<(), String> {
        self.deliveries.iter().try_for_each(|one| check_id("event", &one.event))
    }
}

impl Body for Replayed {
    const NAME: &'static str = "the sinks of a delivery";

    fn check(&self) -> Result<(), String> {
        match self.sinks.is_empty() {
            true => Err("sinks: expected at least one".to_owned()),
            false => check_id("event", &self.event),
        }
    }
}
