//! Requests in words.

use super::when::{instant, relative};
use super::{emergency, granted, incident, needs, opens};
use crate::answer::{Refusal, RemarkKind, Request, State, one_line};
use breakglass_api::request::Extended;
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
    for line in emergency::lines(request) {
        add("emergency", &line);
    }
    for line in incident::lines(request, now) {
        add("checked", &line);
    }
    if let Some(extends) = request.extends.as_ref() {
        add("extends", &parent(extends, now));
    }
    add("submitted", &instant(&request.submitted_at, now));
    add("approvers", &request.approvers.as_deref().unwrap_or_default().join(", "));
    for need in needs::lines(request, now) {
        add("needs", &need);
    }
    for approval in granted::until_now(request, now) {
        add("approved", &approval);
    }
    for remark in &request.discussion {
        let label = match remark.kind.known() {
            Some(RemarkKind::Question) => "asked",
            Some(RemarkKind::Answer) => "answered",
            None => "said",
        };
        add(label, &format!("by {} at {}: {}", remark.by, instant(&remark.at, now), remark.text));
    }
    match request.state.known() {
        Some(State::Pending) => add("lapses", &instant(&request.lapses_at, now)),
        Some(State::Lapsed) if request.grant.is_none() => {
            add("lapsed", &instant(&request.lapses_at, now));
        }
        _ => {}
    }
    for (label, value) in granted::facts(request, now) {
        add(label, &value);
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
    let grant = request.grant.as_ref();
    let held = grant.map_or(request.scopes.as_slice(), |grant| granted::scopes(request, grant));
    parts.push(held.join(", "));
    parts.push(request.duration.clone());
    parts.extend(request.emergency.then(|| "EMERGENCY".to_owned()));
    parts.extend(request.incident.clone());
    parts.extend(request.extends.as_ref().map(|parent| format!("extends {}", parent.id)));
    parts.push(request.reason.clone());
    one_line(&parts.join("  "))
}

/// What time has to do with its state, such as `ends in 12 min`.
fn became(request: &Request, now: Option<Moment>) -> Option<String> {
    let now = now?;
    let grant = request.grant.as_ref();
    let (word, at) = match request.state.known()? {
        State::Pending => ("lapses", &request.lapses_at),
        State::Lapsed => ("lapsed", granted::lapsed(request).unwrap_or(&request.lapses_at)),
        State::Approved => match granted::take_by(request, grant?) {
            Some(at) => ("lapses", at),
            None => ("ends", &grant?.expires_at),
        },
        State::Active => ("ends", &grant?.expires_at),
        State::Expired => ("ended", &grant?.expires_at),
        State::Revoked => ("revoked", &grant?.revoked.as_ref()?.at),
        State::Denied => ("denied", &request.denied.as_ref()?.at),
        State::Cancelled => ("cancelled", request.cancelled_at.as_ref()?),
    };
    Some(format!("{word} {}", relative(now, meant(at))))
}

