//! What a person should hear of now: which decision causes which alert, what it says, and what it never says; and that it
//! is reported within a moment, whatever becomes of the reports.

use std::rc::Rc;

use breakglass_core::calls::{Answer, Call};
use breakglass_core::step::Step;
use breakglass_core::worker::{IDLE_TICK, SOON, TICK};
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Shelf, Stage, alerting, asking_config, assert_permitted, assert_refused,
    claims, config, feeding_config, fetching_config, parse, test, with,
};

fn is_alerts(call: &Call) -> bool {
    call.headers.contains(&(":path", "/v1/alerts".to_owned()))
}

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

fn arrives(stage: &mut Stage, call: &Call) {
    stage.answer(call, 200, &json!({"accepted": 1, "dropped": 0}));
}

/// The report that the next tick makes, if it does.
fn report(stage: &mut Stage) -> Option<Call> {
    stage.tick().calls.into_iter().find(is_alerts)
}

/// The alerts that the next tick reports, which arrive.
fn alerts(stage: &mut Stage) -> Vec<Value> {
    let Some(call) = report(stage) else { return Vec::new() };
    arrives(stage, &call);
    body(&call)["alerts"].as_array().unwrap().clone()
}

/// The one alert that the next tick reports.
#[track_caller]
fn alert(stage: &mut Stage) -> Value {
    let alerts = alerts(stage);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    alerts.into_iter().next().unwrap()
}

fn kinds(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["kind"].as_str().unwrap()).collect()
}

fn token(changes: Value) -> String {
    Key::new(1).sign(&with(claims(), changes))
}

fn under(changes: Value) -> Request {
    Request::under(&token(changes))
}

/// A stage whose worker has told of the first use of `grant-1`, a second ago.
fn used(config: &Value) -> Stage {
    let mut stage = Stage::new(config);
    assert_permitted(&stage.request(1, &under(json!({}))));
    assert_eq!(kinds(&alerts(&mut stage)), ["first_use"]);
    stage.logged(1).unwrap();
    stage.wait_millis(1000);
    stage
}

#[test]
fn the_first_use_of_a_grant_is_told_once_with_all_that_is_known_of_it() {
    let mut stage = Stage::new(&alerting(config()));
    let mut request =
        Request::new("GET", "/v1/orders?customer=7").header("x-breakglass-token", token(json!({})));
    request.route = Some("orders");
    assert_permitted(&stage.request(1, &request));
    let call = report(&mut stage).unwrap();
    assert!(call.headers.contains(&(":method", "POST".to_owned())), "{call:?}");
    assert_eq!((call.cluster.as_str(), call.timeout.as_secs()), ("approvals", 2));
    let at = "2027-01-15T08:00:00.000Z";
    let mut said = body(&call);
    let id = said.as_object_mut().unwrap().remove("report").unwrap();
    assert_eq!((id["number"].as_u64(), id["sender"].as_str().unwrap().len()), (Some(1), 32));
    assert_eq!(
        said,
        json!({"node": "edge-1", "dropped": 0, "alerts": [{
            "kind": "first_use", "first": at, "last": at, "count": 1, "grant": "grant-1",
            "issuer": "https://issuer.example", "subject": "alice", "audience": "payments-prod",
            "incident": "INC-1", "emergency": false, "scope": "orders:read", "rule": "/v1/orders",
            "reason": "permit_unverified", "method": "GET", "host": "orders.internal",
            "path": "/v1/orders", "route": "orders", "source_ip": "192.0.2.7",
            "request_id": "request-1"}]})
    );
    arrives(&mut stage, &call);
    for stream in 2..10 {
        stage.wait_millis(30_000);
        assert_permitted(&stage.request(stream, &under(json!({}))));
        assert_eq!(alerts(&mut stage), [json!(null); 0]);
    }
    assert_permitted(&stage.request(10, &under(json!({"jti": "grant-2"}))));
    assert_eq!(alert(&mut stage)["grant"], "grant-2");
}

#[test]
fn the_use_of_an_emergencys_grant_is_told_as_that() {
    for breakglass in [
        json!({"reason": "fire", "approvers": [], "emergency": true}),
        json!({"reason": "fire", "approvers": [], "basis": "emergency"}),
    ] {
        let mut stage = Stage::new(&alerting(config()));
        assert_permitted(&stage.request(1, &under(json!({"breakglass": breakglass}))));
        let alert = alert(&mut stage);
        assert_eq!((&alert["kind"], &alert["emergency"]), (&json!("emergency_used"), &json!(true)));
    }
}

