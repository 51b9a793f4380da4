//! `GET /v1/reviews`, `GET /v1/reviews/{id}`, `POST /v1/reviews/{id}/sign` and `POST /v1/reviews/{id}/dispute`: a person who took no
//! part looks at a used grant once it has ended.

use axum::Json;
use axum::extract::State;
use breakglass_api::alerts::Alert;
use breakglass_api::review_in_full::ReviewInFull;
use breakglass_api::reviews::{
    DisputeReview, LogVerdict, MutualApproval, Review, ReviewDecision, ReviewState,
    ReviewedApproval, Reviews, ReviewsQuery, SaidOfLog, SignReview,
};
use breakglass_api::words::Vocabulary as _;
use breakglass_types::hex;

use super::body::{FieldErrors, Id, JsonBody, QueryString};
use super::judged::AsJudged;
use super::view::view_in_full;
use crate::app::App;
use crate::auth::identity::AsPerson;
use crate::clock::{Moment, written};
use crate::domain::{self, Decision, ReviewPage, Verdict, WhichReviews};
use crate::evidence::{AlertFilter, StoredAlert};
use crate::problem::Problem;
use crate::reviewers;
use crate::store;
use crate::text;

/// How many reviews a page lists.
const PAGE: usize = 200;

/// How many alerts of a grant are shown.
const MAX_ALERTS: i64 = 100;

/// The digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// The longest report of a verdict over the log, in bytes of JSON.
const MAX_LOG_BYTES: usize = 4096;

/// The words that `breakglass audit verify` ends with.
const LOG_VERDICTS: [&str; 5] =
    ["ok", "broken", "incomplete", "broken_and_incomplete", "nothing_checked"];

pub(super) async fn list(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    QueryString(query): QueryString<ReviewsQuery>,
) -> Result<Json<Reviews>, Problem> {
    let mut errors = FieldErrors::default();
    let state = query.state.as_deref().and_then(ReviewState::of);
    if query.state.is_some() && state.is_none() {
        errors.add("state", "expected one of `owed`, `overdue`, `signed`, `disputed`, `waiting`");
    }
    let is_signable = |state| matches!(state, ReviewState::Owed | ReviewState::Overdue);
    if query.mine && state.is_some_and(|state| !is_signable(state)) {
        errors.add("state", "expected `owed` or `overdue` with `mine`: others cannot be signed");
    }
    errors.finish()?;
    let which = WhichReviews { state, mine: query.mine, after: query.after.as_deref() };
    let ReviewPage { reviews, next } = domain::reviews(&app, &person, which, PAGE).await?;
    Ok(Json(Reviews { reviews: reviews.into_iter().map(view).collect(), next }))
}

pub(super) async fn show(
    State(app): State<App>,
    AsPerson(person): AsPerson,
    Id(id): Id,
) -> Result<Json<ReviewInFull>, Problem> {
    let reviewed = domain::review(&app, &person, app.now(), &id).await?;
    let digest = reviewed.digest();
    let domain::Reviewed { review, request, mutual } = reviewed;
    let signers = reviewers::of_request(&app.config(), &request);
    let used = domain::uses_of(&app, &review.jti).await;
    let approvals = request.approvals.iter().map(|row| ReviewedApproval {
        by: row.approver.clone(),
        at: written(Moment::from_millis(row.approved_at_ms)),
        groups: row.approver_groups.clone(),
        note: row.note.clone(),
    });
    Ok(Json(ReviewInFull {
        digest,
        signable_by: reviewers::signable_by(&signers).into(),
        signers: signers.names().to_vec(),
        ended: domain::grant_end(&request),
        approvals: approvals.collect(),
        mutual_approvals: mutual.into_iter().map(mutual_approval).collect(),
        alerts: alerts(&app, &review.jti).await,
        used,
        review: view(review),
        granted: view_in_full(&app, request).await?,
    }))
}

