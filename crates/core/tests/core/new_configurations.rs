//! What a new configuration makes of what runs: it is judged by the same rules as a request that comes, as of its
//! beginning where a rule is about that, and as of now where it is about now.

use std::rc::Rc;

use breakglass_core::step::Step;
use breakglass_core::trace::{Rule, Said};
use serde_json::{Value, json};

use crate::random::Random;
use crate::support::{
    Key, NOW, Request, Stage, assert_permitted, assert_refused, b64, claims, config,
    feeding_config, fetching_config, parse, test, with,
};

/// A stage with a request that runs, under this configuration and claims.
fn running(config: &Value, claims: &Value) -> Stage {
    let mut stage = Stage::new(config);
    stage.worker.keep_traces();
    assert_permitted(&stage.request(1, &Request::under(&Key::new(1).sign(claims))));
    stage.worker.take_traces();
    stage
}

fn push(stage: &mut Stage, next: &Value) -> Vec<(u32, Step)> {
    let next = parse(next).unwrap_or_else(|errors| panic!("{errors:?}"));
    stage.worker.supersede(Rc::new(next), stage.now)
}

/// What a person is told of a request that ends.
fn told(steps: &[(u32, Step)]) -> String {
    let [(1, Step::Refuse(refusal, _))] = steps else { panic!("{steps:?}") };
    let body: Value = serde_json::from_slice(&refusal.body).unwrap();
    body["detail"].as_str().unwrap().to_owned()
}

/// The same with changes to its only issuer.
fn of_issuer(changes: Value) -> Value {
    let issuer = config()["issuers"][0].clone();
    with(config(), json!({"issuers": [with(issuer, changes)]}))
}

fn inline(keys: &[Value]) -> Value {
    json!({"inline": {"keys": keys}})
}

fn remote() -> Value {
    fetching_config()["issuers"][0]["jwks"].clone()
}

