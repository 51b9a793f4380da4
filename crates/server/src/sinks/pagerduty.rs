//! PagerDuty, by the Events API v2. A request that waits for a decision is an incident, which a question acknowledges and a
//! decision resolves; what is a warning or more is an incident of its grant, which the grant's end resolves. A rotation that
//! failed is an incident of its own, which its end resolves; so is a review that is overdue or disputed, which a signature resolves.
//!
//! PagerDuty's bounds: a summary 1,024 characters, a `dedup_key` 255, an event 512 KB.

use std::path::Path;

use breakglass_api::deliveries::Severity;
use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use breakglass_identity::secret_text;
use serde_json::{Map, Value, json};
use url::Url;

use super::call::Call;
use super::event::{Event, For};
use super::notice::Notice;
use super::one_line::shown;
use super::titles::Command;
use super::words::{Words, words};

const MAX_SUMMARY: usize = 1_000;
const MAX_KEY: usize = 255;

/// What an event does to an incident, as PagerDuty names it, and the key of the incident.
pub(super) fn action(notice: &Notice) -> Option<(&'static str, String)> {
    let request = notice.request.clone();
    let of_grant = notice.grant.clone();
    let named = |name: &str| notice.data.get(name).and_then(Value::as_str).map(str::to_owned);
    let (of_rotation, of_review) = (named("rotation"), named("review"));
    let (action, key) = match EventType::of(&notice.kind) {
        // What was taken alone is of the grant, whose end resolves it; there is nothing to decide.
        Some(EventType::EmergencyTaken) => ("trigger", of_grant?),
        Some(EventType::Submitted) if notice.is_taken_alone() => return None,
        // That no approver was reached, or more are asked, is of the same incident, which the decision resolves.
        Some(EventType::Submitted | EventType::Unreached | EventType::Escalated) => {
            ("trigger", request?)
        }
        Some(EventType::Questioned) => ("acknowledge", request?),
        Some(
            EventType::Approved | EventType::Denied | EventType::Cancelled | EventType::Lapsed,
        ) => ("resolve", request?),
        Some(EventType::Expired | EventType::Revoked) => ("resolve", of_grant?),
        Some(EventType::RotationFailed) => ("trigger", of_rotation?),
        Some(EventType::RotationDone) => ("resolve", of_rotation?),
        // Both are of one incident: a dispute goes on where it was overdue.
        Some(EventType::ReviewOverdue | EventType::ReviewDisputed) => ("trigger", of_review?),
        Some(EventType::ReviewSigned) => ("resolve", of_review?),
        _ if notice.severity() >= Severity::Warning => {
            ("trigger", of_grant.unwrap_or_else(|| notice.id.clone()))
        }
        _ => return None,
    };
    Some((action, key.chars().take(MAX_KEY).collect()))
}

pub(super) fn call(url: &Url, routing_key_file: &Path, event: Event<'_>) -> Result<Call, String> {
    let key = match event.purpose {
        For::Preview => "<routing key>".to_owned(),
        For::Sending => secret_text(routing_key_file).map_err(|error| error.to_string())?,
    };
    let (action, dedup_key) = action(event.notice).unwrap_or(("trigger", event.notice.id.clone()));
    let mut body = json!({ "routing_key": key, "event_action": action, "dedup_key": dedup_key });
    if action == "trigger"
        && let Some(body) = body.as_object_mut()
    {
        body.insert("client".to_owned(), json!("breakglass"));
        body.insert("payload".to_owned(), payload(event));
        if let Some(link) = event.link() {
            body.insert("links".to_owned(), json!([{ "href": link, "text": "The request" }]));
            body.insert("client_url".to_owned(), json!(link));
        }
    }
    let headers = vec![("content-type", "application/json".to_owned())];
    Ok(Call { url: url.clone(), is_secret: false, headers, body: body.to_string().into_bytes() })
}

fn payload(event: Event<'_>) -> Value {
    let notice = event.notice;
    let Words { title, lines, command } = words(notice);
    let mut details: Map<String, Value> =
        lines.into_iter().map(|(label, text)| (label.to_owned(), json!(text))).collect();
    details.extend(command.map(|Command { label, text }| (label.to_owned(), json!(text))));
    details.insert("Event".to_owned(), json!(notice.id));
    let severity = match notice.severity() {
        Severity::Info | Severity::Notice => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    json!({
        "summary": shown(&title, MAX_SUMMARY),
        "source": shown(event.source, MAX_KEY),
        "severity": severity,
        "timestamp": notice.time(),
        "class": notice.kind,
        "group": notice.audience.as_deref().map(|audience| shown(audience, MAX_KEY)),
        "custom_details": details,
    })
}
