//! Refusals because of the incident that a request names.

use crate::domain::IncidentRefused;
use crate::incidents::Verdict;
use crate::problem::{FieldProblem, Problem, Reason};

impl From<IncidentRefused> for Problem {
    fn from(refused: IncidentRefused) -> Problem {
        match refused {
            IncidentRefused::Missing { scope } => field(
                Reason::IncidentRequired,
                format!("the scope `{scope}` needs one: name the incident with `--incident`"),
            ),
            IncidentRefused::NotOneName => field(
                Reason::InvalidRequest,
                "expected the name of one incident, got a path with `.` or `..` in it".to_owned(),
            ),
            IncidentRefused::Said { verdict, incident, state, of_approval } => {
                let (reason, what) = said(verdict, state);
                let to_do = match (of_approval, verdict) {
                    (true, _) => {
                        "it can be approved only while its incident is open: deny it, or see that the incident is \
                                  right there and let the requester ask again"
                    }
                    (false, Verdict::NotYours) => {
                        "take it over there, or name an incident of yours or of your team"
                    }
                    (false, _) => "name an open one with `--incident`",
                };
                Problem::new(reason, format!("the incident `{incident}` {what}: {to_do}"))
            }
            IncidentRefused::Silent => Problem::new(
                Reason::IncidentSilent,
                "the system that keeps incidents does not say whether this one is open, and the service's configuration takes \
                 no request without that: try again; if it stays so tell who runs the service, whose log has the cause",
            ),
            IncidentRefused::TooOften => Problem::new(
                Reason::TooManyIncidentChecks,
                "your requests have had as many incidents checked in a minute as they may: try again in a minute",
            ),
        }
    }
}

fn field(reason: Reason, detail: String) -> Problem {
    let field = "incident".to_owned();
    Problem::fields(vec![FieldProblem { field, reason: reason.into(), detail }])
}

/// The reason, and in words what the system that keeps incidents says.
fn said(verdict: Verdict, state: Option<String>) -> (Reason, String) {
    let state = state.unwrap_or_default();
    match verdict {
        Verdict::Closed => {
            (Reason::IncidentClosed, format!("is not open (its state is `{state}`)"))
        }
        Verdict::Unknown => {
            (Reason::IncidentUnknown, "is not known to the system that keeps incidents".to_owned())
        }
        // An open one is never refused.
        Verdict::NotYours | Verdict::Open => {
            (Reason::IncidentNotYours, "belongs to another person or team, or to none".to_owned())
        }
    }
}
