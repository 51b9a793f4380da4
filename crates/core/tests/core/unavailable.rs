//! `on_unavailable: allow` ends: `unavailable_for` after what was last known, and never begins for what nothing that is
//! known can speak for.

use std::rc::Rc;

use breakglass_core::calls::Call;
use breakglass_core::instant::Instant;
use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Shelf, Stage, asking_config, assert_permitted, assert_refused, claims,
    config, feeding_config, reason, test, with,
};

/// The default of `unavailable_for`, in milliseconds.
const COUNTS_FOR: u64 = 15 * 60 * 1000;

/// The default of `max_staleness`.
const FRESH_FOR: u64 = 10_000;

fn allowing(config: &Value) -> Value {
    let revocation = with(config["revocation"].clone(), json!({"on_unavailable": "allow"}));
    with(config.clone(), json!({ "revocation": revocation }))
}

/// A token that outlives `unavailable_for`.
fn token(changes: Value) -> String {
    Key::new(1).sign(&with(with(claims(), json!({"exp": NOW + 3_400})), changes))
}

fn long() -> Request {
    Request::under(&token(json!({})))
}

fn everything() -> Value {
    json!({"epoch": 7, "revoked": [], "reset": true, "feed": "f1"})
}

/// A stage whose feed has answered, at once, the question of its start.
fn fed(stage: &mut Stage) {
    let call = stage.call();
    stage.answer(&call, 200, &everything());
}

/// A stage that was last told something at its start, so long ago.
fn fed_and_cut_off(config: &Value, millis: u64) -> Stage {
    let mut stage = Stage::new(config);
    fed(&mut stage);
    stage.wait_millis(millis);
    stage
}

#[track_caller]
fn assert_unverified(step: &Step) {
    assert_permitted(step);
    assert_eq!(reason(step), "permit_unverified");
}

/// What a refusal says.
#[track_caller]
fn detail(step: &Step) -> String {
    assert_refused(step, "revocation_unknown");
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    assert_eq!(refusal.reason.status(), 503);
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    problem["detail"].as_str().unwrap().into()
}

#[test]
fn allow_ends_and_the_answer_says_since_when_nothing_is_known() {
    let mut stage = fed_and_cut_off(&allowing(&feeding_config()), FRESH_FOR + 1);
    assert_unverified(&stage.request(1, &long()));
    stage.wait_millis(COUNTS_FOR - FRESH_FOR - 1);
    assert_unverified(&stage.request(2, &long()));
    stage.wait_millis(1);
    let said = detail(&stage.request(3, &long()));
    assert!(said.contains(&Instant::from_seconds(NOW).rfc3339()), "{said}");
    assert!(said.contains("15m") && said.contains("unavailable_for"), "{said}");
    assert_eq!(stage.logged(3).unwrap()["revocation_source"], "unavailable");
}

#[test]
fn how_long_it_counts_is_configured() {
    let mut config = allowing(&feeding_config());
    config["revocation"]["unavailable_for"] = json!("1h");
    let mut stage = fed_and_cut_off(&config, 3_399_000);
    assert_unverified(&stage.request(1, &long()));
    config["revocation"]["unavailable_for"] = json!("11s");
    let mut stage = fed_and_cut_off(&config, 11_001);
    detail(&stage.request(1, &long()));
}

#[test]
fn an_emergency_and_what_was_issued_later_are_never_let_through_unverified() {
    let mut stage = fed_and_cut_off(&allowing(&feeding_config()), FRESH_FOR + 1);
    let breakglass = json!({"reason": "r", "approvers": [], "emergency": true});
    let emergency = token(json!({ "breakglass": breakglass }));
    let said = detail(&stage.request(1, &Request::under(&emergency)));
    assert!(said.contains("emergency"), "{said}");
    let at_once = token(json!({"iat": NOW}));
    assert_unverified(&stage.request(2, &Request::under(&at_once)));
    let later = token(json!({"iat": NOW + 1}));
    let said = detail(&stage.request(3, &Request::under(&later)));
    assert!(said.contains("issued later"), "{said}");
    // Where the feed is fresh both are as good as any.
    let mut stage = fed_and_cut_off(&allowing(&feeding_config()), FRESH_FOR);
    for (stream, token) in [(1, emergency), (2, later)] {
        assert_eq!(reason(&stage.request(stream, &Request::under(&token))), "permit");
    }
}

