//! The check of a request's incident, in words.

use breakglass_api::incident::{IncidentCheck, IncidentVerdict};
use breakglass_server::clock::Moment;

use super::when::instant;
use crate::answer::Request;

/// What is known of the incident, and who opened it; nothing where it is not checked.
pub(super) fn lines(request: &Request, now: Option<Moment>) -> Vec<String> {
    let Some(check) = &request.incident_check else { return Vec::new() };
    let mut lines = vec![said(check, now)];
    if check.own_incident {
        lines.push(format!("own_incident: {} opened this incident", request.requester));
    }
    lines
}

/// A line for the requester whose incident was not checked.
pub(super) fn unchecked(request: &Request) -> Option<String> {
    request.incident_check.as_ref().filter(|check| check.incident_unchecked).map(|_| {
        "incident_unchecked: the system that keeps incidents did not answer; approvers see that, and it is asked again each \
         minute"
            .to_owned()
    })
}

fn said(check: &IncidentCheck, now: Option<Moment>) -> String {
    let at = instant(&check.checked_at, now);
    let state = check.state.as_ref().map(|state| format!(" ({state})")).unwrap_or_default();
    match check.verdict.known() {
        Some(IncidentVerdict::Silent) => {
            format!("incident_unchecked: no answer since {at}; it is asked again each minute")
        }
        Some(IncidentVerdict::Open) => format!("open{state}, checked at {at}"),
        Some(IncidentVerdict::Closed) => {
            format!("closed{state}, checked at {at}: it cannot be approved while it is")
        }
        Some(IncidentVerdict::NotYours) => {
            format!("open{state}, and not the requester's, checked at {at}: it cannot be approved")
        }
        Some(IncidentVerdict::Unknown) => {
            format!("unknown, checked at {at}: it cannot be approved")
        }
        None => format!("{}{state}, checked at {at}", check.verdict.word()),
    }
}
