//! The service's health.

use breakglass_api::health::Health;

use super::Body;

impl Body for Health {
    const NAME: &'static str = "the service's health";
}
