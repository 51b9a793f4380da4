//! What [`access`](crate::access) refuses, as a client sees it: the one place where its reasons and words for HTTP are.

use super::review::took_part;
use super::sign_in::{levels_differ, sign_in};
use crate::access::refused::{TooLong, UnknownScope};
use crate::access::{Approvers, Refused};
use crate::duration;
use crate::problem::{FieldProblem, Problem, Reason};

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let (reason, detail) = match refused {
            Refused::UnknownScopes(scopes) => {
                return Problem::fields(scopes.iter().map(unknown_scope).collect());
            }
            Refused::Unfit { audiences, too_long } => {
                let audiences = (audiences.len() != 1).then(|| audiences_differ(&audiences));
                let too_long = too_long.iter().map(duration_too_long);
                return Problem::fields(audiences.into_iter().chain(too_long).collect());
            }
            Refused::NotARequester { scope, requesters, near } => (
                Reason::NotARequester,
                format!(
                    "you may not ask for `{scope}`: its requesters are the groups {}{}",
                    requesters.join(", "),
                    near_names(&near)
                ),
            ),
            Refused::NoApprover => (
                Reason::NoApprover,
                "nobody but you may approve all of these scopes: ask for fewer, or have whoever runs \
                 the service add an approver"
                    .to_owned(),
            ),
            Refused::SelfApproval => {
                (Reason::SelfApproval, "another person has to approve this request".to_owned())
            }
            Refused::SameMail { other } => (
                Reason::SelfApproval,
                format!(
                    "your mail address is that of `{other}`, as the identity providers of both accounts say, so that \
                     you may be the same person: another one has to approve this request"
                ),
            ),
            Refused::NotAnApprover { approvers } => (
                Reason::NotAnApprover,
                format!("no rule of this request asks you; whose approval counts: {}", who(&approvers)),
            ),
            Refused::ApprovedAlready => (
                Reason::ApprovedAlready,
                "you have approved this request: `breakglass show` says who else has to".to_owned(),
            ),
            Refused::NotYourTurn { approvers } => (
                Reason::NotYourTurn,
                format!(
                    "a rule of this request asks others before you: try again when they have approved it; whose approval \
                     counts now: {}",
                    who(&approvers)
                ),
            ),
            Refused::NotNeeded { approvers } => (
                Reason::NotNeeded,
                format!(
                    "no rule of this request waits for an approval by a group of yours; whose approval counts now: {}",
                    who(&approvers)
                ),
            ),
            Refused::ApprovalByDevice => (
                Reason::NotAnApprover,
                "this session began with a code that was typed, and no request is approved by such a session \
                 (`device_sign_in`): run `breakglass login` on a machine with a browser, and approve from there"
                    .to_owned(),
            ),
            Refused::OwnRequest => (
                Reason::NotAnApprover,
                "this request is yours: `breakglass cancel` takes it back".to_owned(),
            ),
            Refused::MayNotDeny { responders } => {
                (Reason::NotAnApprover, may_not_deny(responders).to_owned())
            }
            Refused::MayNotRevoke { responders } => {
                (Reason::NotAnApprover, may_not_revoke(responders).to_owned())
            }
            Refused::MayNotRevokeAll { scopes, lacking, all } => (
                Reason::NotAnApprover,
                format!(
                    "nothing was revoked: you may not approve `{}`, which {lacking} of the {} that match name; \
                     revoke by scope or incident what you may, and have an approver of these do the rest",
                    scopes.join("`, `"),
                    grants(all),
                ),
            ),
            Refused::MayNotForget { scopes } => (Reason::NotAnApprover, may_not_forget(&scopes)),
            Refused::MayNotRotate { is_holder: true } => (
                Reason::NotAnApprover,
                "you held this grant, or your mail address is its holder's: another person who may approve one of its scopes \
                 has to say that it was rotated"
                    .to_owned(),
            ),
            Refused::MayNotRotate { is_holder: false } => (
                Reason::NotAnApprover,
                "only those who may approve one of its scopes can say that it was rotated, or have the hook called again"
                    .to_owned(),
            ),
            Refused::TookPart(part) => (Reason::TookPart, took_part(part).to_owned()),
            Refused::NotAReviewer { reviewers } => (
                Reason::NotAnApprover,
                format!(
                    "no rule of this grant's request names a group of yours; who may review it: {}",
                    who(&reviewers)
                ),
            ),
            Refused::NotInvolved { responders } => {
                (Reason::NotInvolved, not_involved(responders).to_owned())
            }
            Refused::NotAnAuditor => (
                Reason::NotAnAuditor,
                "only members of the groups that the service's configuration lists under `auditors` may \
                 audit"
                    .to_owned(),
            ),
            Refused::NotAnAdministrator => (
                Reason::NotAnAdministrator,
                "only members of the groups that the service's configuration lists under `administrators` may \
                 see and end the sessions of other people, and confirm ends that are held"
                    .to_owned(),
            ),
            Refused::LevelsDiffer { what, levels } => {
                return Problem::fields(vec![levels_differ(what, &levels)]);
            }
            Refused::SignIn(step_up) => return sign_in(&step_up),
            Refused::MembershipUnknown => (
                Reason::MembershipUnknown,
                "it cannot be known now: the service has no answer about who is in one of the groups that \
                 this takes, or one that is too old; try again, and if you signed in a while ago, sign in again with \
                 `breakglass login`"
                    .to_owned(),
            ),
        };
        Problem::new(reason, detail)
    }
}

