//! How the refusals of use cases look in HTTP: their reasons, and in words what to do. The one place that says so.

mod access;
mod incident;
mod review;
mod sign_in;

use breakglass_api::request::State;
use breakglass_api::rotations::RotationState;

use super::view::view_in_full;
use crate::app::App;
use crate::clock::rfc3339;
use crate::config::NotSaid;
use crate::domain::{GroupsUnknown, NoLonger, OnlyRequester, Refused, WrongField};
use crate::duration;
use crate::problem::{FieldProblem, Problem, Reason};
use crate::store::Request;
use crate::timekeeper::Doubt;

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::Access(why) => why.into(),
            Refused::GroupsUnknown(unknown) => {
                Problem::new(Reason::MembershipUnknown, groups_unknown(&unknown))
            }
            Refused::Store(error) => error.into(),
            Refused::Clock(doubt) => doubt.into(),
            Refused::Fields(wrong) => Problem::fields(wrong.into_iter().map(field).collect()),
            Refused::Incident(why) => why.into(),
            Refused::RequestUnknown => Problem::new(
                Reason::RequestUnknown,
                "there is no request with this id: `breakglass status` lists those you may see",
            ),
            Refused::GrantUnknown => Problem::new(
                Reason::GrantUnknown,
                "there is no grant with this id: `breakglass status` lists those you may see",
            ),
            Refused::DeliveryUnknown => Problem::new(
                Reason::DeliveryUnknown,
                "no sink, or not this one, was told of an event with this id: `breakglass events list` has those of the last \
                 30 days",
            ),
            Refused::RotationUnknown => Problem::new(
                Reason::RotationUnknown,
                "there is no rotation with this id: `breakglass rotations list` lists those you may see",
            ),
            Refused::RotationNotOwed(state) => Problem::new(
                Reason::RotationNotOwed,
                match state {
                    RotationState::Waiting => "its grant has not ended: it is owed from then on",
                    _ => {
                        "it was done already: `breakglass rotations list --state done` says by whom"
                    }
                },
            ),
            Refused::ReviewUnknown => Problem::new(
                Reason::ReviewUnknown,
                "there is no review with this id: `breakglass review list` lists those you may see",
            ),
            Refused::ReviewNotOwed => Problem::new(
                Reason::ReviewNotOwed,
                "its grant has not ended: it is reviewed from then on",
            ),
            Refused::AlreadyReviewed(review) => review::already(&review),
            Refused::ReviewChanged => Problem::new(
                Reason::ReviewChanged,
                "this review is not what was shown: the digest is another one; read it again with `breakglass review show`, and \
                 sign or dispute that",
            ),
            Refused::SessionUnknown => Problem::new(
                Reason::SessionUnknown,
                "there is no session with this id: `GET /v1/sessions` lists those you may see",
            ),
            Refused::NotPending(state) => not_pending(state),
            Refused::NotTheRequester(what) => {
                Problem::new(Reason::NotTheRequester, only_requester(what))
            }
            Refused::KeyReused => Problem::new(
                Reason::IdempotencyKeyReused,
                "you have sent this `Idempotency-Key` with another request in the last 24 hours: use a new key \
                 for each request, and the same one only to send the same request again",
            ),
            Refused::TooManyPending(count) => Problem::new(
                Reason::TooManyPending,
                format!(
                    "{count} requests of yours wait for a decision, and no more may: \
                     `breakglass status --state pending` lists them, `breakglass cancel REQUEST` takes one back"
                ),
            ),
            Refused::TooManyRemarks(count) => Problem::new(
                Reason::TooManyRemarks,
                format!(
                    "{count} questions and answers are the most: decide, or talk to each other"
                ),
            ),
            Refused::TokenTooLarge(why) => Problem::new(
                Reason::TokenTooLarge,
                format!("{why}: ask for fewer scopes, or give a shorter reason"),
            ),
            Refused::DigestRequired(_) => Problem::new(
                Reason::DigestRequired,
                "an approval says what it approves: send the `digest` of the request as it was shown; \
                 `breakglass approve` of this version does, and `request` here has it",
            ),
            Refused::RequestChanged(_) => Problem::new(
                Reason::RequestChanged,
                "this request is not what was shown: the digest is another one; read `request`, and approve \
                 that, or deny it",
            ),
            Refused::NoLongerAllowed(what) => {
                Problem::new(Reason::NoLongerAllowed, no_longer(&what))
            }
            Refused::CredentialChanged => Problem::new(
                Reason::CredentialChanged,
                "this request was submitted with another API token of yours, and only that one gets its \
                 token: ask again with `breakglass request`",
            ),
            Refused::NoGrant(request) => no_grant(&request),
            Refused::ApprovalUnproven(_) => Problem::new(
                Reason::ApprovalUnproven,
                "the service's trail does not prove that this grant was approved as the database says, and no token is \
                 issued of it: tell those who run the service, whose log says what differs, and ask again with \
                 `breakglass request`",
            ),
            Refused::NotBegun(at) => Problem::new(
                Reason::GrantNotBegun,
                format!(
                    "this grant was approved while the service's clock was wrong, and begins at {}: ask again with \
                     `breakglass request`",
                    rfc3339(at)
                ),
            ),
            Refused::NoneOfYours { count, responders } => Problem::new(
                Reason::NotAnApprover,
                format!(
                    "{} match, and you may revoke none of them: {}",
                    access::grants(count),
                    access::may_not_revoke(responders)
                ),
            ),
            Refused::NoSuchScope(name) => {
                let detail = format!("there is no scope `{name}`, and no grant names it");
                misspelt("scope", Reason::ScopeUnknown, detail)
            }
            Refused::NoSuchPerson(name) => {
                let detail =
                    format!("nobody is called `{name}`, and nobody of that name has a grant");
                misspelt("subject", Reason::InvalidRequest, detail)
            }
            Refused::Internal(cause) => Problem::internal(&cause),
        }
    }
}

