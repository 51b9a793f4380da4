//! What runs ends: at once, or after it was let finish; also when a new configuration withdraws it.

use std::rc::Rc;

use breakglass_core::calls::Call;
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, asking_config, assert_permitted, assert_refused, claims,
    feeding_config, parse, test, with,
};

fn request(jti: &str) -> Request {
    Request::under(&Key::new(1).sign(&with(claims(), json!({"jti": jti}))))
}

/// A configuration whose scope lets running requests finish.
fn finishing_config(drain: &str) -> Value {
    let mut config = feeding_config();
    config["scopes"][0]["cut"] = json!("finish");
    config["scopes"][0]["drain"] = json!(drain);
    config
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

fn revoke(stage: &mut Stage, call: &Call, jti: &str) -> Vec<(u32, Step)> {
    let revoked = json!([{"jti": jti, "exp": NOW + 800}]);
    stage.answer(call, 200, &json!({"epoch": 8, "revoked": revoked, "reset": false}))
}

fn one(steps: Vec<(u32, Step)>) -> Step {
    assert_eq!(steps.len(), 1, "{steps:?}");
    steps.into_iter().next().unwrap().1
}

/// Takes a scope out of the configuration that a worker has, as an update would.
fn update(stage: &mut Stage, change: impl FnOnce(&mut Value)) -> Vec<(u32, Step)> {
    let mut next = feeding_config();
    change(&mut next);
    stage.worker.supersede(Rc::new(parse(&next).unwrap()), stage.now)
}

#[test]
fn what_may_finish_runs_on_for_a_bounded_time_and_nothing_new_comes() {
    let (mut stage, call) = fed(&finishing_config("2s"));
    assert_permitted(&stage.request(1, &request("grant-1")));
    stage.traffic.add_sent(100);
    assert!(revoke(&mut stage, &call, "grant-1").is_empty());
    assert_refused(&stage.request(2, &request("grant-1")), "revoked");
    stage.traffic.add_sent(20);
    stage.traffic.add_received(3);
    stage.wait_millis(1_999);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    assert_refused(&one(stage.ended()), "revoked");
    let record = stage.logged(1).unwrap();
    assert_eq!(
        (&record["decision"], &record["bytes_after_revocation"]),
        (&json!("cut"), &json!(23))
    );
    assert!(stage.ended().is_empty());
}

#[test]
fn what_finishes_in_time_was_allowed_and_its_record_says_what_passed_since() {
    let (mut stage, call) = fed(&finishing_config("2s"));
    assert_permitted(&stage.request(1, &request("grant-1")));
    revoke(&mut stage, &call, "grant-1");
    stage.traffic.add_sent(20);
    let record = stage.logged(1).unwrap();
    assert_eq!(
        (&record["decision"], &record["bytes_after_revocation"]),
        (&json!("allow"), &json!(20))
    );
    stage.wait_millis(900_000);
    assert!(stage.ended().is_empty());
}

#[test]
fn what_may_finish_does_not_outlive_its_token() {
    let (mut stage, call) = fed(&finishing_config("10m"));
    let short = Key::new(1).sign(&with(claims(), json!({"exp": NOW + 8})));
    assert_permitted(&stage.request(1, &Request::under(&short)));
    assert!(revoke(&mut stage, &call, "grant-1").is_empty());
    stage.wait_millis(12_949);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    assert_refused(&one(stage.ended()), "token_expired");
}

#[test]
fn what_is_cut_at_once_says_that_nothing_passed_since() {
    let (mut stage, call) = fed(&feeding_config());
    assert_permitted(&stage.request(1, &request("grant-1")));
    stage.traffic.add_sent(100);
    assert_refused(&one(revoke(&mut stage, &call, "grant-1")), "revoked");
    assert_eq!(stage.logged(1).unwrap()["bytes_after_revocation"], 0);
}

#[test]
fn a_new_configuration_ends_what_it_does_not_cover() {
    let changes: [fn(&mut Value); 4] = [
        |next| drop(next["scopes"].as_array_mut().unwrap().remove(0)),
        |next| next["scopes"][0]["paths"] = json!(["/v2/orders"]),
        |next| next["scopes"][0]["require"] = json!({"roles": ["oncall"]}),
        |next| next["ceiling"] = json!([{"paths": ["/v1/**"]}]),
    ];
    for change in changes {
        let (mut stage, _call) = fed(&feeding_config());
        assert_permitted(&stage.request(1, &request("grant-1")));
        assert_refused(&one(update(&mut stage, change)), "scope_withdrawn");
        let record = stage.logged(1).unwrap();
        assert_eq!((&record["decision"], &record["scope"]), (&json!("cut"), &json!("orders:read")));
        assert_refused(&stage.request(2, &request("grant-1")), "scope_withdrawn");
    }
}

#[test]
fn a_new_configuration_leaves_what_it_covers() {
    let (mut stage, _call) = fed(&feeding_config());
    assert_permitted(&stage.request(1, &request("grant-1")));
    assert!(update(&mut stage, |next| next["clock_skew"] = json!("1s")).is_empty());
    assert_permitted(&stage.request(2, &request("grant-1")));
    assert_eq!(stage.logged(1).unwrap()["decision"], "allow");
}

#[test]
fn what_waits_while_the_configuration_changes_must_be_covered_by_both() {
    let mut stage = Stage::new(&asking_config());
    assert!(matches!(stage.request(1, &request("grant-1")), Step::Wait));
    let call = stage.call();
    update(&mut stage, |next| next["scopes"][0]["methods"] = json!(["HEAD"]));
    let step = one(stage.answer(&call, 200, &json!({"active": true})));
    assert_refused(&step, "scope_withdrawn");
}

#[test]
fn a_withdrawn_scope_is_let_finish_too() {
    let (mut stage, _call) = fed(&finishing_config("2s"));
    assert_permitted(&stage.request(1, &request("grant-1")));
    let withdraw = |next: &mut Value| next["scopes"][0]["methods"] = json!(["HEAD"]);
    assert!(update(&mut stage, withdraw).is_empty());
    stage.wait_millis(2_000);
    assert_refused(&one(stage.ended()), "scope_withdrawn");
    assert_eq!(stage.logged(1).unwrap()["bytes_after_revocation"], json!(null));
}

#[test]
fn what_waits_ends_when_its_token_does() {
    let mut patient = asking_config();
    patient["revocation"]["introspection"]["timeout"] = json!("30s");
    let mut stage = Stage::new(&patient);
    let short = Key::new(1).sign(&with(claims(), json!({"exp": NOW + 8})));
    assert!(matches!(stage.request(1, &Request::under(&short)), Step::Wait));
    let call = stage.call();
    stage.wait_millis(12_999);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    assert_refused(&one(stage.ended()), "token_expired");
    assert!(stage.answer(&call, 200, &json!({"active": true})).is_empty(), "too late");
    assert_eq!(stage.logged(1).unwrap()["decision"], "deny");
}

#[test]
fn a_revoked_token_stays_revoked_though_the_clock_was_wrong_for_a_while() {
    let (mut stage, call) = fed(&with(feeding_config(), json!({"clock_skew": "60s"})));
    revoke(&mut stage, &call, "grant-1");
    // Ten minutes ahead, past the end of the token, and back.
    stage.wait_millis(800_000 + 600_000);
    stage.tick();
    stage.now = breakglass_core::instant::Instant::from_seconds(NOW + 1);
    assert_refused(&stage.request(1, &request("grant-1")), "revoked");
}

#[test]
fn shadow_mode_lets_run_what_a_new_configuration_withdraws() {
    let (mut stage, _call) = fed(&with(feeding_config(), json!({"enforcement": "shadow"})));
    assert_permitted(&stage.request(1, &request("grant-1")));
    let withdraw = |next: &mut Value| next["scopes"][0]["methods"] = json!(["HEAD"]);
    assert!(update(&mut stage, withdraw).is_empty());
    assert_eq!(stage.logged(1).unwrap()["decision"], "allow");
}

#[test]
fn a_grant_that_was_asked_about_because_the_feed_is_stale_says_so() {
    let introspection = asking_config()["revocation"]["introspection"].clone();
    let both =
        with(feeding_config()["revocation"].clone(), json!({"introspection": introspection}));
    let (mut stage, _call) = fed(&with(feeding_config(), json!({"revocation": both})));
    stage.wait_millis(10_000);
    assert!(matches!(stage.request(1, &request("grant-1")), Step::Wait));
    let calls = stage.tick().calls;
    let call = calls.iter().find(|call| !call.body.is_empty()).unwrap();
    let steps = stage.answer(call, 200, &json!({"active": true}));
    assert_permitted(&steps[0].1);
    let record = stage.logged(1).unwrap();
    assert_eq!(record["reason"], "permit_introspected");
    assert_eq!((&record["epoch"], &record["epoch_age_ms"]), (&json!(7), &json!(10_050)));
}