/// The request whose grant another one goes on with.
fn parent(extends: &Extended, now: Option<Moment>) -> String {
    let mut words = extends.id.clone();
    if let Some(grant) = &extends.grant {
        let scopes = grant.scopes.join(", ");
        let (by, ends) = (granted::by(grant), instant(&grant.expires_at, now));
        words = format!("{words} ({scopes}, {by}, ends at {ends})");
    }
    if let Some(reason) = &extends.reason {
        words = format!("{words}: {reason}");
    }
    words
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
        let with = |name: &str, value: Value| {
            let mut grant = grant.clone();
            grant[name] = value;
            grant
        };
        let taken_by = with("activate_by", json!("2026-11-22T02:29:00Z"));
        let lapsed = with("activate_by", json!("2026-11-22T02:19:30Z"));
        let narrowed = with("scopes", json!(["b"]));
        for (more, words) in [
            (
                json!({}),
                "pending    2026-11-22T02:13:00Z  lapses in 3 min  alice  orders:read  30m  stuck",
            ),
            (
                json!({ "state": "approved", "grant": grant, "emergency": true, "incident": "INC-7" }),
                "approved   2026-11-22T02:13:00Z  ends in 24 min  alice  orders:read  30m  EMERGENCY  INC-7  stuck",
            ),
            (json!({ "state": "approved", "grant": taken_by }), "lapses in 9 min"),
            (json!({ "state": "active", "grant": taken_by }), "ends in 24 min"),
            (json!({ "state": "lapsed", "grant": lapsed }), "lapsed 30 s ago  alice"),
            (json!({ "state": "lapsed" }), "lapsed in 3 min"),
            (json!({ "state": "active", "grant": narrowed }), "alice  b  30m  stuck"),
            (json!({ "extends": { "id": "req_0" } }), "30m  extends req_0  stuck"),
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
    fn the_check_of_an_incident_is_shown_with_what_an_approver_has_to_know() {
        let now = parse_rfc3339("2026-11-22T02:20:00Z");
        let at = "2026-11-22T02:13:00Z";
        for (check, expected) in [
            (
                json!({ "verdict": "open", "checked_at": at, "state": "new\nx", "own_incident": true }),
                "checked   open (new\u{fffd}x), checked at 2026-11-22T02:13:00Z (7 min ago)\n\
                 checked   own_incident: alice opened this incident",
            ),
            (
                json!({ "verdict": "silent", "checked_at": at, "incident_unchecked": true }),
                "checked   incident_unchecked: no answer since 2026-11-22T02:13:00Z (7 min ago); it is asked again each minute",
            ),
            (
                json!({ "verdict": "closed", "checked_at": at, "state": "done" }),
                "checked   closed (done), checked at 2026-11-22T02:13:00Z (7 min ago): it cannot be approved while it is",
            ),
            (
                json!({ "verdict": "not_yours", "checked_at": at, "state": "new" }),
                "checked   open (new), and not the requester's, checked at 2026-11-22T02:13:00Z (7 min ago): it cannot be approved",
            ),
            (json!({ "verdict": "unknown", "checked_at": at }), "checked   unknown, checked at"),
            (json!({ "verdict": "paused", "checked_at": at }), "checked   paused, checked at"),
        ] {
            let shown = request(&read(json!({ "incident_check": check })), now);
            assert!(shown.contains(expected), "{shown}");
        }
        assert!(!request(&read(json!({})), now).contains("checked"));
    }

    /// What a service of before says of a grant: no scopes, no approvals, no time to take it.
    #[test]
    fn a_grant_is_shown_with_what_is_said_of_it_and_no_more() {
        let now = parse_rfc3339("2026-11-22T02:20:00Z");
        let grant = json!({ "id": "grant_1", "approved_by": "carol", "approved_at": "2026-11-22T02:14:00Z",
            "expires_at": "2026-11-22T02:44:00Z" });
        let shown = request(&read(json!({ "state": "approved", "grant": grant })), now);
        let tail = "grant     grant_1\napproved  by carol at 2026-11-22T02:14:00Z (6 min ago)\n\
            ends      2026-11-22T02:44:00Z (in 24 min)";
        assert!(shown.ends_with(tail), "{shown}");
        let mut lapsed = grant.clone();
        lapsed["activate_by"] = json!("2026-11-22T02:19:30Z");
        let shown = request(&read(json!({ "state": "lapsed", "grant": lapsed })), now);
        let tail = "lapsed    2026-11-22T02:19:30Z (30 s ago): its token was not taken in time";
        assert!(shown.ends_with(tail) && !shown.contains("02:23"), "{shown}");
        let several = json!([
            { "by": "bob", "at": "2026-11-22T02:13:00Z" },
            { "by": "carol", "at": "2026-11-22T02:14:00Z", "note": "a\nstate     active" }]);
        let mut approved = grant;
        approved["approvals"] = several;
        let shown = request(&read(json!({ "state": "active", "grant": approved })), now);
        for line in [
            "approved  by bob at 2026-11-22T02:13:00Z (7 min ago)",
            "approved  by carol at 2026-11-22T02:14:00Z (6 min ago): a\u{fffd}state     active",
        ] {
            assert!(shown.lines().any(|other| other == line), "{line}: {shown}");
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
        assert!(!without.contains("grant") && !without.contains("asked"), "{without}");
        assert!(
            without.contains("lapses    2026-11-22T02:23:00Z") && !without.contains("min)"),
            "{without}"
        );
    }
}