#[test]
fn a_report_carries_the_credential_and_names_the_process() {
    let credential =
        json!({"on_unavailable": "allow", "credential": {"env": "BREAKGLASS_PROXY_TOKEN"}});
    let mut stage = Stage::new(&alerting(with(config(), json!({"revocation": credential}))));
    let _ = stage.request(1, &under(json!({})));
    let call = report(&mut stage).unwrap();
    assert!(call.headers.contains(&("authorization", "Bearer proxy-secret".to_owned())));
    assert_eq!(body(&call)["process"].as_str().unwrap().len(), 32);
    assert!(!String::from_utf8(call.body).unwrap().contains("proxy-secret"));
}

#[test]
fn each_refusal_of_a_holder_is_an_alert_of_its_kind() {
    let changed = |changes: Value| alerting(with(config(), changes));
    let required = |require: Value| {
        let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
            "require": require});
        changed(json!({ "scopes": [scope] }))
    };
    let plain = || under(json!({}));
    let post = || Request::new("POST", "/v1/orders").header("x-breakglass-token", token(json!({})));
    let odd = || Request::new("GET", "/v1/../admin").header("x-breakglass-token", token(json!({})));
    for (config, request, reason, kind) in [
        (changed(json!({})), post(), "out_of_scope", "out_of_scope"),
        (changed(json!({})), odd(), "ambiguous_path", "out_of_scope"),
        (changed(json!({"ceiling": [{"paths": ["/v1/orders"]}]})), plain(), "ceiling", "ceiling"),
        (required(json!({"roles": ["oncall"]})), plain(), "role_missing", "out_of_scope"),
        (required(json!({"approvals": 2})), plain(), "approvals_missing", "out_of_scope"),
        (required(json!({"amr": ["mfa"]})), plain(), "step_up_required", "step_up_missing"),
        (
            required(json!({"sender_constrained": true})),
            plain(),
            "sender_mismatch",
            "sender_mismatch",
        ),
        (
            required(json!({"source_cidrs": ["10.0.0.0/8"]})),
            plain(),
            "source_not_allowed",
            "sender_mismatch",
        ),
        (changed(json!({})), under(json!({"exp": NOW - 10})), "token_expired", "void_token"),
    ] {
        let mut stage = Stage::new(&config);
        assert_refused(&stage.request(1, &request), reason);
        let alert = alert(&mut stage);
        assert_eq!((&alert["kind"], &alert["reason"]), (&json!(kind), &json!(reason)));
        assert_eq!((&alert["grant"], &alert["subject"]), (&json!("grant-1"), &json!("alice")));
        assert_eq!((&alert["unverified"], &alert["detail"]), (&Value::Null, &Value::Null));
        // In shadow mode it goes on, and is told all the same.
        let mut stage = Stage::new(&with(config, json!({"enforcement": "shadow"})));
        assert!(matches!(stage.request(1, &request), Step::Pass(_)));
        let shadow = self::alert(&mut stage);
        assert_eq!((&shadow["kind"], &shadow["reason"]), (&json!(kind), &json!(reason)));
        assert_eq!(shadow["detail"], "shadow mode: the request went on");
    }
}

#[test]
fn what_is_no_policy_violation_is_no_alert() {
    let changes = json!({"protected": [{"paths": ["/admin/**"]}]});
    let mut stage = Stage::new(&alerting(with(config(), changes)));
    let early = token(json!({"iat": NOW + 600, "exp": NOW + 700}));
    for (request, reason) in [
        (Request::new("GET", "/admin/x"), "token_missing"),
        (Request::under("x"), "token_malformed"),
        (Request::under(&token(json!({"aud": "other"}))), "audience_mismatch"),
        (Request::under(&token(json!({"exp": NOW + 9_999}))), "lifetime_exceeded"),
        (Request::under(&early), "token_not_yet_valid"),
    ] {
        assert_refused(&stage.request(1, &request), reason);
        stage.logged(1).unwrap();
        assert_eq!(alerts(&mut stage), [json!(null); 0], "{reason}");
        assert!(stage.worker.period(stage.now) > SOON);
    }
}

