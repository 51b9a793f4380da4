//! What a human reads of the check of an incident: in the event of a submission, and in those of later checks.

use breakglass_api::events::EventType;
use breakglass_api::incident::IncidentVerdict;
use breakglass_api::words::Vocabulary as _;
use serde_json::Value;

use super::notice::Notice;

/// Each fact: what it is, and how it is.
pub(super) fn lines(notice: &Notice) -> Vec<(&'static str, String)> {
    let Some(check) = check(notice) else { return Vec::new() };
    let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
    let state = match text("state") {
        "" => String::new(),
        state => format!(" ({state})"),
    };
    let said = match verdict(notice) {
        Some(IncidentVerdict::Silent) => {
            "incident_unchecked: the system that keeps incidents did not answer".to_owned()
        }
        Some(IncidentVerdict::Open) => format!("open{state}"),
        Some(IncidentVerdict::Closed) => format!("closed{state}"),
        Some(IncidentVerdict::NotYours) => format!("open{state}, and not the requester's"),
        Some(IncidentVerdict::Unknown) => "there is no such incident".to_owned(),
        None => text("verdict").to_owned(),
    };
    let mut lines = vec![("Incident check", said)];
    if check.get("own_incident").and_then(Value::as_bool) == Some(true) {
        lines.push(("own_incident", "the requester opened this incident".to_owned()));
    }
    lines
}

/// What was said, where the event is of a check.
pub(super) fn verdict(notice: &Notice) -> Option<IncidentVerdict> {
    IncidentVerdict::of(check(notice)?.get("verdict")?.as_str()?)
}

fn check(notice: &Notice) -> Option<&Value> {
    match EventType::of(&notice.kind)? {
        EventType::Submitted | EventType::EmergencyTaken => notice.data.get("incident_check"),
        EventType::IncidentChecked => Some(&notice.data),
        _ => None,
    }
}
