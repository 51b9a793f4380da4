//! What the command line reads from services that are older or newer: members that came later may be absent, members
//! and words that are not known are no error, and what has to be there has to be there.

use breakglass_api::alerts::{Alert, AlertData, Alerts, AlertsReported, SuppressedAlerts};
use breakglass_api::attempts::Attempts;
use breakglass_api::deliveries::{Deliveries, Delivery, Replayed, Sink};
use breakglass_api::directory::{ConfirmedHeldEnds, HeldEnds};
use breakglass_api::evidence::Evidence;
use breakglass_api::heads::Page;
use breakglass_api::incident::IncidentCheck;
use breakglass_api::opens::{DefinedBy, ScopeOpens};
use breakglass_api::probe::{Challenge, ProbeVerdicts};
use breakglass_api::problem::Problem;
use breakglass_api::proxies::{ConfigurationTaken, Forgotten, Proxies};
use breakglass_api::request::{OldGroups, Request, Requests, State};
use breakglass_api::reviews::{Review, ReviewOfRequest, Reviews};
use breakglass_api::revocation::{Killed, Revoked};
use breakglass_api::rotations::{Rotation, RotationOfRequest, Rotations};
use breakglass_api::scopes::{ForRequest, Scopes};
use breakglass_api::session::{AuthorizationServer, OAuthError, Session, SessionTokens, Sessions};
use breakglass_api::token::Issued;
use breakglass_api::uses::UsesOfGrant;
use breakglass_api::whoami::{Notify, WhoAmI, WhoAmIFactor};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

const AT: &str = "2026-11-22T02:13:00Z";

/// The least that is a request.
fn request() -> Value {
    json!({
        "id": "req_1", "state": "pending", "requester": "alice", "audience": "prod", "scopes": ["s"], "reason": "r",
        "incident": null, "emergency": false, "duration": "30m", "submitted_at": AT, "lapses_at": AT,
    })
}

fn refusal() -> Value {
    json!({ "by": "carol", "at": AT, "reason": "r" })
}

fn reads<T: DeserializeOwned>(body: &Value) -> bool {
    serde_json::from_value::<T>(body.clone()).is_ok()
}

/// `body` is read as it is, and with a member that is not known, and not without any one of its members.
fn least<T: DeserializeOwned>(body: Value) -> T {
    let mut newer = body.clone();
    newer["of_a_newer_service"] = json!({ "a": [1] });
    assert!(reads::<T>(&newer), "{newer}");
    for member in body.as_object().unwrap().keys() {
        let mut without = body.clone();
        without.as_object_mut().unwrap().remove(member);
        assert!(!reads::<T>(&without), "without {member}: {body}");
    }
    serde_json::from_value(body).unwrap()
}

