//! An incident is checked when a request is submitted: what is let through, what is refused, and with which reason.

use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::Service;
use serde_json::json;

use crate::attempts::until;
use crate::incidents::{
    ask, ask_for, asked, clean, events, kinds, name, pass, start, tracker, view,
};

/// The incidents that let a request through, each with the state that is found.
const GOOD: [(&str, &str); 7] = [
    ("open", "new"),
    ("by-mail", "active"),
    ("by-team", "new"),
    ("owners", "new"),
    ("own", "new"),
    ("number", "7"),
    ("boolean", "true"),
];

/// Answers that are no good ones, each with the word for it.
const ANSWERED: [(&str, &str); 13] = [
    ("closed", "closed"),
    ("spelled", "closed"),
    ("other-number", "closed"),
    ("other-person", "not_yours"),
    ("other-spelling", "not_yours"),
    ("other-team", "not_yours"),
    ("team-as-person", "not_yours"),
    ("no-owner", "not_yours"),
    ("number-owner", "not_yours"),
    ("object-owner", "not_yours"),
    ("404", "unknown"),
    ("410", "unknown"),
    ("none-found", "unknown"),
];

/// What is no answer.
const SILENT: [&str; 16] = [
    "never",
    "slow",
    "garbage",
    "closes",
    "empty",
    "html",
    "500",
    "429",
    "401",
    "redirect",
    "large",
    "deep",
    "deep-inside",
    "missing",
    "null-state",
    "object-state",
];

#[tokio::test]
async fn only_an_open_incident_of_the_requester_is_let_through() {
    let (tracker, elsewhere) = tracker();
    let service = start(&tracker, "timeout = \"10s\"").await;
    for (case, state) in GOOD {
        let view = ask(&service, case).await.ok();
        assert_eq!((&view["state"], &view["incident"]), (&json!("pending"), &json!(case)));
        assert_eq!(
            view["incident_check"],
            json!({
                "verdict": "open", "checked_at": "2026-11-22T02:13:00Z", "state": state,
                "own_incident": case == "own", "incident_unchecked": false,
            })
        );
        let events = events(&service, view["id"].as_str().unwrap()).await;
        let said = &events[0].1["incident_check"];
        assert_eq!(
            (events.len(), &said["verdict"], &said["state"]),
            (1, &json!("open"), &json!(state))
        );
        assert_eq!(said["own_incident"], json!(case == "own"));
        assert_eq!((&said["at"], said["owner"].is_array()), (&json!("2026-11-22T02:13:00Z"), true));
    }
    for (case, word) in ANSWERED {
        let refused = ask(&service, case).await;
        assert_eq!(refused.refusal(), (403, format!("incident_{word}").as_str()), "{case}");
        assert!(refused.body["detail"].as_str().unwrap().contains(case), "{refused:?}");
    }
    // Each of them is evidence of what a known caller was refused.
    until(&service, |rows| {
        let has = |word: &&str| {
            let reason = json!(format!("incident_{word}"));
            rows.iter().any(|row| row["reason"] == reason && row["caller"] == "alice")
        };
        ["closed", "not_yours", "unknown"].iter().all(has)
    })
    .await;
    let service = start(&tracker, "").await;
    for case in SILENT {
        let refused = ask(&service, case).await;
        assert_eq!(refused.refusal(), (503, "incident_silent"), "{case}");
        assert_eq!(refused.headers["retry-after"], "5");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(!detail.contains("127.0.0.1"), "{detail}");
    }
    assert!(service.trail().await.is_empty(), "what is refused leaves no request");
    assert!(elsewhere.calls().is_empty(), "a redirect was followed");
    let headers: Vec<String> =
        tracker.calls().iter().map(|call| call.header("accept").to_owned()).collect();
    assert!(headers.iter().all(|accept| accept == "application/json"));
}

#[tokio::test]
async fn what_is_owed_waits_for_approvers_and_is_no_answer() {
    let (tracker, elsewhere) = tracker();
    let service = start(&tracker, "silent = \"owed\"").await;
    for case in SILENT {
        let view = ask(&service, case).await.ok();
        let id = view["id"].as_str().unwrap();
        assert_eq!(view["state"], "pending", "{case}");
        let check = &view["incident_check"];
        assert_eq!(
            (&check["verdict"], &check["state"]),
            (&json!("silent"), &json!(null)),
            "{case}"
        );
        assert_eq!(check["incident_unchecked"], true, "{case}");
        let events = events(&service, id).await;
        assert_eq!(events[0].1["incident_check"]["verdict"], "silent");
        assert_eq!(kinds(&service, id).await, ["submitted"], "none is approved by itself");
    }
    for (case, word) in ANSWERED.iter().step_by(4) {
        let refused = ask(&service, case).await;
        assert_eq!(refused.refusal(), (403, format!("incident_{word}").as_str()), "{case}");
    }
    assert!(elsewhere.calls().is_empty(), "a redirect was followed");
    // Silence again, a minute later, leaves all as it is.
    assert_eq!(pass(&service, 60).await, SILENT.len());
    let trail = service.trail().await;
    assert!(trail.iter().all(|(who, what)| who == "alice" && what == "submit"), "{trail:?}");
    clean(&service).await;
}

/// A request that was let through without an answer, which then comes.
async fn answered_later(case: &'static str, approved: bool) -> (Service, String, Receiver) {
    let tracker = Receiver::answering(|_, _| crate::incidents::tracked("500", ""));
    let service = start(&tracker, "silent = \"owed\"").await;
    let id = asked(&service, case).await;
    if approved {
        service.act("carol", &id, "approve").await.ok();
        service.token(&id).await;
    }
    tracker.answers(|_, taken| crate::incidents::tracked(&name(taken), ""));
    assert_eq!(pass(&service, 59).await, 0, "not before a minute");
    assert_eq!(pass(&service, 1).await, 1);
    assert_eq!(pass(&service, 120).await, 0, "once");
    (service, id, tracker)
}