/// A request to one who knows nothing: where it waits for the feed, that does not answer.
fn cut_off(stage: &mut Stage, stream: u32, request: &Request) -> Step {
    let step = stage.request(stream, request);
    if !matches!(step, Step::Wait) {
        return step;
    }
    let call = stage.call();
    stage.fail(&call).remove(0).1
}

#[test]
fn a_worker_that_never_knew_anything_counts_from_its_start() {
    let mut stage = Stage::new(&allowing(&feeding_config()));
    assert_unverified(&cut_off(&mut stage, 1, &long()));
    let later = token(json!({"iat": NOW + 1}));
    stage.wait_millis(1_000);
    detail(&cut_off(&mut stage, 2, &Request::under(&later)));
    stage.wait_millis(COUNTS_FOR - 1_000);
    assert_unverified(&cut_off(&mut stage, 3, &long()));
    stage.wait_millis(1);
    detail(&cut_off(&mut stage, 4, &long()));
}

#[test]
fn a_worker_that_comes_later_counts_from_what_its_process_knew() {
    let board = Rc::<Shelf>::default();
    let allowing = allowing(&feeding_config());
    let mut first = Stage::beside(&allowing, 1, &board);
    fed(&mut first);
    first.tick();
    let mut second = Stage::beside(&allowing, 2, &board);
    second.now = first.now.after(std::time::Duration::from_millis(COUNTS_FOR + 1));
    // It has begun a moment ago, knows nothing itself, and the service is gone.
    let text = allowing.to_string().into_bytes();
    let identity = breakglass_core::worker::Identity {
        node: None,
        id: [2; 16],
        version: "1.2.3",
        digest: breakglass_core::config::ConfigDigest::of(&text),
    };
    let parsed = crate::support::parse(&allowing).unwrap();
    second.worker = breakglass_core::worker::Worker::new(parsed, identity, second.now);
    let call = second.call();
    second.fail(&call);
    detail(&second.request(1, &long()));
}

fn asked(stage: &mut Stage, stream: u32, token: &str) -> Call {
    assert!(matches!(stage.request(stream, &Request::under(token)), Step::Wait));
    stage.call()
}

#[test]
fn an_answer_of_introspection_is_knowledge_of_its_issuers_grants() {
    let other_issuer = json!({"issuer": "https://other.example", "audiences": ["payments-prod"],
        "jwks": {"inline": {"keys": [Key::new(1).jwk()]}}});
    let mut config = allowing(&asking_config());
    config["issuers"].as_array_mut().unwrap().push(other_issuer);
    let mut stage = Stage::new(&config);
    stage.wait_millis(COUNTS_FOR - 1_000);
    let call = asked(&mut stage, 1, &token(json!({"jti": "grant-2"})));
    stage.wait_millis(400);
    stage.answer(&call, 200, &json!({"active": true}));
    stage.wait_millis(COUNTS_FOR - 400);
    let call = asked(&mut stage, 2, &token(json!({})));
    assert_unverified(&stage.fail(&call)[0].1);
    // An answer is as old as its question.
    stage.wait_millis(1);
    let call = asked(&mut stage, 3, &token(json!({})));
    detail(&stage.fail(&call)[0].1);
    // Of another issuer it says nothing, and what is no answer says nothing at all.
    let mut stage = Stage::new(&config);
    stage.wait_millis(COUNTS_FOR - 1_000);
    let call = asked(&mut stage, 1, &token(json!({})));
    stage.answer(&call, 200, &json!({"active": false}));
    let other = token(json!({"iss": "https://other.example"}));
    for (status, body) in [(503, json!({"active": true})), (200, json!({}))] {
        let call = asked(&mut stage, 2, &other);
        assert_unverified(&stage.answer(&call, status, &body)[0].1);
        stage.wait_millis(500);
    }
    stage.wait_millis(1);
    let call = asked(&mut stage, 4, &other);
    detail(&stage.fail(&call)[0].1);
}

#[test]
fn where_nobody_can_be_asked_allow_has_no_end() {
    let mut stage = Stage::new(&config());
    stage.wait_millis(2 * COUNTS_FOR);
    let breakglass = json!({"reason": "r", "approvers": [], "emergency": true});
    let step = stage
        .request(1, &Request::under(&token(json!({"iat": NOW + 1_000, "breakglass": breakglass}))));
    assert_unverified(&step);
    assert_eq!(stage.logged(1).unwrap()["revocation_source"], "not_configured");
    assert_unverified(&stage.request(2, &long()));
    stage.wait_millis(COUNTS_FOR);
    assert!(stage.ended().is_empty());
}