#[test]
fn what_came_later_may_be_absent_and_nothing_else() {
    let read: Request = least(request());
    assert_eq!((read.approvers, read.grant, read.cancelled_at), (None, None, None));
    assert_eq!((read.digest, read.rules), (None, vec![]));
    let read: IncidentCheck = least(json!({ "verdict": "open", "checked_at": AT }));
    assert_eq!((read.state, read.own_incident, read.incident_unchecked), (None, false, false));
    let read: ScopeOpens = least(json!({ "scope": "s" }));
    assert_eq!((read.digest, read.access, read.proxies), (None, None, None));
    least::<DefinedBy>(json!({ "same": 1, "other": 0, "unknown": 0 }));
    let session = json!({
        "id": "ses_1", "account": "corp:a", "client": "breakglass-cli", "source": null, "state": "live",
        "began_at": AT, "used_at": AT, "ends_at": AT, "current": true,
    });
    let read: Session = least(session.clone());
    assert_eq!((read.ended_at, read.end_reason, read.level), (None, None, None));
    let read: Sessions = least(json!({ "sessions": [session] }));
    assert_eq!(read.next, None);
    least::<SessionTokens>(json!({
        "access_token": "a", "token_type": "Bearer", "expires_in": 600, "refresh_token": "r", "account": "corp:a",
        "session": "ses_1", "session_ends_at": AT,
    }));
    let read: WhoAmI = least(json!({
        "name": "corp:a", "groups": { "state": "none", "names": [] }, "may_approve": false,
    }));
    assert_eq!((read.session, read.factor, read.groups.since), (None, None, None));
    assert_eq!(read.notify, None);
    least::<Notify>(json!({ "mail": true, "address": null }));
    let read: WhoAmIFactor = least(json!({ "level": "mfa", "amr": [], "auth_time": AT }));
    assert_eq!(read.acr, None);
    let held = json!({ "group": "oncall", "person": "corp:a", "since": AT });
    least::<HeldEnds>(json!({ "held_ends": [held] }));
    let rotation = json!({ "id": "rot_1", "state": "owed", "grant": "g", "request": "r", "hook": "h", "configured": true,
        "scopes": ["s"], "attempts": 0 });
    least::<Rotations>(json!({ "rotations": [rotation] }));
    least::<Rotation>(rotation);
    let review = json!({ "id": "rev_1", "state": "owed", "grant": "g", "request": "r", "requester": "alice", "scopes": [],
        "rules": [], "needs_approval": false });
    least::<Reviews>(json!({ "reviews": [review] }));
    least::<Review>(review);
    least::<ReviewOfRequest>(json!({ "id": "rev_1", "state": "owed" }));
    let read: UsesOfGrant = least(
        json!({ "grant": "g", "uses": [{ "method": "GET", "outcome": "deny", "records": 1 }],
        "other_records": 0 }),
    );
    assert_eq!((&read.uses[0].scope, &read.uses[0].rule), (&None, &None));
    least::<RotationOfRequest>(json!({ "hook": "h", "state": "owed" }));
    least::<ConfirmedHeldEnds>(json!({ "people": 1, "revoked": 1, "left": 0 }));
    let delivery = json!({
        "event": "evt_1", "sink": "s", "type": "t", "severity": "loud", "time": AT, "state": "waiting", "attempts": 1,
        "queued_at": AT,
    });
    let read: Delivery = least(delivery.clone());
    assert_eq!((read.request, read.next_at, read.ended_at, read.outcome), (None, None, None, None));
    assert_eq!(read.recipient, None);
    let sink = json!({ "name": "s", "circuit": "closed", "waiting": 0, "dead": 0 });
    let read: Sink = least(sink.clone());
    assert_eq!((read.kind, read.oldest_waiting, read.error), (None, None, None));
    let read: Deliveries = least(json!({ "deliveries": [delivery], "sinks": [sink] }));
    assert_eq!(read.next, None);
    least::<Replayed>(json!({ "event": "evt_1", "sinks": ["s"] }));
    let old = json!({ "person": "corp:a", "provider": "corp", "said_at": AT, "cause": "c" });
    least::<OldGroups>(old);
    least::<OAuthError>(json!({ "error": "invalid_grant", "error_description": "d" }));
    least::<AuthorizationServer>(json!({
        "issuer": "i", "authorization_endpoint": "a", "token_endpoint": "t", "revocation_endpoint": "r", "jwks_uri": "j",
        "response_types_supported": [], "grant_types_supported": [], "code_challenge_methods_supported": [],
        "token_endpoint_auth_methods_supported": [], "authorization_response_iss_parameter_supported": true,
    }));
    let read: Requests = least(json!({ "requests": [request()] }));
    assert_eq!(read.next, None);
    let read: Revoked =
        least(json!({ "grant": "g", "revoked": refusal(), "epoch": 1, "expires_at": AT }));
    assert_eq!((read.approved_at, read.had_ended), (None, false));
    let read: Killed = least(json!({ "revoked": 0, "grants": [], "epoch": 0, "not_yours": 0 }));
    assert_eq!((read.look_alikes, read.latest_expires_at, read.had_ended), (vec![], None, 0));
    least::<Proxies>(json!({ "epoch": 1, "since": null, "complete": true, "proxies": [] }));
    let node = json!({ "node": "n", "proxy": "p", "epoch": 1, "last_seen": AT, "stale_for_s": 0 });
    let node: breakglass_api::proxies::Node = least(node);
    assert_eq!((node.id, node.alive, node.clock_skew_s), (None, None, None));
    assert!(!node.same_node);
    least::<Forgotten>(json!({ "id": "i", "forgotten": [], "by": "carol" }));
    least::<Challenge>(json!({ "id": "i", "challenge": "a.b.c", "expires_at": AT }));
    least::<ProbeVerdicts>(json!({ "id": "i", "verdicts": [] }));
    let verdict = json!({ "entrance": "e", "authority": "a", "verdict": "guarded" });
    least::<breakglass_api::probe::ProbeVerdict>(verdict);
    let node = json!({ "node": "n", "proxy": "p", "enforcement": "enforce", "stale_for_s": 0, "alive": true });
    least::<breakglass_api::probe::ProbedNode>(node);
    least::<Page<IgnoredAny>>(json!({ "as_of": AT, "heads": [{ "a": 1 }], "next": null }));
    let head = json!({
        "reported_at": AT, "seen_at": AT, "proxy": "p", "node": "n", "chain": "c", "seq": 1, "hash": "h", "began": AT,
        "ended": false, "grants": {}, "proof": "proven",
    });
    let head: breakglass_api::heads::Head = least(head);
    assert_eq!((head.configuration, head.conflict), (None, None));
    least::<Evidence>(json!({ "requests": [], "next": null }));
    let step = json!({ "at": AT, "actor": "a", "action": "submit" });
    least::<breakglass_api::evidence::Step>(step);
    least::<Attempts>(json!({ "attempts": [], "next": null }));
    let attempt = json!({ "at": AT, "outcome": "rest", "caller": "a", "count": 2 });
    least::<breakglass_api::attempts::Attempt>(attempt);
    least::<AlertsReported>(json!({ "accepted": 1, "dropped": 0 }));
    least::<Alerts>(json!({ "alerts": [], "next": null }));
    let data = json!({ "reported_by": "p", "proxy": "p", "class": "of_a_newer_service" });
    let read: AlertData = least(data.clone());
    assert_eq!((read.alert, read.suppressed, read.grant_known), (None, None, None));
    least::<Alert>(json!({
        "place": 1, "id": "i", "at": AT, "seen_at": AT, "type": "breakglass.alert.solar_flare", "page": true, "count": 1,
        "data": data,
    }));
    least::<SuppressedAlerts>(json!({ "since": AT, "alerts": 1, "not_kept": 0, "kinds": {} }));
    assert_eq!(least::<Scopes>(json!({ "scopes": [] })).for_request, None);
    least::<ForRequest>(json!({ "method": "GET", "path": "/" }));
    least::<ConfigurationTaken>(json!({ "configuration": "d" }));
    let scope = json!({
        "name": "s", "summary": null, "audience": "a", "max_duration": "30m", "may_request": true, "may_approve": true,
        "approvers": [],
    });
    assert_eq!(least::<breakglass_api::scopes::Scope>(scope).rules, None);
    let issued =
        json!({ "token": "t", "grant": "g", "scope": "s", "audience": "a", "expires_at": AT });
    least::<Issued>(issued);
}

#[test]
fn a_word_of_a_newer_service_is_read() {
    let mut held = request();
    held["state"] = json!("held");
    let held: Request = serde_json::from_value(held).unwrap();
    assert_eq!((held.state.word(), held.state.known()), ("held", None));
    assert_ne!(held.state, State::Pending);
    let problem = json!({
        "type": "urn:breakglass:reason:new", "title": "New", "status": 409, "detail": "d", "reason": "new",
    });
    let problem: Problem = serde_json::from_value(problem).unwrap();
    assert_eq!((problem.reason.word(), problem.errors, problem.request), ("new", vec![], None));
}

#[test]
fn another_type_is_no_answer() {
    for (member, value) in [
        ("state", json!(1)),
        ("scopes", json!("s")),
        ("emergency", json!("no")),
        ("submitted_at", json!("yesterday")),
        ("lapses_at", json!(0)),
        ("grant", json!({ "id": "g" })),
        ("denied", json!("no")),
    ] {
        let mut wrong = request();
        wrong[member] = value;
        assert!(!reads::<Request>(&wrong), "{wrong}");
    }
}
