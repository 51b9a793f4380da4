//! Requests in words.

use super::opens;
use super::when::{instant, relative};
use crate::answer::{Refusal, Request, State, one_line};
use breakglass_server::clock::{Moment, meant};

/// A request, one line for each thing that an approver has to know; first, which of its scopes open what the service does
/// not know. `now` is for times such as `in 12 min`; without it there are none.
pub(crate) fn request(request: &Request, now: Option<Moment>) -> String {
    let emergency = if request.emergency { " (emergency)" } else { "" };
    let mut lines = opens::warnings(request);
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{label:<10}{}", one_line(value)));
        }
    };
    add("request", &request.id);
    add("state", &format!("{}{emergency}", request.state.word()));
    add("requester", &request.requester);
    add("scopes", &request.scopes.join(", "));
    for opens in opens::each(request) {
        add("opens", &opens);
    }
    add("audience", &request.audience);
    add("duration", &format!("{} from approval", request.duration));
    add("reason", &request.reason);
    add("incident", request.incident.as_deref().unwrap_or_default());
    add("submitted", &instant(&request.submitted_at, now));
    add("approvers", &request.approvers.as_deref().unwrap_or_default().join(", "));
    match request.state.known() {
        Some(State::Pending) => add("lapses", &instant(&request.lapses_at, now)),
        Some(State::Lapsed) => add("lapsed", &instant(&request.lapses_at, now)),
        _ => {}
    }
    if let Some(grant) = &request.grant {
        add("grant", &grant.id);
        add(
            "approved",
            &format!("by {} at {}", grant.approved_by, instant(&grant.approved_at, now)),
        );
        let ended = now.is_some_and(|now| meant(&grant.expires_at) <= now);
        let ended = ended || request.state == State::Expired;
        add(if ended { "ended" } else { "ends" }, &instant(&grant.expires_at, now));
        add("revoked", &refusal(grant.revoked.as_ref(), now));
    }
    add("denied", &refusal(request.denied.as_ref(), now));
    let cancelled = request.cancelled_at.as_ref();
    add("cancelled", &cancelled.map(|at| instant(at, now)).unwrap_or_default());
    lines.join("\n")
}

/// A request on one line, which begins with its id and its state.
pub(crate) fn line(request: &Request, now: Option<Moment>) -> String {
    let mut parts = vec![
        request.id.clone(),
        format!("{:<9}", request.state.word()),
        request.submitted_at.text().to_owned(),
    ];
    parts.extend(became(request, now));
    parts.push(request.requester.clone());
    parts.push(request.scopes.join(", "));
    parts.push(request.duration.clone());
    parts.extend(request.emergency.then(|| "EMERGENCY".to_owned()));
    parts.extend(request.incident.clone());
    parts.push(request.reason.clone());
    one_line(&parts.join("  "))
}

/// What time has to do with its state, such as `ends in 12 min`.
fn became(request: &Request, now: Option<Moment>) -> Option<String> {
    let now = now?;
    let grant = request.grant.as_ref();
    let (word, at) = match request.state.known()? {
        State::Pending => ("lapses", &request.lapses_at),
        State::Lapsed => ("lapsed", &request.lapses_at),
        State::Approved => ("ends", &grant?.expires_at),
        State::Expired => ("ended", &grant?.expires_at),
        State::Revoked => ("revoked", &grant?.revoked.as_ref()?.at),
        State::Denied => ("denied", &request.denied.as_ref()?.at),
        State::Cancelled => ("cancelled", request.cancelled_at.as_ref()?),
    };
    Some(format!("{word} {}", relative(now, meant(at))))
}

fn refusal(refusal: Option<&Refusal>, now: Option<Moment>) -> String {
    let Some(Refusal { by, at, reason }) = refusal else { return String::new() };
    format!("by {by} at {}: {reason}", instant(at, now))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::answer::{Answer as _, Whole};
    use breakglass_server::clock::parse_rfc3339;

    fn read(more: Value) -> Request {
        let mut view = json!({
            "id": "req_1", "state": "pending", "requester": "alice", "audience": "prod",
            "scopes": ["orders:read"], "reason": "stuck", "incident": null, "emergency": false,
            "duration": "30m", "submitted_at": "2026-11-22T02:13:00Z", "lapses_at": "2026-11-22T02:23:00Z",
        });
        view.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Whole::<Request>::read(view).unwrap().body
    }

    #[test]
    fn a_list_says_what_time_has_to_do_with_each() {
        let now = parse_rfc3339("2026-11-22T02:20:00Z");
        let grant = json!({ "id": "grant_1", "approved_by": "carol", "approved_at": "2026-11-22T02:14:00Z",
            "expires_at": "2026-11-22T02:44:00Z" });
        let refusal = json!({ "by": "carol", "at": "2026-11-22T02:19:30Z", "reason": "no" });
        let mut revoked = grant.clone();
        revoked["revoked"] = refusal.clone();
        for (more, words) in [
            (
                json!({}),
                "pending    2026-11-22T02:13:00Z  lapses in 3 min  alice  orders:read  30m  stuck",
            ),
            (
                json!({ "state": "approved", "grant": grant, "emergency": true, "incident": "INC-7" }),
                "approved   2026-11-22T02:13:00Z  ends in 24 min  alice  orders:read  30m  EMERGENCY  INC-7  stuck",
            ),
            (json!({ "state": "revoked", "grant": revoked }), "revoked 30 s ago"),
            (json!({ "state": "denied", "denied": refusal }), "denied 30 s ago"),
            (json!({ "state": "held" }), "held       2026-11-22T02:13:00Z  alice"),
            (json!({ "reason": "a\nreq_2  approved" }), "a\u{fffd}req_2  approved"),
        ] {
            let line = line(&read(more), now);
            assert!(line.starts_with("req_1  ") && line.contains(words), "{line}");
            assert_eq!(line.lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn in_full_every_time_is_there_in_utc_and_as_distance() {
        let shown = request(
            &read(json!({ "incident": "INC-7", "emergency": true })),
            parse_rfc3339("2026-11-22T02:20:00Z"),
        );
        for line in [
            "state     pending (emergency)",
            "incident  INC-7",
            "submitted 2026-11-22T02:13:00Z (7 min ago)",
            "lapses    2026-11-22T02:23:00Z (in 3 min)",
        ] {
            assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
        }
        let without = request(&read(json!({})), None);
        assert!(
            without.contains("lapses    2026-11-22T02:23:00Z") && !without.contains("min)"),
            "{without}"
        );
    }
}