#[tokio::test]
async fn the_answer_that_was_owed_is_told_once_and_decides() {
    for case in ["open", "own", "closed", "other-person", "unknown"] {
        let word = match case {
            "open" | "own" => "open",
            "other-person" => "not_yours",
            other => other,
        };
        let (service, id, _) = answered_later(case, false).await;
        let events = events(&service, &id).await;
        assert_eq!(
            events.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
            ["submitted", "incident_checked"]
        );
        assert_eq!(
            (&events[1].1["verdict"], &events[1].1["own_incident"]),
            (&json!(word), &json!(case == "own"))
        );
        let answer = service.act("carol", &id, "approve").await;
        match word {
            "open" => assert_eq!(answer.ok()["state"], "approved"),
            _ => assert_eq!(answer.refusal(), (403, format!("incident_{word}").as_str())),
        }
        clean(&service).await;

        let (service, id, _) = answered_later(case, true).await;
        let shown = view(&service, &id).await;
        match word {
            "open" => assert_eq!(shown["state"], "active"),
            _ => {
                assert_eq!(shown["state"], "revoked", "{case}");
                let revoked = &shown["grant"]["revoked"];
                assert_eq!(
                    (&revoked["by"], &revoked["reason"]),
                    (&json!("service"), &json!(format!("incident_{word}")))
                );
                let feed = service.feed("").await.ok();
                assert_eq!(feed["revoked"].as_array().unwrap().len(), 1, "{feed}");
                assert_eq!(
                    kinds(&service, &id).await,
                    ["submitted", "approved", "activated", "incident_checked", "revoked"]
                );
            }
        }
        clean(&service).await;
    }
}

#[tokio::test]
async fn a_request_needs_the_strictest_of_its_scopes() {
    let (tracker, _) = tracker();
    let service = start(&tracker, "").await;
    for (scopes, incident, expected) in [
        (&["db:admin"][..], None, None),
        (&["db:admin"], Some("closed"), None),
        (&["orders:write"], None, Some((400, "incident_required"))),
        (&["orders:write"], Some("closed"), None),
        (&["orders:read"], None, Some((400, "incident_required"))),
        (&["orders:write", "orders:read"], Some("closed"), Some((403, "incident_closed"))),
        (&["orders:read", "orders:write"], Some("open"), None),
        (&["orders:read"], Some("../open"), Some((400, "invalid_request"))),
        (&["orders:read"], Some(".."), Some((400, "invalid_request"))),
    ] {
        let answer = ask_for(&service, scopes, incident).await;
        match expected {
            None => {
                let is_checked = scopes.contains(&"orders:read");
                assert_eq!(answer.ok().get("incident_check").is_some(), is_checked, "{scopes:?}");
            }
            Some(refusal) => {
                assert_eq!(answer.refusal(), refusal, "{scopes:?} {incident:?}");
                if refusal.0 == 400 {
                    assert_eq!(answer.body["errors"][0]["field"], "incident");
                }
                if refusal.1 == "incident_required" {
                    let detail = answer.body["detail"].as_str().unwrap();
                    assert!(detail.contains(&format!("`{}`", scopes[0])), "{detail}");
                }
            }
        }
    }
    assert_eq!(tracker.calls().len(), 2, "only what is to be checked, and can be, is asked");
    // Who may not ask, asks no other system either.
    let body =
        json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "open" });
    let refused = service.post("dave", "/v1/requests", body).await;
    assert_eq!((refused.refusal(), tracker.calls().len()), ((403, "not_a_requester"), 2));
}

#[tokio::test]
async fn the_submissions_of_a_person_make_thirty_checks_a_minute() {
    let (tracker, _) = tracker();
    let service = start(&tracker, "").await;
    for _ in 0..30 {
        assert_eq!(ask(&service, "closed").await.refusal(), (403, "incident_closed"));
    }
    let refused = ask(&service, "open").await;
    assert_eq!(refused.refusal(), (429, "too_many_incident_checks"));
    assert_eq!(
        (refused.headers["retry-after"].to_str().unwrap(), tracker.calls().len()),
        ("30", 30)
    );
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "other-person" });
    service.post("bob", "/v1/requests", body).await.ok();
    service.advance(60);
    ask(&service, "open").await.ok();
}

#[tokio::test]
async fn a_submission_that_is_repeated_asks_once() {
    let (tracker, _) = tracker();
    let service = start(&tracker, "").await;
    for _ in 0..2 {
        let request = axum::http::Request::post("/v1/requests")
            .header("authorization", "Bearer token-alice")
            .header("content-type", "application/json")
            .header("idempotency-key", "k1");
        let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "open" });
        let answer =
            service.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await;
        assert_eq!(answer.ok()["incident_check"]["verdict"], "open");
    }
    assert_eq!(tracker.calls().len(), 1);
}

#[tokio::test]
async fn more_than_eight_checks_at_a_time_wait_for_their_turn_within_their_time() {
    let (tracker, _) = tracker();
    let service = start(&tracker, "").await;
    let asks = (0..9).map(|_| ask(&service, "never"));
    for answer in futures_util::future::join_all(asks).await {
        assert_eq!(answer.refusal(), (503, "incident_silent"));
    }
    assert!(tracker.calls().len() <= 9);
}
