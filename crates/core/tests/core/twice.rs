//! The filter twice in one chain: two workers, and a request that goes through both.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, claims, config, reason, reporting_config, test, with,
};

fn token() -> String {
    Key::new(1).sign(&claims())
}

/// A configuration with a credential that decides without asking anybody, and protects `/admin/**`.
fn marked_config() -> Value {
    let protected = json!([{"paths": ["/admin/**"]}]);
    with(reporting_config(), json!({"protected": protected, "audit": {"start_after": "1s"}}))
}

/// The same without a credential.
fn bare_config() -> Value {
    with(marked_config(), json!({"revocation": {"on_unavailable": "allow"}}))
}

/// The same decisions by a configuration with another digest.
fn other_config() -> Value {
    with(marked_config(), json!({"clock_skew": "6s"}))
}

/// The filter state that a test speaks of by name.
const STATES: [&str; 3] = ["record", "decision", "mark"];

/// The request as a later filter sees it: what Envoy makes of a step.
fn after(step: &Step, mut request: Request) -> Request {
    let mut put = |name, value: &[u8]| request.state.insert(name, value.to_vec());
    let (remove, set) = match step {
        Step::Permit(permit) => {
            put("record", permit.record().as_bytes());
            permit.mark().map(|mark| put("mark", mark));
            put("decision", b"allow");
            (permit.remove().to_vec(), permit.set().to_vec())
        }
        Step::Pass(pass) => {
            pass.record.as_ref().map(|record| put("record", record.as_bytes()));
            pass.mark.as_ref().map(|mark| put("mark", mark));
            (pass.remove.clone(), Vec::new())
        }
        other => panic!("{other:?} goes no further"),
    };
    let request = request.without(&remove);
    set.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// Sends a request through a first and a second worker: what the second one makes of it.
fn both(first: &mut Stage, second: &mut Stage, request: Request) -> (Step, Step) {
    let decided = first.request(1, &request);
    let seen = after(&decided, request);
    let step = second.request(1, &seen);
    (decided, step)
}

fn through(first: &Value, second: &Value, request: Request) -> (Step, Step) {
    both(&mut Stage::beside(first, 1, &std::rc::Rc::default()), &mut Stage::new(second), request)
}

/// It changes nothing, leaves nothing, records nothing, holds nothing and counts nothing.
fn assert_steps_aside(step: &Step, second: &mut Stage) {
    let Step::Pass(pass) = step else { panic!("{step:?}") };
    assert!(pass.remove.is_empty() && pass.record.is_none() && pass.mark.is_none(), "{pass:?}");
    let tick = second.tick();
    assert!(tick.counters.is_empty(), "{tick:?}");
    assert!(second.logged(1).is_none());
    second.wait_millis(1_500);
    assert!(second.tick().steps.is_empty(), "no record of its start");
    second.wait_millis(3_600_000);
    assert!(second.tick().steps.is_empty(), "nothing to cut");
    assert_has_recorded_nothing(second);
}

/// No number of its chain is used up: the next record is the first.
fn assert_has_recorded_nothing(stage: &mut Stage) {
    let _ = stage.request(99, &Request::under("no.token.this"));
    assert_eq!(stage.logged(99).unwrap()["seq"], 1);
}

fn counted(stage: &mut Stage) -> Vec<String> {
    stage.tick().counters.into_iter().map(|(name, _)| name).collect()
}

fn assert_refused_unrecorded(step: &Step, status: u16, wanted: &str) {
    let Step::RefuseUnrecorded(refusal) = step else { panic!("{wanted}: {step:?}") };
    assert_eq!((refusal.reason.code(), refusal.reason.status()), (wanted, status));
}

#[test]
fn with_the_same_configuration_the_second_steps_aside() {
    let forward = json!({"token_sources": [{"header": "x-breakglass-token", "forward": true}]});
    let shadow = json!({"enforcement": "shadow"});
    let expired = Key::new(1).sign(&with(claims(), json!({"exp": NOW - 10})));
    let admin = Key::new(1).sign(&with(claims(), json!({"scope": "admin"})));
    let admin_scope =
        json!({"scopes": [{"name": "admin", "methods": ["GET"], "paths": ["/admin/**"]}]});
    let get = |path| Request::new("GET", path);
    let cases: [(&str, Value, Request, &str); 6] = [
        ("a permit", json!({}), Request::under(&token()), "permit_unverified"),
        ("a forwarded token", forward.clone(), Request::under(&token()), "permit_unverified"),
        (
            "where it is protected",
            admin_scope,
            get("/admin/users").header("x-breakglass-token", admin),
            "permit_unverified",
        ),
        (
            "a shadowed refusal",
            with(shadow.clone(), forward),
            Request::under(&expired),
            "token_expired",
        ),
        ("protected, in shadow", shadow, get("/admin/users"), "token_missing"),
        (
            "a client's own headers",
            json!({}),
            Request::under(&token()).header("x-breakglass-grant", "forged"),
            "permit_unverified",
        ),
    ];
    for (name, changes, request, wanted) in cases {
        println!("{name}");
        let config = with(marked_config(), changes);
        let mut second = Stage::new(&config);
        let mut first = Stage::beside(&config, 9, &std::rc::Rc::default());
        let (decided, step) = both(&mut first, &mut second, request);
        assert_eq!(reason(&decided), wanted);
        assert_steps_aside(&step, &mut second);
        // The first one goes on as if it were alone.
        assert_eq!(first.logged(1).unwrap()["reason"], wanted);
    }
}

#[test]
fn what_passes_unrecorded_passes_the_second_too() {
    let request = Request::new("GET", "/").header("x-breakglass-grant", "forged");
    let (first, second) = through(&marked_config(), &marked_config(), request);
    let Step::Pass(pass) = first else { panic!() };
    assert_eq!((pass.remove, pass.mark), (vec!["x-breakglass-grant".to_owned()], None));
    let Step::Pass(pass) = second else { panic!() };
    assert!(pass.remove.is_empty() && pass.record.is_none());
}

/// Of a token that the first takes away, and refuses in shadow mode only, the second sees nothing: to it the
/// request is one without a token, of which nothing is asked, and which it counts.
#[test]
fn a_shadowed_refusal_without_a_trace_passes_the_second_as_any_request() {
    let shadow = with(marked_config(), json!({"enforcement": "shadow"}));
    let mut second = Stage::new(&shadow);
    let mut first = Stage::beside(&shadow, 9, &std::rc::Rc::default());
    let (decided, step) = both(&mut first, &mut second, Request::under("no.token.this"));
    assert_eq!(reason(&decided), "token_malformed");
    let Step::Pass(pass) = step else { panic!("{step:?}") };
    assert!(pass.remove.is_empty() && pass.record.is_none() && pass.mark.is_none(), "{pass:?}");
    assert!(second.logged(1).is_none());
    assert_eq!(counted(&mut second), ["breakglass.decision.pass.reason.no_token"]);
    assert_has_recorded_nothing(&mut second);
}

#[test]
fn a_permit_of_an_instance_that_is_not_known_to_be_the_same_is_refused() {
    let cases = [
        ("another configuration", marked_config(), other_config()),
        ("in the other order", other_config(), marked_config()),
        ("no credential", bare_config(), bare_config()),
        ("none in the first", bare_config(), marked_config()),
        ("none in the second", marked_config(), bare_config()),
        (
            "another credential",
            marked_config(),
            with(
                marked_config(),
                json!({"revocation": {"on_unavailable": "allow",
                    "credential": {"env": "OTHER_PROXY_TOKEN"}}}),
            ),
        ),
    ];
    for (name, first, second) in cases {
        println!("{name}");
        let mut stage = Stage::new(&second);
        let mut first = Stage::beside(&first, 9, &std::rc::Rc::default());
        let (_, step) = both(&mut first, &mut stage, Request::under(&token()));
        assert_refused_unrecorded(&step, 500, "configured_twice");
        assert!(stage.logged(1).is_none(), "the first one's record stays");
        assert_eq!(counted(&mut stage), ["breakglass.decision.deny.reason.configured_twice"]);
        stage.wait_millis(3_600_000);
        assert!(stage.tick().steps.is_empty(), "nothing to cut");
        assert_has_recorded_nothing(&mut stage);
        assert_eq!(first.logged(1).unwrap()["seq"], 1);
    }
}

#[test]
fn the_answer_says_what_to_do() {
    let (_, step) = through(&marked_config(), &other_config(), Request::under(&token()));
    let Step::RefuseUnrecorded(refusal) = step else { panic!() };
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    assert_eq!(problem["title"], "The break-glass filter is configured twice");
    assert_eq!((&problem["status"], &problem["request_id"]), (&json!(500), &json!("request-1")));
    assert!(problem["detail"].as_str().unwrap().contains("remove one"), "{problem}");
    assert_eq!((refusal.grpc_status, problem.get("grant")), (13, None));
    assert!(refusal.headers.iter().all(|(name, _)| *name != "www-authenticate"));
}

#[test]
fn the_second_keeps_its_own_rules() {
    let ceiling = json!({"ceiling": [{"paths": ["/v1/orders"]}], "clock_skew": "6s"});
    let second = with(marked_config(), ceiling);
    let (_, step) = through(&marked_config(), &second, Request::under(&token()));
    assert_refused_unrecorded(&step, 403, "ceiling");

    // What the first would have refused, in shadow mode, and the second protects.
    let shadow = with(marked_config(), json!({"enforcement": "shadow"}));
    let protecting = with(other_config(), json!({"protected": [{"paths": ["/v1/orders"]}]}));
    let bad = Request::under("no.token.this");
    let (decided, step) = through(&shadow, &protecting, bad);
    assert_eq!(reason(&decided), "token_malformed");
    assert_refused_unrecorded(&step, 401, "token_missing");
    let denying = with(other_config(), json!({"unauthenticated": "deny"}));
    let (_, step) = through(&shadow, &denying, Request::under("no.token.this"));
    assert_refused_unrecorded(&step, 401, "token_missing");

    // A request that the first let pass without a record is the second's alone.
    let request = Request::new("GET", "/v1/orders");
    let (decided, step) = through(&marked_config(), &protecting, request);
    assert_eq!(reason(&decided), "no_token");
    assert!(matches!(&step, Step::Refuse(..)), "{step:?}");
    assert_eq!(reason(&step), "token_missing");

    // A token that only the second takes.
    let bearer = json!({"clock_skew": "6s", "token_sources": [{"header": "authorization", "scheme": "Bearer"}]});
    let second = with(marked_config(), bearer);
    let alone =
        Request::new("GET", "/v1/orders").header("authorization", format!("Bearer {}", token()));
    let (decided, step) = through(&marked_config(), &second, alone);
    assert_eq!((reason(&decided), reason(&step)), ("no_token".into(), "permit_unverified".into()));

    // One for each: the second's could only be a second permit.
    let each =
        Request::under("no.token.this").header("authorization", format!("Bearer {}", token()));
    let (decided, step) = through(&shadow, &second, each);
    assert_eq!(reason(&decided), "token_malformed");
    assert_refused_unrecorded(&step, 500, "configured_twice");
}

#[test]
fn a_second_in_shadow_mode_refuses_nothing() {
    let shadow = with(other_config(), json!({"enforcement": "shadow"}));
    let mut second = Stage::new(&shadow);
    let mut first = Stage::beside(&marked_config(), 9, &std::rc::Rc::default());
    let (_, step) = both(&mut first, &mut second, Request::under(&token()));
    let Step::Pass(pass) = &step else { panic!("{step:?}") };
    assert!(pass.remove.is_empty(), "the first one's grant stays: {pass:?}");
    assert!(pass.record.is_none() && pass.mark.is_none());
    assert!(second.logged(1).is_none());
    assert_eq!(counted(&mut second), ["breakglass.decision.shadow_deny.reason.configured_twice"]);

    // A token of its own does not reach the upstream in shadow mode either.
    let bearer = json!({"token_sources": [{"header": "authorization", "scheme": "Bearer"}]});
    let both_tokens =
        Request::under(&token()).header("authorization", format!("Bearer {}", token()));
    let (_, step) = through(&marked_config(), &with(shadow, bearer), both_tokens);
    let Step::Pass(pass) = step else { panic!() };
    assert_eq!(pass.remove, ["authorization"]);
}

/// What another plugin can do: write any bytes into filter state, and never take a value away.
#[test]
fn what_another_plugin_writes_makes_nothing_pass() {
    let get = |path| Request::new("GET", path);
    let old = through_mark(&Request::under(&token()));
    let forged: [&[u8]; 6] = [b"", b"\xff\0", b"\x01p", &[0x70; 66], &old, &[1; 1000]];
    for mark in forged {
        for states in [&STATES[..], &["record", "mark"]] {
            let put = |mut request: Request| {
                request.stream = Some((7, NOW * 1_000_000_000 + 5));
                for state in states {
                    request.state.insert(state, mark.to_vec());
                }
                request
            };
            let judge = |request| Stage::new(&marked_config()).request(1, &put(request));
            let is_permitted = states.len() == STATES.len();
            let protected = if is_permitted { "configured_twice" } else { "token_missing" };
            assert_eq!(reason(&judge(get("/admin/users"))), protected);
            assert_eq!(reason(&judge(Request::under(&token()))), "configured_twice");
            assert_eq!(reason(&judge(Request::under("no.token.this"))), "configured_twice");
            // A client's own headers go, unless there is a permit that they may belong to.
            let step = judge(get("/").header("x-breakglass-grant", "grant-1"));
            match (&step, is_permitted) {
                (Step::Pass(pass), false) => assert_eq!(pass.remove, ["x-breakglass-grant"]),
                (Step::RefuseUnrecorded(refusal), true) => {
                    assert_eq!(refusal.reason.code(), "configured_twice");
                }
                _ => panic!("{step:?}"),
            }
        }
    }
}

/// The mark that a permit of this request leaves.
fn through_mark(request: &Request) -> Vec<u8> {
    let Step::Permit(permit) = Stage::new(&marked_config()).request(1, request) else { panic!() };
    permit.mark().unwrap().to_vec()
}

#[test]
fn a_mark_of_another_request_is_none() {
    type Change = fn(Request) -> Request;
    let changes: [(&str, Change); 8] = [
        ("the same request", |request| request),
        ("another connection", |mut request| {
            request.stream = Some((8, NOW * 1_000_000_000));
            request
        }),
        ("later on the same connection", |mut request| {
            request.stream = Some((7, NOW * 1_000_000_000 + 1));
            request
        }),
        ("Envoy does not say", |mut request| {
            request.stream = None;
            request
        }),
        ("another path", |request| request.replace(":path", "/v1/orders/1")),
        ("another query", |request| request.replace(":path", "/v1/orders?all")),
        ("another host", |request| request.replace(":authority", "other.internal")),
        ("another method", |request| request.replace(":method", "HEAD")),
    ];
    for (name, change) in changes {
        println!("{name}");
        let mut first = Stage::beside(&marked_config(), 9, &std::rc::Rc::default());
        let request = Request::under(&token());
        let decided = first.request(1, &request);
        let step = Stage::new(&marked_config()).request(1, &change(after(&decided, request)));
        match name {
            "the same request" => assert!(matches!(step, Step::Pass(_)), "{step:?}"),
            _ => assert_refused_unrecorded(&step, 500, "configured_twice"),
        }
    }
}

/// The first one is of a version that leaves no mark.
#[test]
fn a_record_without_a_mark_is_another_version_s() {
    let mut request = Request::new("GET", "/v1/orders").header("x-breakglass-grant", "grant-1");
    request.state.insert("record", b"{}".to_vec());
    request.state.insert("decision", b"allow".to_vec());
    let step = Stage::new(&marked_config()).request(1, &request);
    assert_refused_unrecorded(&step, 500, "configured_twice");
}

#[test]
fn it_is_said_once_in_the_log_with_the_cause_and_the_listener() {
    let cases = [
        (marked_config(), marked_config(), "steps aside"),
        (marked_config(), other_config(), "the first one has another configuration"),
        (bare_config(), marked_config(), "the first one left no mark"),
        (marked_config(), bare_config(), "without revocation.credential"),
    ];
    for (first, second, wanted) in cases {
        let mut stage = Stage::new(&second);
        let mut first = Stage::beside(&first, 9, &std::rc::Rc::default());
        let mut warnings = Vec::new();
        for _ in 0..3 {
            let _ = both(&mut first, &mut stage, Request::under(&token()));
            warnings.extend(stage.tick().warnings);
        }
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(warning.contains(wanted), "{warning}");
        assert!(
            warning.contains("the listener 127.0.0.1:10000 has this filter twice"),
            "{warning}"
        );
        assert!(warning.contains("EnvoyFilter"), "{warning}");
    }
}

#[test]
fn one_filter_alone_needs_no_mark_and_says_nothing() {
    for config in [config(), marked_config(), bare_config()] {
        let mut stage = Stage::new(&config);
        assert_eq!(reason(&stage.request(1, &Request::under(&token()))), "permit_unverified");
        assert_eq!(reason(&stage.request(2, &Request::new("GET", "/"))), "no_token");
        assert_eq!(stage.tick().warnings, [] as [String; 0]);
    }
}