#[test]
fn without_a_place_for_them_there_are_none() {
    let mut stage = Stage::new(&config());
    assert_permitted(&stage.request(1, &under(json!({}))));
    assert_refused(&stage.request(2, &under(json!({"scope": "orders:write"}))), "out_of_scope");
    assert_eq!(stage.worker.period(stage.now), TICK);
    assert!(stage.tick().calls.is_empty());
    stage.logged(1).unwrap();
    stage.logged(2).unwrap();
    assert!(stage.end());
}

#[test]
fn the_same_again_within_a_minute_is_counted_and_told_when_that_is_over() {
    let mut stage = used(&alerting(config()));
    let outside =
        |path: &str| Request::new("GET", path).header("x-breakglass-token", token(json!({})));
    for number in 0..50 {
        assert_refused(&stage.request(2, &outside(&format!("/v2/{number}"))), "out_of_scope");
    }
    let first = alert(&mut stage);
    assert_eq!((&first["count"], &first["path"]), (&json!(50), &json!("/v2/0")));
    for number in 0..7 {
        stage.wait_millis(5000);
        assert_refused(&stage.request(2, &outside(&format!("/v3/{number}"))), "out_of_scope");
        assert_eq!(alerts(&mut stage), [json!(null); 0]);
    }
    // Another kind, and another grant, are told at once.
    assert_refused(&stage.request(3, &under(json!({"exp": NOW - 10}))), "token_expired");
    let other =
        Request::new("GET", "/v2").header("x-breakglass-token", token(json!({"jti": "g2"})));
    assert_refused(&stage.request(4, &other), "out_of_scope");
    assert_eq!(kinds(&alerts(&mut stage)), ["void_token", "out_of_scope"]);
    (2..=4).for_each(|stream| drop(stage.logged(stream)));
    // Nothing else happens: the tick comes by itself when the minute is over.
    let wait = stage.worker.period(stage.now);
    assert!(TICK < wait && wait <= IDLE_TICK, "{wait:?}");
    stage.wait_millis(24_999);
    assert_eq!(alerts(&mut stage), [json!(null); 0]);
    stage.wait_millis(1);
    assert_eq!(stage.worker.period(stage.now), SOON);
    let again = alert(&mut stage);
    assert_eq!((&again["count"], &again["path"]), (&json!(7), &json!("/v3/0")));
    assert!(again["first"].as_str() < again["last"].as_str());
    let counters: std::collections::HashMap<_, _> = stage.tick().counters.into_iter().collect();
    assert_eq!(counters.get("breakglass.alerts.result.suppressed"), Some(&6));
}

#[test]
fn forged_tokens_are_told_above_a_rate_with_nothing_of_them_but_key_and_issuer() {
    let forged = |number: u64| {
        let claims = with(claims(), json!({"jti": format!("secret-{number}"), "sub": "mallory"}));
        let mut token = Key::new(1).sign(&claims);
        token.truncate(token.len() - 8);
        Request::under(&(token + "AAAAAAAA"))
    };
    let unknown = |_| Request::under(&Key::new(9).sign(&claims()));
    let made: [(&dyn Fn(u64) -> Request, _, _, _); 2] = [
        (&forged, "signature_invalid", "signature_failures", "key-1"),
        (&unknown, "key_unknown", "unknown_keys", "key-9"),
    ];
    for (request, reason, kind, kid) in made {
        let mut stage = Stage::new(&alerting(config()));
        for number in 0..20 {
            assert_refused(&stage.request(1, &request(number)), reason);
            assert_eq!(alerts(&mut stage), [json!(null); 0]);
        }
        stage.wait_millis(2000);
        for number in 20..30 {
            assert_refused(&stage.request(1, &request(number)), reason);
        }
        let mut told = alert(&mut stage);
        for time in ["first", "last"] {
            told.as_object_mut().unwrap().remove(time).unwrap();
        }
        assert_eq!(
            told,
            json!({"kind": kind, "count": 30, "reason": reason, "source_ip": "192.0.2.7",
                "unverified": {"kid": kid, "issuer": "https://issuer.example"}})
        );
        // Those that follow in the minute, and then none.
        stage.wait_millis(20_000);
        for number in 0..5 {
            let _ = stage.request(1, &request(number));
        }
        stage.wait_millis(40_000);
        assert_eq!(alert(&mut stage)["count"], 5);
        let _ = stage.request(1, &request(0));
        stage.wait_millis(60_000);
        assert_eq!(alerts(&mut stage), [json!(null); 0]);
    }
}