/// So many grants, in words.
pub(super) fn grants(count: usize) -> String {
    if count == 1 { "1 grant".to_owned() } else { format!("{count} grants") }
}

/// Who may revoke a grant.
pub(super) const fn may_not_revoke(responders: bool) -> &'static str {
    if responders {
        "only the holder, those who may approve one of its scopes, and responders of its environment may \
         revoke a grant"
    } else {
        "only the holder and those who may approve one of its scopes may revoke a grant"
    }
}

const fn may_not_deny(responders: bool) -> &'static str {
    if responders {
        "only those who may approve one of its scopes, and responders of its environment, may deny a request"
    } else {
        "only those who may approve one of its scopes may deny a request"
    }
}

const fn not_involved(responders: bool) -> &'static str {
    if responders {
        "only the requester, those who may approve one of its scopes, responders of its environment, and \
         auditors see a request"
    } else {
        "only the requester, those who may approve one of its scopes, and auditors see a \
         request"
    }
}

fn may_not_forget(scopes: &[String]) -> String {
    if scopes.is_empty() {
        return "only approvers can say that a proxy is gone".to_owned();
    }
    format!(
        "you may not approve `{}`, which grants name that are not over: only those who may stop \
         everything that may run at a proxy can say that it is gone",
        scopes.join("`, `")
    )
}

fn who(approvers: &Approvers) -> String {
    match approvers {
        Approvers::Complete(names) if names.is_empty() => "nobody does any more".to_owned(),
        Approvers::Complete(names) => names.join(", "),
        Approvers::Seen(names) => format!("{}, and perhaps others", names.join(", ")),
        Approvers::Unknown => "it is not known now".to_owned(),
    }
}

fn unknown_scope(unknown: &UnknownScope) -> FieldProblem {
    let UnknownScope { index, name, near } = unknown;
    let detail = format!("there is no scope `{name}`{}", near_names(near));
    problem(&format!("scopes[{index}]"), Reason::ScopeUnknown, detail)
}

fn audiences_differ(audiences: &[String]) -> FieldProblem {
    let detail = format!(
        "these are for different environments ({}): make one request for each",
        audiences.join(", ")
    );
    problem("scopes", Reason::AudiencesDiffer, detail)
}

fn duration_too_long(TooLong { scope, max_duration_s }: &TooLong) -> FieldProblem {
    let longest = duration::format(*max_duration_s);
    problem("duration", Reason::DurationTooLong, format!("`{scope}` allows at most {longest}"))
}

/// What else the requester may have meant, in words that follow the name.
fn near_names(near: &[String]) -> String {
    if near.is_empty() {
        return "; `breakglass scopes` lists what you may ask for".to_owned();
    }
    format!("; near it, and yours to ask for: `{}`", near.join("`, `"))
}

fn problem(field: &str, reason: Reason, detail: String) -> FieldProblem {
    FieldProblem { field: field.to_owned(), reason: reason.into(), detail }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn what_cannot_be_known_now_may_be_tried_again() {
        let problem = Problem::from(Refused::MembershipUnknown);
        assert_eq!(problem.reason(), Reason::MembershipUnknown);
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
    }

    #[test]
    fn who_may_approve_is_told_as_far_as_it_is_known() {
        let names = || vec!["bob".to_owned(), "carol".to_owned()];
        for (approvers, expected) in [
            (Approvers::Complete(Vec::new()), "nobody does any more"),
            (Approvers::Complete(names()), "bob, carol"),
            (Approvers::Seen(names()), "bob, carol, and perhaps others"),
            (Approvers::Unknown, "it is not known now"),
        ] {
            assert_eq!(who(&approvers), expected);
        }
    }
}