#[test]
fn a_clock_that_is_set_back_does_not_stretch_it() {
    let mut stage = fed_and_cut_off(&allowing(&feeding_config()), COUNTS_FOR - 5_000);
    assert_unverified(&stage.request(1, &long()));
    stage.now = stage.now.before(std::time::Duration::from_secs(60));
    stage.tick();
    assert_unverified(&stage.request(2, &long()));
    stage.wait_millis(5_001);
    detail(&stage.request(3, &long()));
}

#[test]
fn what_was_let_through_unverified_ends_with_it() {
    let mut stage = fed_and_cut_off(&allowing(&feeding_config()), FRESH_FOR);
    assert_eq!(reason(&stage.request(1, &long())), "permit");
    stage.wait_millis(1);
    assert_unverified(&stage.request(2, &long()));
    stage.wait_millis(COUNTS_FOR - FRESH_FOR - 2);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    let ended = stage.ended();
    let [(2, step)] = &ended[..] else { panic!("{ended:?}") };
    assert_refused(step, "revocation_unknown");
    assert_eq!(stage.logged(2).unwrap()["decision"], "cut");
    // What was permitted by fresh knowledge ends with its grant, as where it is `deny`.
    assert_eq!(stage.logged(1).unwrap()["decision"], "allow");
}

#[test]
fn what_was_let_through_unverified_goes_on_once_something_is_known() {
    let mut stage = Stage::new(&allowing(&feeding_config()));
    let call = stage.call();
    stage.fail(&call);
    assert_unverified(&stage.request(1, &long()));
    stage.wait_millis(COUNTS_FOR - 1_000);
    let call = stage.call();
    stage.answer(&call, 200, &everything());
    stage.wait_millis(1_000);
    assert!(stage.ended().is_empty(), "the feed is fresh, and knows of no revocation");
    stage.wait_millis(COUNTS_FOR);
    assert!(stage.ended().is_empty(), "from then on it is as any other permit");
    stage.wait_millis(3_600_000);
    assert_refused(&stage.ended()[0].1, "token_expired");

    // Known, but not lately: it ends later.
    let mut stage = Stage::new(&allowing(&feeding_config()));
    let call = stage.call();
    stage.fail(&call);
    assert_unverified(&stage.request(1, &long()));
    stage.wait_millis(COUNTS_FOR - 60_000);
    let call = stage.call();
    stage.answer(&call, 200, &everything());
    stage.wait_millis(60_000);
    assert!(stage.ended().is_empty());
    stage.wait_millis(COUNTS_FOR - 60_000 - 1);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    assert_refused(&stage.ended()[0].1, "revocation_unknown");
}

#[test]
fn a_poll_says_how_long_allow_counts_where_it_ends() {
    let said = |config: &Value| {
        let call = Stage::new(config).call();
        let found = call.headers.iter().find(|(name, _)| *name == "breakglass-unavailable-for");
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(said(&feeding_config()), None, "nothing is let through");
    let mut config = allowing(&feeding_config());
    assert_eq!(said(&config).as_deref(), Some("15m"));
    config["revocation"]["unavailable_for"] = json!("90s");
    assert_eq!(said(&config).as_deref(), Some("90s"));
    config["enforcement"] = json!("shadow");
    assert_eq!(said(&config), None, "nothing is refused");
}

#[test]
fn a_configuration_in_which_allow_can_never_count_is_warned_of() {
    let warnings = |changes: Value| {
        let mut config = allowing(&feeding_config());
        config["revocation"] = with(config["revocation"].clone(), changes);
        crate::support::parse(&config).unwrap().warnings()
    };
    assert_eq!(warnings(json!({})), [""; 0]);
    assert_eq!(warnings(json!({"max_staleness": "14m"})), [""; 0]);
    let shorter = json!({"max_staleness": "20m"});
    let [warning] = &warnings(shorter.clone())[..] else { panic!() };
    assert!(warning.contains("revocation.unavailable_for") && warning.contains("20m"), "{warning}");
    assert_eq!(warnings(with(shorter, json!({"on_unavailable": "deny"}))), [""; 0]);
}
