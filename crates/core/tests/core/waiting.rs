//! Requests that wait: for keys, and for the approval service.

use std::time::Duration;

use breakglass_core::calls::Answer;
use breakglass_core::instant::Instant;
use breakglass_core::step::Step;
use breakglass_core::worker::TICK;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, asking_config, assert_permitted, assert_refused, claims, fetching_config,
    reason, test, with,
};

fn token() -> String {
    Key::new(1).sign(&claims())
}

/// A stage on which stream 1 waits for the approval service.
fn waiting(config: &Value) -> (Stage, breakglass_core::calls::Call) {
    let mut stage = Stage::new(config);
    let step = stage.request(1, &Request::under(&token()));
    assert!(matches!(step, Step::Wait), "{step:?}");
    assert_eq!(stage.worker.period(stage.now).as_millis(), 1);
    let call = stage.call();
    (stage, call)
}

fn introspection(changes: Value) -> Value {
    let revocation = &asking_config()["revocation"];
    let introspection = with(revocation["introspection"].clone(), changes);
    with(asking_config(), json!({"revocation": {"introspection": introspection}}))
}

#[test]
fn asks_the_approval_service_as_rfc_7662_says() {
    let revocation = with(
        asking_config()["revocation"].clone(),
        json!({"credential": {"env": "BREAKGLASS_PROXY_TOKEN"}}),
    );
    let (_, call) = waiting(&with(asking_config(), json!({"revocation": revocation})));
    assert_eq!(call.cluster, "approvals");
    let (process, headers) = call.headers.split_last().unwrap();
    assert_eq!((process.0, process.1.len()), ("breakglass-process", 32), "a sign of life");
    let headers: Vec<_> = headers.iter().map(|(n, v)| format!("{n} {v}")).collect();
    assert_eq!(
        headers,
        [
            ":method POST",
            ":path /oauth2/introspect",
            ":authority approvals.internal",
            "content-type application/x-www-form-urlencoded",
            "accept application/json",
            "authorization Bearer proxy-secret",
        ]
    );
    let body = format!("token={}&token_type_hint=access_token", token());
    assert_eq!(String::from_utf8(call.body).unwrap(), body);
    assert_eq!(call.timeout.as_millis(), 500);
}

#[test]
fn a_grant_that_stands_passes_and_one_that_does_not_is_refused() {
    let (mut stage, call) = waiting(&asking_config());
    let steps = stage.answer(&call, 200, &json!({"active": true, "jti": "grant-1"}));
    let [(1, step)] = &steps[..] else { panic!("{steps:?}") };
    assert_permitted(step);
    assert_eq!(stage.logged(1).unwrap()["revocation_source"], "introspection");

    let (mut stage, call) = waiting(&asking_config());
    let steps = stage.answer(&call, 200, &json!({"active": false}));
    assert_refused(&steps[0].1, "revoked");
    assert_eq!(stage.logged(1).unwrap()["revocation_source"], "introspection");
}

#[test]
fn an_answer_counts_for_a_while() {
    let (mut stage, call) = waiting(&asking_config());
    stage.answer(&call, 200, &json!({"active": true}));
    let request = Request::under(&token());
    stage.wait_millis(4_999);
    assert_permitted(&stage.request(2, &request));
    assert_eq!(stage.logged(2).unwrap()["revocation_source"], "introspection_cache");
    stage.wait_millis(1);
    assert!(matches!(stage.request(3, &request), Step::Wait));
    let call = stage.call();
    assert_refused(&stage.answer(&call, 200, &json!({"active": false}))[0].1, "revoked");
    assert_refused(&stage.request(4, &request), "revoked");
}

#[test]
fn a_grant_that_has_ended_by_the_services_clock_is_expired_and_not_revoked() {
    let (mut stage, call) = waiting(&asking_config());
    stage.answer(&call, 200, &json!({"active": true}));
    stage.wait_millis(800_000);
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
    let call = stage.call();
    assert_refused(&stage.answer(&call, 200, &json!({"active": false}))[0].1, "token_expired");
}

#[test]
fn an_answer_does_not_count_longer_because_the_clock_was_set_back() {
    let (mut stage, call) = waiting(&asking_config());
    stage.answer(&call, 200, &json!({"active": true}));
    stage.now = breakglass_core::instant::Instant::from_seconds(crate::support::NOW - 60);
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
}

