//! A person who took no part looks at a used grant once it has ended, where a rule that matched it asks for that.
//!
//! 1. A grant is used from its first token on: the same transaction opens its review, with the rules that ask for one by then.
//!    What they ask for later changes nothing about it.
//!    An emergency that its requester was given as one is always looked at, also where no rule says so.
//! 2. A review is owed when the grant has ended, by whatever end: at once where it was revoked, and otherwise as much later than
//!    its end as a filter's clock may be late.
//! 3. When its deadline has passed, it is overdue: that is told once. It can be signed or disputed all the same
//!    ([`super::reviews`]).

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_types::Basis;
use serde_json::{Value, json};

use super::grant_end::grant_end;
use crate::app::App;
use crate::clock::{Moment, rfc3339};
use crate::config::{ApprovalRule, OnOverdue, ReviewAfterUse};
use crate::needed::Waiting;
use crate::reviewers;
use crate::store::{Happened, NewReview, OfRequest, Request, Review, SERVICE, StoreError};

/// The most reviews that one step changes.
const STEP: i64 = 500;

/// The review of this grant, where a rule that matched its request asks for one: the shortest time counts, and the strictest
/// consequence.
pub(super) fn of_grant(app: &App, now: Moment, request: &Request) -> Option<NewReview> {
    let config = app.config();
    let needs = reviewers::needs(&config, &Waiting::of(request, request.held_scopes()));
    let matched = |name: &str| needs.iter().any(|need| need.rule.as_deref() == Some(name));
    let asking = || {
        let rules = config.approval_rules.iter().filter(|rule| matched(&rule.name));
        rules.filter_map(|rule| Some((&rule.name, asked_by(rule, request.basis)?)))
    };
    let within_s = asking().map(|(_, ReviewAfterUse { within, .. })| *within).min()?;
    Some(NewReview {
        id: app.randomness().id("rev", now),
        rules: asking().map(|(name, _)| name.clone()).collect(),
        within_s,
        needs_approval: asking().any(|(_, review)| review.overdue == OnOverdue::NeedsApproval),
    })
}

/// The review that a rule asks for, of a grant with this basis.
fn asked_by(rule: &ApprovalRule, basis: Basis) -> Option<&ReviewAfterUse> {
    let of_emergency = || match basis {
        Basis::Emergency => rule.emergency.as_ref().map(|_| &ReviewAfterUse::OF_EMERGENCY),
        Basis::Approved | Basis::PreApproved => None,
    };
    rule.review.as_ref().or_else(of_emergency)
}

/// Notes which grants that have ended by now are to be looked at, each once, at most so many that no other change waits for
/// long. Returns how many.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn owe_reviews(app: &App, now: Moment) -> Result<usize, StoreError> {
    // Nothing to do, most of the time: that takes no lock.
    if !app.store().has_review_to_owe(now).await? {
        return Ok(0);
    }
    let mut change = app.store().change().await?;
    let mut owed = Vec::new();
    // Under the lock: another process may have noted them.
    for review in change.reviews_to_owe(now, STEP).await? {
        let Some(request) = change.request(now, &review.request_id).await? else { continue };
        let due_at_ms = change.owe_review(now, &review.id).await?;
        owed.push((Review { due_at_ms: Some(due_at_ms), ..review }, request));
    }
    let words = (Action::ReviewOwed, EventType::ReviewOwed);
    commit(app, change, now, words, &owed).await
}

/// Tells which reviews are overdue by now, each once, at most so many. Returns how many.
///
/// # Errors
/// [`StoreError`] if the database does not do all of it: then none of it is done.
pub async fn tell_overdue_reviews(app: &App, now: Moment) -> Result<usize, StoreError> {
    if !app.store().has_review_due(now).await? {
        return Ok(0);
    }
    let mut change = app.store().change().await?;
    let mut overdue = Vec::new();
    for review in change.reviews_due(now, STEP).await? {
        let Some(request) = change.request(now, &review.request_id).await? else { continue };
        change.review_overdue(now, &review.id).await?;
        overdue.push((review, request));
    }
    let words = (Action::ReviewOverdue, EventType::ReviewOverdue);
    commit(app, change, now, words, &overdue).await
}

async fn commit(
    app: &App,
    change: crate::store::Change,
    now: Moment,
    words: (Action, EventType),
    reviews: &[(Review, Request)],
) -> Result<usize, StoreError> {
    if reviews.is_empty() {
        change.abandon().await?;
        return Ok(0);
    }
    let happened: Vec<Happened<'_>> = reviews
        .iter()
        .map(|(review, request)| {
            Happened::Request(OfRequest::new(SERVICE, words, request, said(app, review, request)))
        })
        .collect();
    change.record(now, &happened).await?.commit().await?;
    for (review, request) in reviews {
        app.changed(words.0, &request.id);
        let (review, grant) = (&review.id, &review.jti);
        match words.1 {
            EventType::ReviewOverdue => tracing::warn!(review, grant, "a review is overdue"),
            _ => tracing::info!(review, grant, "a review is owed"),
        }
    }
    Ok(reviews.len())
}

/// What is said of a review that waits for a reviewer.
fn said(app: &App, review: &Review, request: &Request) -> Value {
    let signable_by = reviewers::signable_by(&reviewers::of_request(&app.config(), request));
    json!({
        "review": review.id, "rules": review.rules, "needs_approval": review.needs_approval,
        "due_at": review.due_at_ms.map(|at| rfc3339(at.div_euclid(1000))), "ended": grant_end(request),
        "signable_by": signable_by,
    })
}
