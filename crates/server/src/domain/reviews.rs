//! What people do about reviews: they see what a used grant was, and sign or dispute it.

use std::sync::Arc;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_api::reviews::{ReviewState, SaidOfLog};
use serde_json::json;

use super::review_shown::review_digest;
use super::{JudgedActor, Refused, TrustedMoment, find, locked};
use crate::access::{Access, JudgedSignIn};
use crate::app::App;
use crate::clock::Moment;
use crate::config::{Person, SignInFor};
use crate::reviewers::under_review;
use crate::store::{
    Change, Happened, MutualApproval, NewDecision, OfRequest, Request, Review, ReviewFilter,
    ReviewsIn, StoreError,
};

/// The most pages that are read for one page of those that a person may sign.
const MAX_READ: usize = 2;

/// Which reviews are listed.
#[derive(Debug, Clone, Copy)]
pub struct WhichReviews<'a> {
    /// In this state alone.
    pub state: Option<ReviewState>,
    /// Those alone that the person may sign now.
    pub mine: bool,
    /// Older than the one with this id.
    pub after: Option<&'a str>,
}

/// A page of reviews.
#[derive(Debug)]
pub struct ReviewPage {
    /// The reviews, the newest first.
    pub reviews: Vec<Review>,
    /// The last one that was read, where others may follow.
    pub next: Option<String>,
}

/// A review, with the rest of what is fixed about its grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// The review.
    pub review: Review,
    /// The request of the grant.
    pub request: Request,
    /// What the requester approved for the approvers.
    pub mutual: Vec<MutualApproval>,
}

impl Reviewed {
    /// The digest by which a reviewer names it.
    #[must_use]
    pub fn digest(&self) -> String {
        review_digest(&self.review, &self.request, &self.mutual)
    }
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy)]
pub enum Verdict<'a> {
    /// It is in order.
    Sign {
        /// What auditors should read beside it.
        note: Option<&'a str>,
    },
    /// It is not.
    Dispute {
        /// Why.
        note: &'a str,
    },
}

impl<'a> Verdict<'a> {
    fn note(self) -> Option<&'a str> {
        match self {
            Verdict::Sign { note } => note,
            Verdict::Dispute { note } => Some(note),
        }
    }

    fn state(self) -> ReviewState {
        match self {
            Verdict::Sign { .. } => ReviewState::Signed,
            Verdict::Dispute { .. } => ReviewState::Disputed,
        }
    }

    fn words(self) -> (Action, EventType) {
        match self {
            Verdict::Sign { .. } => (Action::ReviewSigned, EventType::ReviewSigned),
            Verdict::Dispute { .. } => (Action::ReviewDisputed, EventType::ReviewDisputed),
        }
    }
}

/// What a reviewer says, and of what.
#[derive(Debug, Clone, Copy)]
pub struct Decision<'a> {
    /// Whether it is in order.
    pub verdict: Verdict<'a>,
    /// The digest of the review as it was shown.
    pub digest: &'a str,
    /// What the reviewer says of the log.
    pub log: Option<&'a SaidOfLog>,
}

/// The reviews that `who` may see: of their own grants, of scopes whose requests they see, and for auditors and administrators
/// all; or those that `who` may sign now.
///
/// # Errors
/// [`Refused`] if the database cannot tell.
pub async fn reviews(
    app: &App,
    who: &Person,
    which: WhichReviews<'_>,
    page: usize,
) -> Result<ReviewPage, Refused> {
    let limit = i64::try_from(page).unwrap_or(i64::MAX);
    let next =
        |rows: &[Review]| rows.last().filter(|_| rows.len() >= page).map(|one| one.id.clone());
    if which.mine {
        return signable(app, who, which, limit, next).await;
    }
    let config = app.config();
    let access = Access::of(&config);
    let sees_all = access.check_sees_deliveries(who).is_ok();
    let scopes = access.visible_scopes(who).into_iter().map(|scope| format!("scope {scope}"));
    let lists: Vec<String> = scopes.chain([format!("requester {}", who.name)]).collect();
    let filter = ReviewFilter {
        lists: (!sees_all).then_some(lists.as_slice()),
        states: which.state.map_or(ReviewsIn::Any, ReviewsIn::State),
        after: which.after,
    };
    let reviews = app.store().reviews(filter, limit).await?;
    Ok(ReviewPage { next: next(&reviews), reviews })
}