#[test]
fn long_and_hostile_texts_are_cut_and_escaped() {
    let mut stage = Stage::new(&alerting(config()));
    let path = format!("/{}\u{202e}\"\\<!channel>\u{1b}[31m", "\u{1}é".repeat(2000));
    let request = Request::new("GET", &path)
        .replace("x-request-id", &"r".repeat(5000))
        .header("x-breakglass-token", token(json!({"sub": "s".repeat(256)})));
    let _ = stage.request(1, &request);
    let call = report(&mut stage).unwrap();
    assert!(call.body.len() < 64 * 1024);
    let alert = body(&call)["alerts"][0].clone();
    assert_eq!(alert["path"].as_str().unwrap().len(), 1024);
    assert_eq!(alert["request_id"].as_str().unwrap().len(), 256);
    assert_eq!(alert["subject"].as_str().unwrap().len(), 256);
}

/// A stage whose feed has answered, and the poll that hangs.
fn fed(config: &Value) -> (Stage, Call) {
    let mut stage = Stage::new(config);
    let call = stage.call();
    stage.answer(&call, 200, &json!({"epoch": 7, "revoked": [], "reset": true}));
    stage.wait_millis(50);
    let call = stage.call();
    (stage, call)
}

#[test]
fn a_cut_is_told_and_the_revoked_token_that_is_tried_after_it() {
    let (mut stage, call) = fed(&alerting(feeding_config()));
    assert_permitted(&stage.request(1, &under(json!({}))));
    assert_eq!(kinds(&alerts(&mut stage)), ["first_use"]);
    stage.wait_millis(500);
    let revoked = json!([{"jti": "grant-1", "exp": NOW + 800}]);
    let steps = stage.answer(&call, 200, &json!({"epoch": 8, "revoked": revoked, "reset": false}));
    assert_eq!(steps.len(), 1);
    assert_refused(&stage.request(2, &under(json!({}))), "revoked");
    let alerts = alerts(&mut stage);
    assert_eq!(kinds(&alerts), ["cut", "void_token"]);
    assert!(alerts.iter().all(|alert| alert["reason"] == "revoked"), "{alerts:?}");
}

#[test]
fn the_end_of_a_grants_own_time_is_no_alert() {
    let mut stage = used(&alerting(config()));
    assert_permitted(&stage.request(2, &under(json!({}))));
    stage.wait_millis(900_000);
    assert_refused(&stage.ended().remove(0).1, "token_expired");
    assert_eq!(alerts(&mut stage), [json!(null); 0]);
}

#[test]
fn what_a_new_configuration_ends_is_told() {
    let (mut stage, _call) = fed(&alerting(feeding_config()));
    assert_permitted(&stage.request(1, &under(json!({}))));
    assert_eq!(kinds(&alerts(&mut stage)), ["first_use"]);
    let mut next = feeding_config();
    next["scopes"].as_array_mut().unwrap().remove(0);
    assert_eq!(stage.worker.supersede(Rc::new(parse(&next).unwrap()), stage.now).len(), 1);
    stage.wait_millis(250);
    let alert = alert(&mut stage);
    assert_eq!((&alert["kind"], &alert["reason"]), (&json!("cut"), &json!("scope_withdrawn")));
}

#[test]
fn another_route_is_told_by_the_response_and_by_the_log() {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "routes": ["orders"]});
    let config = alerting(with(config(), json!({ "scopes": [scope] })));
    let on = |route| {
        let mut request = under(json!({}));
        request.route = route;
        request
    };
    for (mode, logged) in
        [("enforce", false), ("enforce", true), ("shadow", false), ("shadow", true)]
    {
        let mut stage = Stage::new(&with(config.clone(), json!({"enforcement": mode})));
        assert_permitted(&stage.request(1, &on(Some("orders"))));
        assert_eq!(kinds(&alerts(&mut stage)), ["first_use"]);
        match logged {
            true => stage.worker.log_begins(1, &on(Some("v2"))),
            false => drop(stage.worker.response_begins(1, &on(Some("v2")), stage.now)),
        }
        stage.logged(1).unwrap();
        stage.wait_millis(250);
        let alert = alert(&mut stage);
        assert_eq!(alert["kind"], "route_changed", "{mode} {logged}");
        assert_eq!(alert["detail"], "the route that was used: v2");
    }
}