/// The same, with the request as it is where that is what the caller has to read.
pub(super) async fn with_request(app: &App, refused: Refused) -> Problem {
    let request = match &refused {
        Refused::DigestRequired(request) | Refused::RequestChanged(request) => {
            Some(request.clone())
        }
        _ => None,
    };
    let problem = Problem::from(refused);
    match request {
        None => problem,
        Some(request) => match view_in_full(app, *request).await {
            Ok(view) => problem.with_request(view),
            Err(failed) => failed,
        },
    }
}

/// Why it is not known in which groups a person is, and what to do.
fn groups_unknown(GroupsUnknown { person, provider, why }: &GroupsUnknown) -> String {
    let (why, what) = match why {
        NotSaid::NotAsked => (
            "its answer at the last sign-in is too old, and it gave nothing with which it could be asked again".to_owned(),
            "sign in again with `breakglass login`; with the scope `offline_access` in the provider's entry it may give a \
             refresh token",
        ),
        NotSaid::SessionEnded => (
            "it says that its session of this person has ended".to_owned(),
            "sign in again with `breakglass login`",
        ),
        NotSaid::NoAnswer(cause) => (
            format!("it does not answer, and its last answer is older than `outage_directory_age`: {cause}"),
            "try again when it answers",
        ),
        NotSaid::NoGroups(cause) => (cause.clone(), "tell who runs the identity provider"),
        NotSaid::Refused(cause) => {
            (cause.clone(), "sign in again with `breakglass login`, and tell who runs the service")
        }
    };
    format!(
        "the identity provider `{provider}` does not say in which groups `{person}` is: {why}; {what}"
    )
}

fn field(WrongField { field, expected }: WrongField) -> FieldProblem {
    FieldProblem { field, reason: Reason::InvalidRequest.into(), detail: expected }
}

fn not_pending(state: State) -> Problem {
    let ends = match state {
        State::Approved | State::Active => "; `breakglass revoke` ends its grant",
        _ => "",
    };
    Problem::new(
        Reason::NotPending,
        format!("this request is {}: only a pending one can be decided{ends}", state.word()),
    )
}

fn only_requester(what: OnlyRequester) -> &'static str {
    match what {
        OnlyRequester::Cancel => {
            "only the requester may take a request back; an approver may deny it"
        }
        OnlyRequester::Answer => "only the requester answers; an approver may ask",
        OnlyRequester::Extend => {
            "only the holder of a grant may ask for more time; others ask for a grant of their own"
        }
        OnlyRequester::TakeToken => "only the requester gets the token of a grant",
    }
}

fn no_longer(what: &NoLonger) -> String {
    match what {
        NoLonger::Requester => "the requester is no longer in the configuration".to_owned(),
        NoLonger::Credential => {
            "the requester has another API token now, and could not get the grant's: deny it, and have \
             the requester ask again"
                .to_owned()
        }
        NoLonger::Approvers => {
            "people who approved this request have lost the right to since then: ask again with `breakglass request`".to_owned()
        }
        NoLonger::Emergency => {
            "an approval rule no longer lets its requester take this grant alone in an emergency: ask again with `breakglass \
             request`, and let other people approve it"
                .to_owned()
        }
        NoLonger::Rules(why) => {
            let problem = Problem::from(why.clone());
            let word = problem.reason().word();
            format!("the configuration no longer allows this request ({word}): deny it")
        }
        NoLonger::Audience => "its scopes are now for another environment: deny it".to_owned(),
    }
}

fn no_grant(request: &Request) -> Problem {
    let again = "ask again with `breakglass request`";
    let (reason, detail) = match request.state {
        State::Expired => (Reason::GrantExpired, format!("this grant has ended: {again}")),
        State::Revoked => (Reason::GrantRevoked, format!("this grant was revoked: {again}")),
        State::Lapsed if request.jti.is_some() => (
            Reason::GrantLapsed,
            format!(
                "this grant was approved, and its token was not taken in time: {again} --wait, which takes it"
            ),
        ),
        State::Pending => (
            Reason::NotApproved,
            "this request waits for a decision: `breakglass request --wait` would have waited too"
                .to_owned(),
        ),
        state => (Reason::NotApproved, format!("this request is {}: {again}", state.word())),
    };
    Problem::new(reason, detail)
}

fn misspelt(field: &str, reason: Reason, detail: String) -> Problem {
    let field = field.to_owned();
    Problem::fields(vec![FieldProblem { field, reason: reason.into(), detail }])
}

impl From<Doubt> for Problem {
    fn from(doubt: Doubt) -> Problem {
        match doubt {
            Doubt::Unknown => Problem::new(
                Reason::ClockUnknown,
                "the service's clock says nothing that could be a time; revocations go on, approvals and tokens \
                 wait until it is set; tell who runs the service",
            ),
            Doubt::Stepped { ahead_ms } => Problem::new(
                Reason::ClockStepped,
                format!(
                    "the service's clock is {} the time that the service goes by; revocations go on, approvals and \
                     tokens wait until the difference is gone; tell who runs the service: set the clock right, or, \
                     if it is right now, restart with `breakglass serve --accept-clock`",
                    difference(ahead_ms)
                ),
            ),
        }
    }
}

/// Such as `2h ahead of`.
fn difference(ahead_ms: i64) -> String {
    let seconds = i64::try_from(ahead_ms.unsigned_abs() / 1000).unwrap_or(i64::MAX);
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    format!("{} {side}", duration::format(seconds))
}