/// Those that `who` may sign: who that is depends on groups, which no index has.
async fn signable(
    app: &App,
    who: &Person,
    which: WhichReviews<'_>,
    limit: i64,
    next: impl Fn(&[Review]) -> Option<String>,
) -> Result<ReviewPage, Refused> {
    let (config, now) = (app.config(), app.now());
    let states = which.state.map_or(ReviewsIn::Signable, ReviewsIn::State);
    let mut found = ReviewPage { reviews: Vec::new(), next: which.after.map(str::to_owned) };
    for _ in 0..MAX_READ {
        let filter = ReviewFilter { lists: None, states, after: found.next.as_deref() };
        let read = app.store().reviews(filter, limit).await?;
        found.next = next(&read);
        for review in read {
            let request = find::request(app, now, &review.request_id).await?;
            let under_review = under_review(&config, &request);
            if Access::of(&config).check_review(who, &under_review).is_ok() {
                found.reviews.push(review);
            }
        }
        if found.next.is_none() || !found.reviews.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// The review with this id, for those to whom it is listed and those who may sign it.
///
/// # Errors
/// [`Refused`] if there is none, or `who` may not see it.
pub async fn review(app: &App, who: &Person, now: Moment, id: &str) -> Result<Reviewed, Refused> {
    let review = app.store().review(id).await?.ok_or(Refused::ReviewUnknown)?;
    let request = find::request(app, now, &review.request_id).await?;
    let config = app.config();
    let access = Access::of(&config);
    let sees = access.check_sees_deliveries(who).is_ok()
        || request.requester == who.name
        || access.visible_scopes(who).iter().any(|scope| review.scopes.contains(scope))
        || access.check_review(who, &under_review(&config, &request)).is_ok();
    if !sees {
        // Why `who` may not see the request of the grant, in the words of requests.
        access.check_involved(who, &super::held::grant(&request))?;
    }
    let mutual = app.store().mutual_approvals(&request).await?;
    Ok(Reviewed { review, request, mutual })
}

/// Signs or disputes a review, for good. The same once more, of the same digest, has the same answer.
///
/// # Errors
/// [`Refused`] if `who` may not, it is not owed, it was decided, or it is not what was shown.
pub async fn decide_review(
    app: &App,
    who: &JudgedActor,
    now: TrustedMoment,
    id: &str,
    decision: &Decision<'_>,
) -> Result<Review, Refused> {
    let now = now.moment();
    // Before the lock, so that a refusal costs none.
    let review = app.store().review(id).await?.ok_or(Refused::ReviewUnknown)?;
    let request = find::request(app, now, &review.request_id).await?;
    let mutual = app.store().mutual_approvals(&request).await?;
    if let Checked::Repeated(review) =
        check(app, who, now, Reviewed { review, request, mutual }, decision)?
    {
        return Ok(*review);
    }
    let mut change = app.store().change().await?;
    let checked = match read(&mut change, now, id).await {
        Ok(reviewed) => check(app, who, now, reviewed, decision),
        Err(refused) => Err(refused),
    };
    let (request, sign_in) = match checked {
        Ok(Checked::May { request, sign_in }) => (request, sign_in),
        Ok(Checked::Repeated(review)) => {
            change.abandon().await?;
            return Ok(*review);
        }
        Err(refused) => return Err(locked::refuse(change, refused).await),
    };
    let (by, note, words) = (&who.person().name, decision.verdict.note(), decision.verdict.words());
    let Decision { digest, log, verdict } = *decision;
    let new = NewDecision { by, verdict: verdict.state().word(), digest, note, log };
    change.decide_review(now, id, &new).await?;
    let review = change.review(id).await?.ok_or(StoreError::RowsAffected(0))?;
    let mut detail = json!({ "review": id, "rules": review.rules, "digest": digest });
    if let Some(detail) = detail.as_object_mut() {
        detail.extend(note.map(|note| ("note".to_owned(), json!(note))));
        detail.extend(log.map(|log| ("log".to_owned(), json!(log))));
        detail.extend(sign_in.on_trail());
    }
    super::judged::note(&mut detail, who.old_groups().as_slice());
    let happened = Happened::Request(OfRequest::new(by, words, &request, detail));
    change.record(now, &[happened]).await?.commit().await?;
    app.changed(words.0, &request.id);
    tracing::info!(review = id, reviewer = by, verdict = verdict.state().word(), "reviewed");
    Ok(review)
}

/// What a look at a review finds.
enum Checked {
    /// The person may decide it.
    May { request: Box<Request>, sign_in: JudgedSignIn },
    /// The person has, in the same way.
    Repeated(Box<Review>),
}

/// A review as it is, and stays until the change ends.
async fn read(change: &mut Change, now: Moment, id: &str) -> Result<Reviewed, Refused> {
    let review = change.review(id).await?.ok_or(Refused::ReviewUnknown)?;
    let request = change.request(now, &review.request_id).await?;
    let request = request.ok_or(Refused::RequestUnknown)?;
    let mutual = change.mutual_approvals(&request).await?;
    Ok(Reviewed { review, request, mutual })
}

fn check(
    app: &App,
    who: &JudgedActor,
    now: Moment,
    reviewed: Reviewed,
    decision: &Decision<'_>,
) -> Result<Checked, Refused> {
    let (config, person) = (app.config(), who.person());
    let access = Access::of(&config);
    // Who may not review it learns nothing of what became of it.
    let under_review = under_review(&config, &reviewed.request);
    access.check_review(person, &under_review).map_err(|why| who.explain(why))?;
    access.check_approve_by(who.sign_in())?;
    let digest = reviewed.digest();
    let Reviewed { review, request, .. } = reviewed;
    match review.state() {
        ReviewState::Owed | ReviewState::Overdue => {}
        ReviewState::Waiting => return Err(Refused::ReviewNotOwed),
        state @ (ReviewState::Signed | ReviewState::Disputed) => {
            let is_same = review.decided_by.as_ref() == Some(&person.name)
                && state == decision.verdict.state()
                && review.digest.as_deref() == Some(decision.digest);
            return match is_same {
                true => Ok(Checked::Repeated(Box::new(review))),
                false => Err(Refused::AlreadyReviewed(Arc::new(review))),
            };
        }
    }
    if decision.digest != digest {
        return Err(Refused::ReviewChanged);
    }
    // At last: a person who has signed in again is not refused for something else then.
    let (what, sign_in) = (SignInFor::Approval, who.sign_in());
    let sign_in = access.check_sign_in(what, sign_in, now, request.held_scopes())?;
    Ok(Checked::May { request: Box::new(request), sign_in })
}
