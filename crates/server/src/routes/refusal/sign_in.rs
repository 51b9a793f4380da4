//! A sign-in that is not enough, as a client sees it.

use crate::access::refused::{StepUp, Unmet};
use crate::config::{RequiredLevel, SignInFor};
use crate::duration;
use crate::problem::{FieldProblem, NeededSignIn, Problem, Reason};

/// Which command that takes, the command line says: it knows what else it needs.
const AGAIN: &str = "sign in again at that level";

/// The challenge, with what is missing and what to do.
pub(super) fn sign_in(needed: &StepUp) -> Problem {
    let StepUp { what, scope, emergency_rule, level, max_age_s, unmet } = needed;
    let required = RequiredLevel { level: level.clone(), max_age: *max_age_s };
    let (is, what_to_do) = match unmet {
        Unmet::ApiToken => {
            let what_to_do = match what {
                SignInFor::Approval => "sign in with `breakglass login`",
                _ => "sign in with `breakglass login`, and ask under the name that you have then",
            };
            ("an API token is no sign-in".to_owned(), what_to_do)
        }
        Unmet::NoLevel => ("this session is of a sign-in at no level".to_owned(), AGAIN),
        Unmet::OtherLevel(other) => (format!("this session is of a sign-in at `{other}`"), AGAIN),
        Unmet::TooOld { age_s } if *age_s < 0 => {
            ("this session is of a sign-in that is later than now".to_owned(), AGAIN)
        }
        Unmet::TooOld { age_s } => {
            (format!("this session is of a sign-in {} ago", duration::format(*age_s)), AGAIN)
        }
    };
    let emergency = match emergency_rule {
        Some(rule) => format!(" in an emergency, by the approval rule `{rule}`,"),
        None => String::new(),
    };
    let detail = format!(
        "{} `{scope}`{emergency} takes a sign-in at {required}: {is}; {what_to_do}",
        act(*what)
    );
    let max_age = max_age_s.and_then(|seconds| u64::try_from(seconds).ok());
    Problem::sign_in(NeededSignIn { level: level.clone(), max_age }, detail)
}

/// The refusal of a request for which two sign-ins would be needed.
pub(super) fn levels_differ(what: SignInFor, levels: &[String]) -> FieldProblem {
    let detail = format!(
        "{} these takes sign-ins at different levels ({}), and one sign-in reaches one: make one request for each",
        act(what),
        levels.join(", ")
    );
    FieldProblem { field: "scopes".to_owned(), reason: Reason::InvalidRequest.into(), detail }
}

const fn act(what: SignInFor) -> &'static str {
    match what {
        SignInFor::Request => "asking for",
        SignInFor::Activation => "a token for",
        SignInFor::Approval => "approving",
    }
}