#[test]
fn without_a_cache_every_request_asks() {
    let (mut stage, call) = waiting(&introspection(json!({"cache": "0s"})));
    assert_permitted(&stage.answer(&call, 200, &json!({"active": true}))[0].1);
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
}

#[test]
fn whatever_is_no_answer_is_decided_as_configured() {
    let allow = with(asking_config()["revocation"].clone(), json!({"on_unavailable": "allow"}));
    let allow = with(asking_config(), json!({"revocation": allow}));
    for (status, body) in [
        (200, &b""[..]),
        (200, b"{}"),
        (200, b"[]"),
        (200, b"true"),
        (200, b"<html>active: true</html>"),
        (200, br#"{"active":true"#),
        (200, br#"{"active":true} true"#),
        (200, br#"{"active":"true"}"#),
        (200, br#"{"active":1}"#),
        (200, br#"{"active":null}"#),
        (200, br#"{"active":false,"active":true}"#),
        (200, br#"{"Active":true}"#),
        (200, br#"[{"active":true}]"#),
        (200, br#"{"active":true,"jti":"another"}"#),
        (200, br#"{"active":true,"jti":7}"#),
        (200, b"{\"active\":true,\"x\":\"\xff\"}"),
        (201, br#"{"active":true}"#),
        (401, br#"{"active":true}"#),
        (404, br#"{"active":false}"#),
        (500, br#"{"active":true}"#),
        (503, br#"{"active":true}"#),
        (0, b"null"),
    ] {
        let answered = |config: &Value| {
            let (mut stage, call) = waiting(config);
            let answer = Answer::Response { status, body };
            let steps = stage.worker.answer(call.id, &answer, stage.now);
            (stage, steps)
        };
        let (mut stage, steps) = answered(&asking_config());
        assert_refused(&steps[0].1, "revocation_unknown");
        assert_eq!(stage.logged(1).unwrap()["revocation_source"], "unavailable");
        let (_, steps) = answered(&allow);
        assert_permitted(&steps[0].1);
        assert_eq!(reason(&steps[0].1), "permit_unverified");
    }
    let (mut stage, call) = waiting(&asking_config());
    assert_refused(&stage.fail(&call)[0].1, "revocation_unknown");
}

#[test]
fn a_scope_says_for_itself_what_happens_when_nobody_answers() {
    for (general, own, other) in [("deny", "allow", "deny"), ("allow", "deny", "allow")] {
        let scope = |name: &str| json!({"name": name, "methods": ["GET"], "paths": ["/v1/orders"]});
        let scopes =
            json!([with(scope("orders:read"), json!({"on_unavailable": own})), scope("other")]);
        let revocation =
            with(asking_config()["revocation"].clone(), json!({"on_unavailable": general}));
        let config = with(asking_config(), json!({"scopes": scopes, "revocation": revocation}));
        for (scope, decided) in [("orders:read", own), ("other", other)] {
            let mut stage = Stage::new(&config);
            let token = Key::new(1).sign(&with(claims(), json!({ "scope": scope })));
            assert!(matches!(stage.request(1, &Request::under(&token)), Step::Wait));
            let call = stage.call();
            let step = stage.fail(&call).remove(0).1;
            match decided {
                "allow" => assert_permitted(&step),
                _ => assert_refused(&step, "revocation_unknown"),
            }
        }
    }
}

#[test]
fn what_is_refused_anyway_is_refused_at_once_and_nobody_is_asked() {
    let allow = with(asking_config()["revocation"].clone(), json!({"on_unavailable": "allow"}));
    for config in [asking_config(), with(asking_config(), json!({ "revocation": allow }))] {
        let mut stage = Stage::new(&config);
        let expired = Key::new(1).sign(&with(claims(), json!({"exp": crate::support::NOW - 60})));
        assert_refused(&stage.request(1, &Request::under(&expired)), "token_expired");
        let elsewhere = Request::new("GET", "/v1/invoices").header("x-breakglass-token", token());
        assert_refused(&stage.request(2, &elsewhere), "out_of_scope");
        assert!(stage.tick().calls.is_empty());
    }
}

#[test]
fn questions_about_one_grant_share_a_call_and_about_two_do_not() {
    let (mut stage, call) = waiting(&asking_config());
    for stream in 2..10 {
        assert!(matches!(stage.request(stream, &Request::under(&token())), Step::Wait));
    }
    assert!(stage.tick().calls.is_empty());
    let other = Key::new(1).sign(&with(claims(), json!({"jti": "grant-2"})));
    assert!(matches!(stage.request(10, &Request::under(&other)), Step::Wait));
    let other = stage.call();
    let steps = stage.answer(&call, 200, &json!({"active": true}));
    assert_eq!(
        steps.iter().map(|(stream, _)| *stream).collect::<Vec<_>>(),
        (1..10).collect::<Vec<_>>()
    );
    assert_refused(&stage.answer(&other, 200, &json!({"active": false}))[0].1, "revoked");
}

#[test]
fn a_client_that_goes_away_leaves_nothing_behind() {
    let (mut stage, call) = waiting(&asking_config());
    let _ = stage.request(2, &Request::under(&token()));
    let record = stage.logged(1).unwrap();
    assert_eq!((&record["decision"], &record["reason"]), (&json!("deny"), &json!("client_gone")));
    assert_eq!(record["grant"], "grant-1", "the token was verified before the wait");
    let steps = stage.answer(&call, 200, &json!({"active": true}));
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].0, 2);

    let mut stage = Stage::new(&asking_config());
    let _ = stage.request(1, &Request::under(&token()));
    stage.logged(1);
    assert!(stage.tick().calls.is_empty(), "nobody waits, so nothing is asked");
}

#[test]
fn a_call_that_envoy_never_ends_is_given_up() {
    let (mut stage, call) = waiting(&asking_config());
    stage.wait_millis(999);
    assert!(stage.tick().steps.is_empty());
    stage.wait_millis(1);
    assert_refused(&stage.tick().steps[0].1, "revocation_unknown");
    assert!(stage.answer(&call, 200, &json!({"active": true})).is_empty(), "too late");
}

#[test]
fn a_call_is_not_waited_for_longer_because_the_clock_was_set_back() {
    // Once between two ticks, and once in the same tick in which another call is sent.
    for another in [false, true] {
        let (mut stage, _) = waiting(&asking_config());
        stage.wait_millis(400);
        assert!(stage.tick().steps.is_empty());
        stage.now = stage.now.before(Duration::from_secs(3));
        if another {
            let other = Key::new(1).sign(&with(claims(), json!({"jti": "another"})));
            assert!(matches!(stage.request(2, &Request::under(&other)), Step::Wait));
        }
        let tick = stage.tick();
        assert_eq!((tick.steps.len(), tick.calls.len()), (0, usize::from(another)));
        stage.wait_millis(599);
        assert!(stage.tick().steps.is_empty());
        stage.wait_millis(1);
        let steps = stage.tick().steps;
        assert_eq!(steps.len(), 1);
        assert_refused(&steps[0].1, "revocation_unknown");
        stage.wait_millis(400);
        assert_eq!(stage.tick().steps.len(), usize::from(another), "each has its own time");
    }
}

#[test]
fn keys_are_fetched_at_the_start_and_on_a_timer() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    assert_eq!(call.headers[1], (":path", "/.well-known/jwks.json".into()));
    assert!(stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]})).is_empty());
    assert_permitted(&stage.request(1, &Request::under(&token())));
    stage.wait_millis(299_999);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    stage.call();
}

#[test]
fn a_request_waits_for_the_first_keys() {
    let mut stage = Stage::new(&fetching_config());
    assert!(matches!(stage.request(1, &Request::under(&token())), Step::Wait));
    let call = stage.call();
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
    let steps = stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_eq!(steps.len(), 2);
    steps.iter().for_each(|(_, step)| assert_permitted(step));
}

#[test]
fn keys_rotate_without_a_gap() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_permitted(&stage.request(1, &Request::under(&token())));
    stage.wait_millis(5_000);
    let rotated = Request::under(&Key::new(2).sign(&claims()));
    assert!(matches!(stage.request(2, &rotated), Step::Wait));
    let call = stage.call();
    let both = json!({"keys": [Key::new(1).jwk(), Key::new(2).jwk()]});
    assert_permitted(&stage.answer(&call, 200, &both)[0].1);
    assert_permitted(&stage.request(3, &Request::under(&token())));
}

#[test]
fn a_key_that_is_withdrawn_takes_its_verified_tokens_with_it() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_permitted(&stage.request(1, &Request::under(&token())));
    stage.wait_millis(300_000);
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(2).jwk()]}));
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
    stage.wait_millis(1_000);
    let call = stage.call();
    let steps = stage.answer(&call, 200, &json!({"keys": [Key::new(2).jwk()]}));
    assert_refused(&steps[0].1, "key_unknown");
}

#[test]
fn unknown_keys_do_not_hammer_their_source_and_leave_no_gap() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    let unknown = Request::under(&Key::new(3).sign(&claims()));
    let rotated = Request::under(&Key::new(2).sign(&claims()));
    assert!(matches!(stage.request(1, &unknown), Step::Wait));
    stage.wait_millis(500);
    assert!(matches!(stage.request(2, &rotated), Step::Wait), "it waits, a second after the last");
    stage.wait_millis(499);
    assert_eq!(stage.worker.period(stage.now), TICK);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    assert_eq!(stage.worker.period(stage.now).as_millis(), 1);
    let call = stage.call();
    let both = json!({"keys": [Key::new(1).jwk(), Key::new(2).jwk()]});
    let steps = stage.answer(&call, 200, &both);
    assert_refused(&steps[0].1, "key_unknown");
    assert_permitted(&steps[1].1);
}

#[test]
fn the_last_good_keys_stay_while_their_source_is_down() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    stage.wait_millis(300_000);
    for (status, body) in [
        (503, json!({"keys": [Key::new(2).jwk()]})),
        (200, json!({"keys": []})),
        (200, json!({"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]})),
        (200, json!([])),
        (200, json!({"keys": [Key::new(2).jwk(), Key::new(2).jwk()]})),
    ] {
        let call = stage.call();
        stage.answer(&call, status, &body);
        assert_permitted(&stage.request(1, &Request::under(&token())));
        stage.wait_millis(60_000);
    }
}

#[test]
fn nobody_can_say_while_no_keys_were_ever_fetched() {
    let mut stage = Stage::new(&fetching_config());
    assert!(matches!(stage.request(1, &Request::under(&token())), Step::Wait));
    let call = stage.call();
    assert_refused(&stage.fail(&call)[0].1, "keys_unavailable");
    assert!(matches!(stage.request(2, &Request::under(&token())), Step::Wait));
    stage.wait_millis(1_000);
    let call = stage.call();
    assert_refused(&stage.fail(&call)[0].1, "keys_unavailable");
}

#[test]
fn inline_keys_stand_behind_a_source_that_is_down() {
    let mut issuer = fetching_config()["issuers"][0].clone();
    issuer["jwks"]["inline"] = json!({"keys": [Key::new(1).jwk()]});
    let mut stage = Stage::new(&with(fetching_config(), json!({"issuers": [issuer]})));
    let call = stage.call();
    stage.fail(&call);
    assert_permitted(&stage.request(1, &Request::under(&token())));
}

#[test]
fn a_request_can_wait_for_the_keys_and_then_for_the_grant() {
    let config = with(fetching_config(), json!({"revocation": asking_config()["revocation"]}));
    let mut stage = Stage::new(&config);
    assert!(matches!(stage.request(1, &Request::under(&token())), Step::Wait));
    let keys = stage.call();
    let steps = stage.answer(&keys, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert!(matches!(steps[0].1, Step::Wait));
    let standing = stage.call();
    assert_permitted(&stage.answer(&standing, 200, &json!({"active": true}))[0].1);
}

#[test]
fn what_happened_is_counted() {
    let (mut stage, call) = waiting(&asking_config());
    stage.answer(&call, 200, &json!({"active": true}));
    let _ = stage.request(2, &Request::under("x"));
    let _ = stage.request(3, &Request::new("GET", "/"));
    let _ = stage.request(4, &Request::new("GET", "/"));
    let counters: Vec<_> = stage.tick().counters;
    assert_eq!(
        counters,
        [
            ("breakglass.decision.allow.reason.permit".into(), 1),
            ("breakglass.decision.deny.reason.token_malformed".into(), 1),
            ("breakglass.decision.pass.reason.no_token".into(), 2),
            ("breakglass.scope_decision.allow.scope.orders%3Aread".into(), 1),
            ("breakglass.introspection.result.ok".into(), 1),
        ]
    );
    assert!(stage.tick().counters.is_empty());
}

#[test]
fn a_clock_that_is_set_back_does_not_keep_keys_from_being_fetched() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    let rotated = Key::new(2).sign(&claims());
    assert!(matches!(stage.request(1, &Request::under(&rotated)), Step::Wait));
    stage.now = Instant::from_millis(stage.now.as_millis() - 3_600_000);
    let call = stage.call();
    let steps = stage.answer(&call, 200, &json!({"keys": [Key::new(2).jwk()]}));
    assert_eq!(steps.len(), 1);
}
