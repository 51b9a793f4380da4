//! What the database says of the incidents of requests, beside the events: the last answer is in both.

use breakglass_api::events::EventType;
use breakglass_api::words::Vocabulary as _;
use serde_json::Value;

use crate::store::Request;
use crate::store::event::Event;

/// How the row of a request and its events differ.
pub(super) fn differs(request: &Request, events: &[&Event]) -> Option<String> {
    let mut said = events.iter().filter_map(|event| match EventType::of(&event.kind)? {
        EventType::Submitted => Some((event.seq, event.data.get("incident_check")?)),
        EventType::IncidentChecked => Some((event.seq, &event.data)),
        _ => None,
    });
    match (&request.incident_check, said.next_back()) {
        (None, None) => None,
        (Some(_), None) => Some(
            "the database says that its incident was checked, and the trail does not".to_owned(),
        ),
        (None, Some((seq, _))) => Some(format!(
            "the trail has a check of its incident at place {seq}, and the database has none"
        )),
        (Some(row), Some((seq, said))) => {
            let is_same = |(name, value): &(&str, Value)| said.get(*name) == Some(value);
            let row = row.on_trail();
            let members = ["verdict", "own_incident"]
                .map(|name| (name, row.get(name).cloned().unwrap_or_default()));
            let (name, _) = members.iter().find(|member| !is_same(member))?;
            Some(format!(
                "the database and the check of its incident at place {seq} of the trail differ in `{name}`"
            ))
        }
    }
}