#[test]
fn a_decision_that_nothing_confirms_is_told_where_something_should() {
    let mut config = asking_config();
    config["revocation"]["on_unavailable"] = json!("allow");
    let mut stage = Stage::new(&alerting(config));
    assert!(matches!(stage.request(1, &under(json!({}))), Step::Wait));
    let call = stage.call();
    assert_permitted(&stage.fail(&call)[0].1);
    let alerts = alerts(&mut stage);
    assert_eq!(kinds(&alerts), ["first_use", "degraded_decision"]);
    assert_eq!(alerts[1]["reason"], "permit_unverified");
}

#[test]
fn the_filter_twice_in_a_chain_is_told_with_the_listener() {
    let mut stage = Stage::new(&alerting(config()));
    let mut request = under(json!({}));
    request.state.insert("record", b"{}".to_vec());
    request.state.insert("decision", b"allow".to_vec());
    for _ in 0..3 {
        assert!(matches!(stage.request(1, &request), Step::RefuseUnrecorded(_)));
    }
    // It holds no stream: the next tick is brought forward all the same.
    assert_eq!(stage.worker.period(stage.now), SOON);
    let alert = alert(&mut stage);
    assert_eq!((&alert["kind"], &alert["count"]), (&json!("configured_twice"), &json!(3)));
    let detail = alert["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("listener 127.0.0.1:10000: without revocation.credential"),
        "{detail}"
    );
}

#[test]
fn a_vm_that_takes_the_place_of_another_one_is_told() {
    let config = alerting(config());
    let board: Rc<Shelf> = Rc::default();
    let mut first = Stage::beside(&config, 1, &board);
    assert_eq!(alerts(&mut first), [json!(null); 0]);
    let begins = |number, millis| {
        let mut stage = Stage::beside(&config, number, &board);
        stage.wait_millis(millis);
        alerts(&mut stage)
    };
    assert_eq!(begins(2, 60_000), [json!(null); 0], "the VM of another thread");
    let told = begins(3, 90_000);
    assert_eq!(kinds(&told), ["chain_restarted"]);
    assert!(told[0]["detail"].as_str().unwrap().contains("2027-01-15T08:00:00.000Z"), "{told:?}");
    // Where one has ended as it should, the configuration was replaced: others may come later.
    assert!(first.end());
    assert_eq!(begins(4, 120_000), [json!(null); 0]);
}

/// Time passes, tick by tick: the alerts that are told, while other calls are answered so.
fn passes(stage: &mut Stage, seconds: u64, answer: impl Fn(&mut Stage, &Call)) -> Vec<Value> {
    let mut told = Vec::new();
    for _ in 0..seconds.saturating_mul(2) {
        for call in stage.tick().calls {
            if is_alerts(&call) {
                arrives(stage, &call);
                told.extend(body(&call)["alerts"].as_array().unwrap().clone());
            } else {
                answer(stage, &call);
            }
        }
        stage.wait_millis(500);
    }
    told
}

#[test]
fn a_feed_that_is_too_old_is_told_once_and_that_it_is_over() {
    let fails = |stage: &mut Stage, call: &Call| drop(stage.fail(call));
    let answers = |stage: &mut Stage, call: &Call| {
        stage.answer(call, 200, &json!({"epoch": 9, "revoked": [], "reset": true}));
    };
    let (mut stage, call) = fed(&alerting(feeding_config()));
    stage.fail(&call);
    assert_eq!(passes(&mut stage, 9, fails), [json!(null); 0]);
    let told = passes(&mut stage, 11, fails);
    assert_eq!(kinds(&told), ["feed_trouble"]);
    assert_eq!((&told[0]["over"], &told[0]["count"]), (&json!(false), &json!(1)));
    let detail = told[0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("what is known of revocations is 10"), "{detail}");
    // That it is over is told when the minute is.
    assert_eq!(passes(&mut stage, 40, answers), [json!(null); 0]);
    let told = passes(&mut stage, 40, answers);
    assert_eq!(kinds(&told), ["feed_trouble"]);
    assert_eq!(told[0]["over"], true);
    // One that never answers is told after as long.
    let mut stage = Stage::new(&alerting(feeding_config()));
    assert_eq!(passes(&mut stage, 9, fails), [json!(null); 0]);
    assert_eq!(kinds(&passes(&mut stage, 100, fails)), ["feed_trouble"]);
}

