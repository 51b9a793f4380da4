//! Why a review is not signed, as a client sees it.

use breakglass_api::reviews::ReviewState;

use crate::access::refused::Part;
use crate::clock::{Moment, written};
use crate::problem::{Problem, Reason};
use crate::store::Review;

/// Who took part does not review it.
pub(super) const fn took_part(part: Part) -> &'static str {
    match part {
        Part::Holder => {
            "you held this grant, or your mail address is its holder's: a person who could have approved it and took no part \
             has to review it"
        }
        Part::Approver => {
            "you approved this grant, or your mail address is that of a person who did: a person who could have approved it and \
             took no part has to review it"
        }
    }
}

/// It was signed or disputed: by whom, and when.
pub(super) fn already(review: &Review) -> Problem {
    let what = match review.state() {
        ReviewState::Disputed => "disputed",
        _ => "signed",
    };
    let by = review.decided_by.as_deref().unwrap_or_default();
    let at = written(Moment::from_millis(review.decided_at_ms.unwrap_or_default()));
    Problem::new(
        Reason::AlreadyReviewed,
        format!("`{by}` {what} this review at {}: it is closed for good", at.text()),
    )
}