/// A configuration that no longer takes the token, with the rule that says so and its reason.
fn no_longer_taken() -> [(Value, Rule, &'static str); 7] {
    let mut impostor = Key::new(2).jwk();
    impostor["kid"] = json!("key-1");
    [
        (of_issuer(json!({"issuer": "https://other.example"})), Rule::Issuer, "issuer_unknown"),
        (of_issuer(json!({"typ": ["other+jwt"]})), Rule::TokenType, "token_type"),
        (
            of_issuer(json!({"algorithms": ["EdDSA"], "jwks": remote()})),
            Rule::Algorithm,
            "algorithm_not_allowed",
        ),
        (of_issuer(json!({"jwks": inline(&[Key::new(2).jwk()])})), Rule::Key, "key_unknown"),
        (of_issuer(json!({"jwks": inline(&[impostor])})), Rule::Key, "key_unknown"),
        (of_issuer(json!({"audiences": ["payments-test"]})), Rule::Audience, "audience_mismatch"),
        (of_issuer(json!({"max_lifetime": "14m"})), Rule::Lifetime, "lifetime_exceeded"),
    ]
}

#[test]
fn what_a_new_configuration_does_not_take_ends_and_says_which_rule_it_was() {
    for (next, rule, reason) in no_longer_taken() {
        let mut stage = running(&config(), &claims());
        let steps = push(&mut stage, &next);
        assert_refused(&steps[0].1, "scope_withdrawn");
        let told = told(&steps);
        assert!(told.contains(&format!("({reason})")), "{told}");
        let [(1, trace)] = stage.worker.take_traces()[..] else { panic!() };
        let successor = trace.successor;
        let (refused, why) = successor.refused().unwrap();
        assert_eq!((refused, why.code()), (rule, reason));
        assert_eq!(successor.said(Rule::Scope), Said::NotLookedAt);
        let record = stage.logged(1).unwrap();
        assert_eq!((&record["decision"], &record["grant"]), (&json!("cut"), &json!("grant-1")));
        // What still comes under the old one is refused for the same reason.
        let step = stage.request(2, &Request::under(&Key::new(1).sign(&claims())));
        assert_refused(&step, "scope_withdrawn");
        let (stream, trace) = stage.worker.take_traces().pop().unwrap();
        assert_eq!((stream, trace.own.refused()), (2, None));
        assert_eq!(trace.successor.refused(), Some((rule, why)));
    }
}

#[test]
fn the_log_counts_what_a_new_configuration_ends_by_the_rules_that_refuse_it() {
    let mut stage = running(&config(), &claims());
    assert_permitted(&stage.request(2, &Request::under(&Key::new(1).sign(&claims()))));
    let other = with(claims(), json!({"aud": ["payments-prod", "payments-test"], "jti": "g-2"}));
    assert_permitted(&stage.request(3, &Request::under(&Key::new(1).sign(&other))));
    let next = of_issuer(json!({"audiences": ["payments-test"]}));
    let next = with(next, json!({"ceiling": [{"paths": ["/v1/orders"]}]}));
    assert_eq!(push(&mut stage, &next).len(), 3);
    let notices = stage.tick().notices;
    assert!(notices[0].contains("2 by audience_mismatch, 1 by ceiling"), "{notices:?}");
    assert!(stage.tick().notices.is_empty());
}

#[test]
fn keys_that_a_source_may_publish_are_not_known_to_be_gone() {
    let mut impostor = Key::new(2).jwk();
    impostor["kid"] = json!("key-1");
    let beside = |keys: &[Value]| with(remote(), inline(keys));
    for jwks in [remote(), beside(&[Key::new(2).jwk()]), beside(&[impostor])] {
        let mut stage = running(&config(), &claims());
        assert!(push(&mut stage, &of_issuer(json!({"jwks": jwks}))).is_empty());
        assert_permitted(&stage.request(2, &Request::under(&Key::new(1).sign(&claims()))));
    }
}

#[test]
fn a_rotation_of_published_keys_ends_nothing_and_neither_does_an_equal_configuration_after_it() {
    let fetching = with(fetching_config(), json!({"revocation": {"on_unavailable": "allow"}}));
    let mut stage = Stage::new(&fetching);
    let request = Request::under(&Key::new(1).sign(&claims()));
    assert!(matches!(stage.request(1, &request), Step::Wait));
    let call = stage.call();
    let steps = stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_permitted(&steps[0].1);
    stage.wait_millis(300_000);
    let call = stage.call();
    assert!(stage.answer(&call, 200, &json!({"keys": [Key::new(2).jwk()]})).is_empty());
    assert!(push(&mut stage, &fetching).is_empty());
    assert!(stage.ended().is_empty());
    // Nothing new comes under the old key.
    let step = stage.request(2, &request);
    assert!(matches!(step, Step::Wait));
}

/// A configuration whose scope asks for a sign-in that is not older than this.
fn aged(max_auth_age: &str) -> Value {
    let mut config = config();
    config["scopes"][0]["require"] = json!({"max_auth_age": max_auth_age});
    config
}

#[test]
fn how_long_ago_somebody_had_signed_in_is_judged_as_of_the_beginning() {
    let claims = with(claims(), json!({"auth_time": NOW - 600}));
    for (next, wanted) in [("15m", None), ("11m", None), ("9m", Some("step_up_required"))] {
        let mut stage = running(&aged("15m"), &claims);
        // By now it is twenty minutes ago.
        stage.wait_millis(600_000);
        let steps = push(&mut stage, &aged(next));
        match wanted {
            None => assert!(steps.is_empty(), "{next}: {steps:?}"),
            Some(reason) => assert!(told(&steps).contains(reason), "{steps:?}"),
        }
    }
    // What comes now is judged as of now.
    let mut stage = Stage::new(&aged("15m"));
    stage.wait_millis(600_000);
    let step = stage.request(1, &Request::under(&Key::new(1).sign(&claims)));
    assert_refused(&step, "step_up_required");
}

#[test]
fn the_end_of_a_token_is_judged_as_of_now_by_the_clock_skew_of_both() {
    let skewed = |skew: &str| with(config(), json!({"clock_skew": skew}));
    let mut stage = running(&skewed("10s"), &claims());
    stage.wait_millis(799_000);
    assert!(push(&mut stage, &skewed("2s")).is_empty());
    stage.wait_millis(2_999);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    let steps = stage.ended();
    assert_refused(&steps[0].1, "token_expired");

    let mut stage = running(&skewed("10s"), &claims());
    stage.wait_millis(805_000);
    assert!(told(&push(&mut stage, &skewed("2s"))).contains("token_expired"));

    let mut stage = running(&skewed("2s"), &claims());
    assert!(push(&mut stage, &skewed("10s")).is_empty());
    stage.wait_millis(802_000);
    assert_refused(&stage.ended()[0].1, "token_expired");
}

#[test]
fn what_is_about_reading_a_token_is_not_judged_again() {
    let mut stage = running(&config(), &claims());
    let next = with(
        config(),
        json!({"max_token_bytes": 256, "token_sources": [{"header": "x-other-token"}],
            "unauthenticated": "deny", "protected": [{"paths": ["/v1/**"]}]}),
    );
    assert!(push(&mut stage, &next).is_empty());
}

#[test]
fn a_new_configuration_in_shadow_mode_ends_and_refuses_nothing() {
    for (next, ..) in no_longer_taken() {
        let mut stage = running(&config(), &claims());
        let shadow = with(next, json!({"enforcement": "shadow", "clock_skew": "1s"}));
        assert!(push(&mut stage, &shadow).is_empty());
        assert_permitted(&stage.request(2, &Request::under(&Key::new(1).sign(&claims()))));
        stage.wait_millis(801_500);
        assert!(stage.ended().is_empty());
    }
}

#[test]
fn what_is_bound_to_a_certificate_keeps_it_and_what_is_not_bound_ends_where_that_is_asked_for() {
    let mut constrained = config();
    constrained["scopes"][0]["require"] = json!({"sender_constrained": true});
    let mut stage = running(&config(), &claims());
    assert!(told(&push(&mut stage, &constrained)).contains("sender_mismatch"));
    let bound = with(claims(), json!({"cnf": {"x5t#S256": b64([7; 32])}}));
    let mut request = Request::under(&Key::new(1).sign(&bound));
    request.certificate = Some("07".repeat(32));
    let mut stage = Stage::new(&config());
    assert_permitted(&stage.request(1, &request));
    assert!(push(&mut stage, &constrained).is_empty());
}

/// A configuration whose feed has never answered, under which a grant is let through unverified.
fn unverified(changes: Value) -> Value {
    let revocation = with(
        feeding_config()["revocation"].clone(),
        json!({"on_unavailable": "allow", "unavailable_for": "10m"}),
    );
    with(config(), json!({"revocation": with(revocation, changes)}))
}

/// A stage with a request that was let through unverified, and the poll that has failed.
fn let_through() -> Stage {
    let mut stage = Stage::new(&unverified(json!({})));
    let request = Request::under(&Key::new(1).sign(&with(claims(), json!({"iat": NOW - 100}))));
    assert!(matches!(stage.request(1, &request), Step::Wait));
    let call = stage.call();
    let steps = stage.fail(&call);
    assert_permitted(&steps[0].1);
    stage
}

#[test]
fn what_was_let_through_unverified_ends_where_the_new_configuration_would_not_have() {
    let deny = unverified(json!({"on_unavailable": "deny"}));
    let shorter = unverified(json!({"unavailable_for": "5m"}));
    let longer = unverified(json!({"unavailable_for": "15m"}));
    for (next, ends_after_s) in [(deny, 0), (shorter, 300), (longer, 600)] {
        let mut stage = let_through();
        assert!(push(&mut stage, &next).is_empty());
        if ends_after_s > 0 {
            stage.wait_millis(ends_after_s * 1_000 - 1);
            assert!(stage.ended().is_empty(), "{ends_after_s}");
            stage.wait_millis(1);
        }
        assert_refused(&stage.ended()[0].1, "revocation_unknown");
    }
}

#[test]
fn what_was_let_through_unverified_goes_on_by_what_is_known_since() {
    let mut stage = let_through();
    stage.wait_millis(2_000);
    let call = stage.call();
    stage.answer(&call, 200, &json!({"epoch": 7, "revoked": [], "reset": true}));
    assert!(push(&mut stage, &unverified(json!({"on_unavailable": "deny"}))).is_empty());
    assert!(stage.ended().is_empty());
}

/// One of a few values.
fn any<T: Clone>(random: &mut Random, values: &[T]) -> T {
    values[random.below(values.len())].clone()
}

/// Sets a member to one of a few values, or leaves it out.
fn maybe(random: &mut Random, object: &mut Value, name: &str, values: &[Value]) {
    if random.below(3) == 0 {
        object[name] = any(random, values);
    }
}

/// Some scope that may cover `GET /v1/orders`, and what it may ask for.
fn some_scope(random: &mut Random, name: &str) -> Value {
    let methods = [json!(["GET"]), json!(["GET", "HEAD"]), json!(["GET"]), json!(["POST"])];
    let paths = [json!(["/v1/orders"]), json!(["/v1/**"]), json!(["/v1/{all}"]), json!(["/v2/x"])];
    let mut scope =
        json!({"name": name, "methods": any(random, &methods), "paths": any(random, &paths)});
    maybe(random, &mut scope, "hosts", &[json!(["orders.internal"]), json!(["*.internal"])]);
    maybe(random, &mut scope, "routes", &[json!(["orders"]), json!(["orders", "other"])]);
    maybe(random, &mut scope, "max_stream", &[json!("30m")]);
    let mut require = json!({});
    maybe(random, &mut require, "roles", &[json!(["oncall"]), json!(["oncall", "sre"])]);
    maybe(random, &mut require, "amr", &[json!(["mfa"]), json!(["mfa", "hwk"])]);
    maybe(random, &mut require, "acr", &[json!(["high"]), json!(["high", "low"])]);
    maybe(random, &mut require, "max_auth_age", &[json!("5m"), json!("15m")]);
    maybe(random, &mut require, "source_cidrs", &[json!(["192.0.2.0/24"]), json!(["10.0.0.0/8"])]);
    maybe(random, &mut require, "max_lifetime", &[json!("10m"), json!("20m")]);
    if require != json!({}) {
        scope["require"] = require;
    }
    scope
}

/// Some configuration.
fn some_config(random: &mut Random) -> Value {
    let key = |number: u8| Key::new(number).jwk();
    let jwks = [inline(&[key(1)]), inline(&[key(1), key(2)]), inline(&[key(2)]), remote()];
    let jwks = if random.below(3) == 0 { any(random, &jwks) } else { jwks[0].clone() };
    let mut issuer = json!({"issuer": "https://issuer.example", "audiences": ["payments-prod"],
        "jwks": jwks});
    maybe(
        random,
        &mut issuer,
        "audiences",
        &[json!(["payments-test"]), json!(["a", "payments-prod"])],
    );
    maybe(
        random,
        &mut issuer,
        "typ",
        &[json!(["breakglass+jwt", "x+jwt"]), json!(["breakglass+jwt"])],
    );
    maybe(random, &mut issuer, "max_lifetime", &[json!("10m"), json!("30m")]);
    let scopes = ["orders:read", "orders:all"].map(|name| some_scope(random, name));
    let mut config = json!({"issuers": [issuer], "scopes": scopes,
        "revocation": {"on_unavailable": "allow"}});
    maybe(
        random,
        &mut config,
        "ceiling",
        &[json!([{"methods": ["DELETE"]}]), json!([{"paths": ["/v1/orders"]}])],
    );
    let harmless = [json!(["x-http-method-override"])];
    maybe(random, &mut config, "harmless_method_overrides", &harmless);
    config
}

/// Some token, and a request under it.
fn some_request(random: &mut Random) -> Request {
    let mut claims = with(claims(), json!({"scope": "orders:read orders:all"}));
    maybe(random, &mut claims, "scope", &[json!("orders:read"), json!("orders:all")]);
    maybe(random, &mut claims, "aud", &[json!(["payments-prod", "payments-test"])]);
    claims["auth_time"] = any(random, &[json!(NOW - 100), json!(NOW - 600)]);
    claims["roles"] = json!(["oncall"]);
    claims["amr"] = json!(["mfa", "hwk"]);
    claims["acr"] = any(random, &[json!("high"), json!("low")]);
    let mut request = Request::under(&Key::new(1).sign(&claims));
    if random.below(4) == 0 {
        request = request.header("x-http-method-override", "GET");
    }
    request.route = any(random, &[None, Some("orders"), Some("other")]);
    request
}

/// What a worker that begins with this configuration makes of a request at its beginning, when it knows all keys.
fn from_the_start(config: &Value, request: &Request) -> Step {
    let mut stage = Stage::new(config);
    let step = stage.request(1, request);
    if !matches!(step, Step::Wait) {
        return step;
    }
    let call = stage.call();
    let keys = [1, 2].map(|number| Key::new(number).jwk());
    stage.answer(&call, 200, &json!({"keys": keys})).remove(0).1
}

/// Makes a configuration let more through, or changes what does not matter.
fn widen(random: &mut Random, config: &mut Value) {
    let push = |list: &mut Value, value: Value| {
        if let Some(list) = list.as_array_mut() {
            list.push(value);
        }
    };
    match random.below(12) {
        0 => push(&mut config["issuers"][0]["audiences"], json!("another")),
        1 => config["issuers"][0]["max_lifetime"] = json!("12h"),
        2 => config["issuers"][0]["algorithms"] = json!(["ES256", "EdDSA"]),
        3 => push(&mut config["issuers"][0]["jwks"]["inline"]["keys"], Key::new(9).jwk()),
        4 => drop(config.as_object_mut().unwrap().remove("ceiling")),
        5 => {
            push(&mut config["scopes"], json!({"name": "new", "methods": ["GET"], "paths": ["/"]}))
        }
        6 => push(&mut config["scopes"][0]["paths"], json!("/v3/orders")),
        7 => push(&mut config["scopes"][1]["methods"], json!("PUT")),
        8 => drop(config["scopes"][0].as_object_mut().unwrap().remove("require")),
        9 => config["harmless_method_overrides"] = json!(["x-http-method-override"]),
        10 => config["clock_skew"] = json!("30s"),
        _ => {
            let other = with(config["issuers"][0].clone(), json!({"issuer": "https://b.example"}));
            // Before the one that counts: its place is not its name.
            config["issuers"].as_array_mut().unwrap().insert(0, other);
        }
    }
}

/// How many random cases there are.
const CASES: usize = 300;

#[test]
fn an_equal_or_wider_configuration_ends_nothing() {
    let mut random = Random::new(0x5eed_0001);
    let mut ran = 0;
    for case in 0..CASES {
        let config = some_config(&mut random);
        let mut stage = Stage::new(&config);
        if !matches!(stage.request(1, &some_request(&mut random)), Step::Permit(_)) {
            continue;
        }
        ran += 1;
        stage.wait_millis(random.below(600_000) as u64);
        let mut next = config.clone();
        for _ in 0..random.below(4) {
            widen(&mut random, &mut next);
        }
        let steps = push(&mut stage, &next);
        assert!(steps.is_empty(), "case {case}: {config} then {next}: {steps:?}");
        assert!(stage.ended().is_empty(), "case {case}: {config} then {next}");
    }
    assert!(ran > CASES / 20, "{ran} of {CASES} requests ran");
}

#[test]
fn what_runs_is_judged_as_a_worker_that_begins_with_the_new_configuration_would_have() {
    let mut random = Random::new(0x5eed_0002);
    let (mut went_on, mut ended) = (0, 0);
    for case in 0..CASES {
        let request = some_request(&mut random);
        let mut stage = Stage::new(&some_config(&mut random));
        if !matches!(stage.request(1, &request), Step::Permit(_)) {
            continue;
        }
        stage.wait_millis(random.below(600_000) as u64);
        let next = some_config(&mut random);
        let judged = from_the_start(&next, &request);
        let steps = push(&mut stage, &next);
        match &judged {
            Step::Permit(_) => {
                went_on += 1;
                assert!(steps.is_empty(), "case {case}: {next}: {steps:?}");
            }
            Step::Refuse(refusal, _) => {
                ended += 1;
                let told = told(&steps);
                let reason = format!("({})", refusal.reason.code());
                assert!(told.contains(&reason), "case {case}: {next}: {told} without {reason}");
            }
            step => panic!("case {case}: {step:?}"),
        }
    }
    assert!(went_on > 3 && ended > 10, "{went_on} went on, {ended} ended");
}
