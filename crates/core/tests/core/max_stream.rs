//! How long one stream may run: the sooner of its token's end and its scope's bound, and what a new configuration
//! makes of it.

use std::rc::Rc;

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, asking_config, assert_permitted, assert_refused, claims, config,
    parse, test, with,
};

/// A configuration whose scopes `orders:read` and `orders:all` both cover `GET /v1/orders`.
fn bounded(base: Value, read: Option<&str>, all: Option<&str>) -> Value {
    let scope = |name: &str, bound: Option<&str>| {
        let scope = json!({"name": name, "methods": ["GET"], "paths": ["/v1/orders"]});
        bound.map_or(scope.clone(), |bound| with(scope, json!({"max_stream": bound})))
    };
    with(base, json!({"scopes": [scope("orders:read", read), scope("orders:all", all)]}))
}

fn under(changes: Value) -> Request {
    Request::under(&Key::new(1).sign(&with(claims(), changes)))
}

/// The milliseconds after which Envoy is to end the stream.
fn backstop(step: &Step) -> u64 {
    let Step::Permit(permit) = step else { panic!("{step:?}") };
    let mut set = permit.set().iter();
    let found = set.find(|(name, _)| *name == "x-envoy-upstream-stream-duration-ms");
    found.unwrap().1.parse().unwrap()
}

fn one(steps: Vec<(u32, Step)>) -> Step {
    assert_eq!(steps.len(), 1, "{steps:?}");
    steps.into_iter().next().unwrap().1
}

#[test]
fn the_sooner_of_the_two_ends_a_stream_and_is_named() {
    // The token is void 805 s after NOW: `exp` and `clock_skew`.
    for (bound, token, ends_ms, reason) in [
        (Some("2s"), NOW + 800, 2_000, "max_stream"),
        (Some("1h"), NOW + 800, 805_000, "token_expired"),
        (None, NOW + 800, 805_000, "token_expired"),
        (Some("805s"), NOW + 800, 805_000, "token_expired"),
        (Some("804999ms"), NOW + 800, 804_999, "max_stream"),
        (Some("1ms"), NOW + 800, 1, "max_stream"),
    ] {
        let mut stage = Stage::new(&bounded(config(), bound, None));
        let step = stage.request(1, &under(json!({"exp": token})));
        assert_eq!(backstop(&step), ends_ms + 150, "{bound:?}");
        stage.wait_millis(ends_ms - 1);
        assert!(stage.ended().is_empty(), "{bound:?}");
        stage.wait_millis(1);
        let step = one(stage.ended());
        assert_refused(&step, reason);
        let record = stage.logged(1).unwrap();
        assert_eq!((&record["decision"], &record["reason"]), (&json!("cut"), &json!(reason)));
        assert_eq!(record["scope"], "orders:read");
        assert!(stage.ended().is_empty(), "once");
    }
}

#[test]
fn the_answer_says_what_has_ended_and_is_nothing_to_repeat() {
    let mut stage = Stage::new(&bounded(config(), Some("2s"), None));
    assert_permitted(&stage.request(1, &under(json!({}))));
    stage.wait_millis(2_000);
    let tick = stage.tick();
    let Step::Refuse(refusal, _) = one(tick.steps) else { panic!("a refusal") };
    assert_eq!((refusal.reason.status(), refusal.grpc_status), (403, 7));
    assert!(refusal.headers.iter().all(|(name, _)| *name != "www-authenticate"));
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`max_stream`") && detail.contains("look before"), "{detail}");
    assert!(tick.counters.contains(&("breakglass.decision.cut.reason.max_stream".into(), 1)));
}

#[test]
fn the_scope_that_was_judged_by_bounds_and_no_other_of_the_token() {
    let config = bounded(config(), Some("2s"), Some("1m"));
    for (scopes, scope, ends_ms) in [
        ("orders:read orders:all", "orders:read", 2_000),
        ("orders:all orders:read", "orders:all", 60_000),
        ("orders:all", "orders:all", 60_000),
    ] {
        let mut stage = Stage::new(&config);
        let step = stage.request(1, &under(json!({ "scope": scopes })));
        assert_eq!(backstop(&step), ends_ms + 150, "{scopes}");
        stage.wait_millis(ends_ms);
        assert_refused(&one(stage.ended()), "max_stream");
        assert_eq!(stage.logged(1).unwrap()["scope"], scope);
    }
}