pub(super) async fn sign(
    State(app): State<App>,
    AsJudged(actor): AsJudged,
    Id(id): Id,
    JsonBody(body): JsonBody<SignReview>,
) -> Result<Json<Review>, Problem> {
    let SignReview { digest, note, log } = body;
    let mut errors = FieldErrors::default();
    if let Some(note) = &note {
        errors.check("note", text::reason(note));
    }
    let verdict = Verdict::Sign { note: note.as_deref() };
    decide(&app, &actor, &id, errors, (verdict, &digest, log)).await
}

pub(super) async fn dispute(
    State(app): State<App>,
    AsJudged(actor): AsJudged,
    Id(id): Id,
    JsonBody(body): JsonBody<DisputeReview>,
) -> Result<Json<Review>, Problem> {
    let DisputeReview { digest, note, log } = body;
    let mut errors = FieldErrors::default();
    errors.check("note", text::reason(&note));
    let verdict = Verdict::Dispute { note: &note };
    decide(&app, &actor, &id, errors, (verdict, &digest, log)).await
}

async fn decide(
    app: &App,
    actor: &domain::JudgedActor,
    id: &str,
    mut errors: FieldErrors,
    (verdict, digest, log): (Verdict<'_>, &str, Option<LogVerdict>),
) -> Result<Json<Review>, Problem> {
    if !hex::is_lower(digest, DIGEST_DIGITS) {
        errors.add(
            "digest",
            "expected the `digest` of the review as it was shown, 64 lower-case hexadecimal digits: `GET /v1/reviews/{id}` has it",
        );
    }
    if let Some(log) = &log {
        check_log(log, &mut errors);
    }
    errors.finish()?;
    let log = log.map(SaidOfLog::from);
    let decision = Decision { verdict, digest, log: log.as_ref() };
    let now = app.trusted_now()?;
    Ok(Json(view(domain::decide_review(app, actor, now, id, &decision).await?)))
}

fn check_log(log: &LogVerdict, errors: &mut FieldErrors) {
    if !hex::is_lower(&log.sha256, DIGEST_DIGITS) {
        errors.add("log.sha256", "expected 64 lower-case hexadecimal digits");
    }
    if !LOG_VERDICTS.contains(&log.verdict.as_str()) {
        errors.add("log.verdict", format!("expected one of `{}`", LOG_VERDICTS.join("`, `")));
    }
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !log.findings.keys().all(|kind| !kind.is_empty() && kind.bytes().all(word)) {
        errors.add("log.findings", "expected kinds of the characters a-z, 0-9 and _");
    }
    let bytes = serde_json::to_vec(log).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_LOG_BYTES {
        errors.add("log", format!("expected at most {MAX_LOG_BYTES} bytes as JSON, got {bytes}"));
    }
}

/// What proxies reported of the grant; nothing where the evidence database cannot tell now, which keeps no reviewer waiting.
async fn alerts(app: &App, grant: &str) -> Option<Vec<Alert>> {
    let filter = AlertFilter { grant: Some(grant), limit: MAX_ALERTS, ..AlertFilter::default() };
    match app.evidence().alerts(filter).await {
        Ok(alerts) => Some(alerts.into_iter().map(StoredAlert::into_view).collect()),
        Err(cause) => {
            tracing::warn!(grant, %cause, "a review is shown without the alerts of its grant");
            None
        }
    }
}

fn mutual_approval(row: store::MutualApproval) -> MutualApproval {
    MutualApproval {
        request: row.request,
        approver: row.approver,
        at: written(Moment::from_millis(row.approved_at_ms)),
    }
}

fn view(row: store::Review) -> Review {
    let at = |millis| written(Moment::from_millis(millis));
    let state = row.state();
    let decision = match (row.decided_by, row.decided_at_ms, row.digest) {
        (Some(by), Some(decided_at), Some(digest)) => Some(ReviewDecision {
            by,
            at: at(decided_at),
            digest,
            note: row.note,
            log: row.log.map(|log| log.0),
        }),
        _ => None,
    };
    Review {
        state: state.into(),
        id: row.id,
        grant: row.jti,
        request: row.request_id,
        requester: row.requester,
        scopes: row.scopes.0,
        rules: row.rules.0,
        needs_approval: row.needs_approval,
        owed_at: row.owed_at_ms.map(at),
        due_at: row.due_at_ms.map(at),
        decision,
    }
}