#[test]
fn of_the_vms_that_share_one_poll_one_tells() {
    let board: Rc<Shelf> = Rc::default();
    let config = alerting(feeding_config());
    let mut stages = [1, 2, 3].map(|number| Stage::beside(&config, number, &board));
    let mut told = Vec::new();
    for _ in 0..40 {
        for stage in &mut stages {
            told.extend(passes(stage, 1, |stage, call| drop(stage.fail(call))));
        }
    }
    assert_eq!(kinds(&told), ["feed_trouble"]);
}

#[test]
fn keys_that_cannot_be_fetched_are_told_with_their_issuer() {
    let mut stage = Stage::new(&alerting(fetching_config()));
    let told = passes(&mut stage, 60, |stage, call| drop(stage.fail(call)));
    assert_eq!((kinds(&told), &told[0]["over"]), (vec!["key_trouble"], &json!(false)));
    assert_eq!(told[0]["issuer"], "https://issuer.example");
    let keys = json!({"keys": [Key::new(1).jwk()]});
    let told = passes(&mut stage, 120, |stage, call| drop(stage.answer(call, 200, &keys)));
    assert_eq!((kinds(&told), &told[0]["over"]), (vec!["key_trouble"], &json!(true)));
}

#[test]
fn reports_are_a_quarter_of_a_second_apart_and_one_at_a_time() {
    let mut stage = Stage::new(&alerting(config()));
    let request = |stage: &mut Stage, number: u32| {
        let _ = stage.request(number, &under(json!({"jti": format!("g{number}")})));
    };
    request(&mut stage, 1);
    assert_eq!(stage.worker.period(stage.now), SOON);
    let call = report(&mut stage).unwrap();
    request(&mut stage, 2);
    stage.wait_millis(10);
    assert!(report(&mut stage).is_none(), "one is under way");
    arrives(&mut stage, &call);
    assert_eq!(stage.worker.period(stage.now), TICK);
    stage.wait_millis(239);
    assert!(report(&mut stage).is_none());
    stage.wait_millis(1);
    assert_eq!(body(&report(&mut stage).unwrap())["alerts"][0]["grant"], "g2");
}

#[test]
fn whatever_becomes_of_a_report_it_is_made_again_until_it_has_arrived() {
    let mut stage = Stage::new(&alerting(config()));
    let _ = stage.request(1, &under(json!({})));
    let answers: [(u16, &[u8]); 7] = [
        (500, b""),
        (401, br#"{"reason":"proxies_only"}"#),
        (404, b"{}"),
        (200, b"<html>"),
        (200, b"{}"),
        (503, b"upstream connect error"),
        (429, br#"{"accepted":1,"dropped":0}"#),
    ];
    let mut warnings = Vec::new();
    let mut waited = Vec::new();
    for (status, text) in answers {
        let mut millis = 0;
        let call = loop {
            let tick = stage.tick();
            warnings.extend(tick.warnings);
            match tick.calls.into_iter().next() {
                Some(call) => break call,
                None => stage.wait_millis(25),
            }
            millis += 25;
        };
        waited.push(millis);
        assert_eq!(body(&call)["alerts"][0]["count"], 1);
        stage.worker.answer(call.id, &Answer::Response { status, body: text }, stage.now);
        // It does not hold up a request.
        assert_permitted(&stage.request(1, &under(json!({}))));
    }
    assert!(
        waited.last() > Some(&4_000) && waited.iter().all(|millis| *millis <= 32_000),
        "{waited:?}"
    );
    assert!(warnings[0].contains("the reports of alerts (cluster approvals"), "{warnings:?}");
    stage.wait_millis(60_000);
    assert_eq!(alerts(&mut stage).len(), 1);
    stage.wait_millis(60_000);
    assert_eq!(alerts(&mut stage), [json!(null); 0]);
}

#[test]
fn a_worker_at_its_end_stays_until_its_alerts_have_arrived() {
    let mut stage = used(&alerting(config()));
    let outside = Request::new("POST", "/v1/orders").header("x-breakglass-token", token(json!({})));
    for _ in 0..2 {
        assert_refused(&stage.request(1, &outside), "out_of_scope");
        stage.logged(1).unwrap();
        if kinds(&alerts(&mut stage)).is_empty() {
            break;
        }
        stage.wait_millis(300);
    }
    assert!(!stage.end());
    let call = report(&mut stage).unwrap();
    assert_eq!(body(&call)["alerts"][0]["count"], 1);
    assert!(!stage.worker.is_over(stage.now));
    arrives(&mut stage, &call);
    assert!(stage.worker.is_over(stage.now));
}
