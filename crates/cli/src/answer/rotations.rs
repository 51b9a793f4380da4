//! Rotations.

use breakglass_api::rotations::{Rotation, Rotations};

use super::{Body, check_id};

impl Body for Rotations {
    const NAME: &'static str = "a list of rotations";

    fn check(&self) -> Result<(), String> {
        self.rotations.iter().try_for_each(|one| check_id("id", &one.id))
    }
}

impl Body for Rotation {
    const NAME: &'static str = "a rotation";

    fn check(&self) -> Result<(), String> {
        check_id("id", &self.id)
    }
}
