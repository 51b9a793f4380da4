//! Who may sign or dispute the review of a grant, by the rules of its submission and by those of now.

use breakglass_api::reviews::SignableBy;

use crate::access::review::UnderReview;
use crate::access::rules::Needs;
use crate::access::{Access, Approvers};
use crate::clock::Moment;
use crate::config::Config;
use crate::needed::Waiting;
use crate::store::Request;

/// The grant of a request, as it is judged.
#[must_use]
pub(crate) fn under_review<'a>(config: &Config, request: &'a Request) -> UnderReview<'a> {
    let answered = request.approvers().chain(request.denied_by.as_deref());
    UnderReview {
        holder: &request.requester,
        answered: answered.collect(),
        needs: needs(config, &Waiting::of(request, request.held_scopes())),
    }
}

/// What its request needed when it was submitted, and would need now, with all groups to which its rules can be escalated. Where the configuration has lost one of its scopes, what
/// it needed stays: a review must not be left to no person because its scope is gone.
#[must_use]
pub(crate) fn needs(config: &Config, waiting: &Waiting<'_>) -> Needs {
    let fixed = waiting.fixed.map(|fixed| fixed.needs.clone()).unwrap_or_default();
    let submitted_at = Moment::from_seconds(waiting.submitted_at);
    let of_now = waiting.needed(config, config, submitted_at).needs;
    fixed.and(of_now).of_scopes(waiting.scopes).escalated(config, |_| true)
}

/// The people who may sign the review of the grant of a request.
#[must_use]
pub(crate) fn of_request(config: &Config, request: &Request) -> Approvers {
    Access::of(config).reviewers(&under_review(config, request))
}

/// Whether there are any.
#[must_use]
pub(crate) fn signable_by(reviewers: &Approvers) -> SignableBy {
    match reviewers {
        Approvers::Unknown => SignableBy::Unknown,
        one if one.is_nobody() => SignableBy::NoOne,
        Approvers::Complete(_) | Approvers::Seen(_) => SignableBy::People,
    }
}