#[test]
fn what_waits_has_its_whole_time_from_its_permit_on() {
    let mut stage = Stage::new(&bounded(asking_config(), Some("2s"), None));
    assert!(matches!(stage.request(1, &under(json!({}))), Step::Wait));
    let call = stage.call();
    stage.wait_millis(400);
    let step = one(stage.answer(&call, 200, &json!({"active": true})));
    assert_eq!(backstop(&step), 2_150);
    stage.wait_millis(1_999);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    assert_refused(&one(stage.ended()), "max_stream");
}

fn supersede(stage: &mut Stage, next: &Value) -> Vec<(u32, Step)> {
    stage.worker.supersede(Rc::new(parse(next).unwrap()), stage.now)
}

#[test]
fn a_new_configuration_shortens_what_runs_and_never_prolongs_it() {
    for (old, new, ends_ms, reason) in [
        (Some("1m"), Some("5s"), 5_000, "max_stream"),
        (None, Some("5s"), 5_000, "max_stream"),
        (Some("5s"), Some("1m"), 5_000, "max_stream"),
        (Some("5s"), None, 5_000, "max_stream"),
        (None, Some("1h"), 805_000, "token_expired"),
    ] {
        let mut stage = Stage::new(&bounded(config(), old, None));
        assert_permitted(&stage.request(1, &under(json!({}))));
        stage.wait_millis(1_000);
        assert!(supersede(&mut stage, &bounded(config(), new, None)).is_empty());
        // From the permit on, not from the change on.
        stage.wait_millis(ends_ms - 1_001);
        assert!(stage.ended().is_empty(), "{old:?} {new:?}");
        stage.wait_millis(1);
        assert_refused(&one(stage.ended()), reason);
        assert!(stage.ended().is_empty(), "once");
    }
}

#[test]
fn what_has_run_for_longer_than_a_new_bound_ends_at_once() {
    let mut stage = Stage::new(&bounded(config(), None, None));
    assert_permitted(&stage.request(1, &under(json!({}))));
    stage.wait_millis(10_000);
    assert!(supersede(&mut stage, &bounded(config(), Some("5s"), None)).is_empty());
    assert_refused(&one(stage.ended()), "max_stream");
}

#[test]
fn what_still_comes_under_an_old_configuration_is_bounded_by_both() {
    for (old, new) in [(Some("1m"), Some("5s")), (Some("5s"), Some("1m")), (None, Some("5s"))] {
        let mut stage = Stage::new(&bounded(config(), old, None));
        supersede(&mut stage, &bounded(config(), new, None));
        let step = stage.request(1, &under(json!({})));
        assert_eq!(backstop(&step), 5_150, "{old:?} {new:?}");
        stage.wait_millis(5_000);
        assert_refused(&one(stage.ended()), "max_stream");
    }
}

#[test]
fn what_is_let_finish_ends_by_the_sooner_bound() {
    let finishing = |bound: &str| {
        let mut config = bounded(config(), Some(bound), None);
        config["scopes"][0]["cut"] = json!("finish");
        config["scopes"][0]["drain"] = json!("3s");
        config
    };
    for (bound, ends_ms, reason) in [("2s", 2_000, "max_stream"), ("1m", 3_000, "scope_withdrawn")]
    {
        let mut stage = Stage::new(&finishing(bound));
        assert_permitted(&stage.request(1, &under(json!({}))));
        let mut next = bounded(config(), None, None);
        next["scopes"][0]["methods"] = json!(["HEAD"]);
        assert!(supersede(&mut stage, &next).is_empty());
        stage.wait_millis(ends_ms - 1);
        assert!(stage.ended().is_empty(), "{bound}");
        stage.wait_millis(1);
        assert_refused(&one(stage.ended()), reason);
    }
}

#[test]
fn in_shadow_mode_the_header_bounds_and_the_filter_cuts_nothing() {
    let shadow = with(bounded(config(), Some("2s"), None), json!({"enforcement": "shadow"}));
    let mut stage = Stage::new(&shadow);
    assert_eq!(backstop(&stage.request(1, &under(json!({})))), 2_150);
    stage.wait_millis(3_000);
    assert!(stage.ended().is_empty());
    assert_eq!(stage.logged(1).unwrap()["decision"], "allow");
}

#[test]
fn it_is_a_duration_above_zero() {
    for wrong in [json!("0s"), json!(2), json!("2"), json!(""), json!("-1s")] {
        let mut config = bounded(config(), Some("2s"), None);
        config["scopes"][0]["max_stream"] = wrong.clone();
        let errors = parse(&config).unwrap_err();
        assert_eq!(errors.len(), 1, "{wrong}: {errors:?}");
        assert!(errors[0].to_string().contains("scopes[0].max_stream"), "{}", errors[0]);
    }
}
