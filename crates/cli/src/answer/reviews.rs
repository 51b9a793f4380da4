//! Reviews.

use breakglass_api::review_in_full::ReviewInFull;
use breakglass_api::reviews::{Review, Reviews};

use super::{Body, check_id};

impl Body for Reviews {
    const NAME: &'static str = "a list of reviews";

    fn check(&self) -> Result<(), String> {
        self.reviews.iter().try_for_each(|one| check_id("id", &one.id))
    }
}

impl Body for Review {
    const NAME: &'static str = "a review";

    fn check(&self) -> Result<(), String> {
        check_id("id", &self.id)
    }
}

impl Body for ReviewInFull {
    const NAME: &'static str = "a review with what its reviewer looks at";

    fn check(&self) -> Result<(), String> {
        self.review.check()?;
        self.granted.check()
    }
}
