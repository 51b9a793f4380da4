//! `x-breakglass-probe`: a challenge that verifies is answered, and every other value changes nothing.

use breakglass_core::config::ConfigDigest;
use breakglass_core::probe::{
    Answering, Asked, MAX_PROBE_REPORTS, PROBE_AUDIENCE, PROBE_HEADER, PROBE_TYPE, ProbeAnswer,
    ProbeKey,
};
use breakglass_core::step::Step;
use serde_json::{Value, json};

use super::support::{
    Key, NOW, Request, Stage, assert_refused, claims, config, feeding_config, fetching_config,
    parse, test, with,
};

/// What our own service puts into a challenge.
fn payload() -> Value {
    json!({"iss": "https://issuer.example", "aud": PROBE_AUDIENCE, "jti": "prb_1",
        "iat": NOW - 1, "exp": NOW + 59})
}

fn challenge_of(key: u8, payload: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": format!("key-{key}"), "typ": PROBE_TYPE});
    Key::new(key).sign_parts(&header.to_string(), payload.to_string().as_bytes())
}

fn challenge() -> String {
    challenge_of(1, &payload())
}

fn asking(challenge: &str) -> Request {
    Request::new("GET", "/anything").header(PROBE_HEADER, challenge)
}

fn answered(step: Step) -> ProbeAnswer {
    let Step::Probed(answer) = step else { panic!("{step:?}") };
    answer
}

/// The digest that a poll says.
fn digest(config: &Value) -> String {
    ConfigDigest::of(config.to_string().as_bytes()).unwrap().text()
}

/// What a call says under this name.
fn header<'a>(call: &'a breakglass_core::calls::Call, name: &str) -> Option<&'a str> {
    call.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
}

/// With a credential, and so with a key that the service has as well.
fn keyed() -> Value {
    feeding_config()
}

/// The fields of a step that a client, an upstream or a reader of logs could tell apart.
fn seen_of(step: &Step) -> String {
    match step {
        Step::Refuse(refusal, record) => {
            let mut record: Value = serde_json::from_str(record).unwrap();
            record["chain"] = Value::Null;
            format!("{:?} {:?} {record}", refusal.headers, String::from_utf8_lossy(&refusal.body))
        }
        Step::Pass(pass) => format!("pass {:?} {:?}", pass.record, pass.mark),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_challenge_that_verifies_is_answered_with_what_only_the_service_can_read() {
    for changes in [
        json!({}),
        json!({"unauthenticated": "deny"}),
        json!({"protected": [{"paths": ["/**"]}]}),
        json!({"enforcement": "shadow"}),
    ] {
        let config = with(keyed(), changes);
        let mut stage = Stage::new(&config);
        let (poll, challenge) = (stage.call(), challenge());
        let answer = answered(stage.request(1, &asking(&challenge)));
        let key = ProbeKey::from_credential("proxy-secret");
        let asked = Asked { challenge: &challenge, authority: b"orders.internal" };
        let (process, config) = (header(&poll, "breakglass-process").unwrap(), digest(&config));
        assert_eq!(header(&poll, "breakglass-config"), Some(config.as_str()));
        let answering = Answering { process, version: "1.2.3", config: &config };
        assert!(key.made_by(&answer, &asked, &answering), "{config}");
        // Nothing is recorded, and nothing is held.
        assert!(!stage.worker.holds(1));
        assert!(stage.logged(1).is_none());
        let tick = stage.tick();
        assert_eq!(tick.counters, [("breakglass.probe.result.answered".to_owned(), 1)]);
        assert_eq!(tick.calls.len(), 1, "the report");
    }
}

/// Of every part of a challenge that could be another one.
#[test]
fn every_other_value_changes_nothing() {
    let good = challenge();
    let signed = |changes| challenge_of(1, &with(payload(), changes));
    let typed = |header: Value| {
        Key::new(1).sign_parts(&header.to_string(), payload().to_string().as_bytes())
    };
    let kid = "key-1";
    let large = "x".repeat(3000);
    let token = Key::new(1).sign(&claims());
    let bad: Vec<(&str, String)> = vec![
        ("nothing", String::new()),
        ("a word", "1".into()),
        ("no base64", "a.b.c".into()),
        ("a break-glass token", token.clone()),
        ("too large", signed(json!({"x": large}))),
        ("another key", challenge_of(2, &payload())),
        ("another key by the name of ours", {
            let header = json!({"alg": "ES256", "kid": kid, "typ": PROBE_TYPE});
            Key::new(2).sign_parts(&header.to_string(), payload().to_string().as_bytes())
        }),
        ("a signature that was changed", {
            let (rest, last) = good.split_at(good.len() - 6);
            format!("{rest}{}", last.chars().rev().collect::<String>())
        }),
        ("another type", typed(json!({"alg": "ES256", "kid": kid, "typ": "breakglass+jwt"}))),
        ("no type", typed(json!({"alg": "ES256", "kid": kid}))),
        ("another algorithm", typed(json!({"alg": "none", "kid": kid, "typ": PROBE_TYPE}))),
        (
            "a key of its own",
            typed(json!({"alg": "ES256", "kid": kid, "typ": PROBE_TYPE, "jwk": {}})),
        ),
        ("another issuer", signed(json!({"iss": "https://other.example"}))),
        ("another audience", signed(json!({"aud": "payments-prod"}))),
        ("two audiences", signed(json!({"aud": [PROBE_AUDIENCE, "payments-prod"]}))),
        ("no audience", signed(json!({"aud": null}))),
        ("over", signed(json!({"iat": NOW - 66, "exp": NOW - 6}))),
        ("of later", signed(json!({"iat": NOW + 6, "exp": NOW + 60}))),
        ("too long", signed(json!({"iat": NOW - 1, "exp": NOW + 60}))),
        ("no time", signed(json!({"exp": NOW - 1}))),
        ("the end before the beginning", signed(json!({"iat": NOW, "exp": NOW - 1}))),
        ("no iat", signed(json!({"iat": null}))),
        ("a text for exp", signed(json!({"exp": "1"}))),
        ("the largest exp", signed(json!({"iat": u64::MAX - 1, "exp": u64::MAX}))),
        ("no jti", signed(json!({"jti": null}))),
        ("a jti that ends a header", signed(json!({"jti": "a,b"}))),
        ("a long jti", signed(json!({"jti": "a".repeat(65)}))),
        ("among others", format!("{good},{good}")),
        ("with a blank", format!(" {good}")),
    ];
    for changes in [
        json!({}),
        json!({"unauthenticated": "deny"}),
        json!({"enforcement": "shadow", "unauthenticated": "deny"}),
        json!({"protected": [{"paths": ["/anything"]}]}),
    ] {
        for (name, value) in &bad {
            let config = with(keyed(), changes.clone());
            let (mut stage, mut plain) = (Stage::new(&config), Stage::new(&config));
            stage.tick();
            plain.tick();
            let step = stage.request(1, &asking(value));
            let expected = plain.request(1, &Request::new("GET", "/anything"));
            assert_eq!(seen_of(&step), seen_of(&expected), "{name} {changes}");
            if let Step::Pass(pass) = &step {
                assert_eq!(pass.remove, [PROBE_HEADER], "{name}");
            }
            assert_eq!(stage.logged(1).is_some(), plain.logged(1).is_some(), "{name}");
            assert_eq!(stage.tick().counters, plain.tick().counters, "{name}");
        }
    }
}

#[test]
fn a_challenge_counts_to_its_end_and_the_skew_and_no_longer() {
    let mut stage = Stage::new(&keyed());
    let challenge = challenge();
    stage.wait_millis(59_000 + 4_999);
    answered(stage.request(1, &asking(&challenge)));
    stage.wait_millis(1);
    assert!(matches!(stage.request(2, &asking(&challenge)), Step::Pass(_)));
    // By a clock that is behind.
    let early = challenge_of(1, &with(payload(), json!({"iat": NOW + 5, "exp": NOW + 65})));
    let mut stage = Stage::new(&keyed());
    answered(stage.request(1, &asking(&early)));
}

#[test]
fn a_challenge_is_no_token_and_a_token_is_no_challenge() {
    let mut stage = Stage::new(&config());
    // Everything that a token has, and the type of a challenge.
    let both = with(claims(), payload());
    let aud = json!({"aud": [PROBE_AUDIENCE, "payments-prod"]});
    for (payload, refused) in [
        (payload(), "token_type"),
        (both.clone(), "token_type"),
        (with(both.clone(), aud), "token_type"),
    ] {
        let challenge = challenge_of(1, &payload);
        let step = stage.request(1, &Request::under(&challenge));
        assert_refused(&step, refused);
    }
    // The type of a token, and everything else of a challenge.
    let typed = Key::new(1).sign(&both);
    assert_refused(&stage.request(2, &Request::under(&typed)), "audience_mismatch");
    let typed = Key::new(1).sign(&payload());
    assert_refused(&stage.request(3, &Request::under(&typed)), "claim_missing");
    for token in [Key::new(1).sign(&claims()), typed, Key::new(1).sign(&both)] {
        assert!(matches!(stage.request(4, &asking(&token)), Step::Pass(_)));
    }
}

#[test]
fn no_configuration_takes_challenges_for_tokens() {
    let refused = |issuer: Value| {
        let issuer = with(config()["issuers"][0].clone(), issuer);
        let errors = parse(&with(config(), json!({ "issuers": [issuer] }))).unwrap_err();
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        error.to_string()
    };
    for typ in [PROBE_TYPE, "Breakglass-Probe+JWT", "application/breakglass-probe+jwt"] {
        let error = refused(json!({"typ": ["breakglass+jwt", typ]}));
        assert!(error.starts_with("issuers[0].typ[1]"), "{error}");
        assert!(error.contains("breakglass probe"), "{error}");
    }
    let error = refused(json!({"audiences": ["payments-prod", PROBE_AUDIENCE]}));
    assert!(error.starts_with("issuers[0].audiences[1]"), "{error}");
    for header in [PROBE_HEADER, "X-Breakglass_Probe"] {
        let sources = json!({"token_sources": [{"header": header}]});
        let errors = parse(&with(config(), sources)).unwrap_err();
        assert!(errors[0].to_string().contains("challenges of `breakglass probe`"), "{errors:?}");
    }
}

#[test]
fn a_request_with_a_token_is_judged_by_its_token_alone() {
    let mut stage = Stage::new(&config());
    let token = Key::new(1).sign(&claims());
    let step = stage.request(1, &Request::under(&token).header(PROBE_HEADER, challenge()));
    let Step::Permit(permit) = &step else { panic!("{step:?}") };
    assert!(permit.remove().iter().any(|name| name == PROBE_HEADER));
    assert!(stage.logged(1).is_some());
    let step = stage.request(2, &Request::under("junk").header(PROBE_HEADER, challenge()));
    assert_refused(&step, "token_malformed");
    let twice = asking(&challenge()).header("x-breakglass-token", &token);
    let twice = twice.header("x-breakglass-token", token);
    assert_refused(&stage.request(3, &twice), "token_duplicated");
}

#[test]
fn a_tunnel_and_a_header_that_comes_twice_are_not_answered() {
    let mut stage = Stage::new(&config());
    let upgrade = asking(&challenge()).header("connection", "upgrade");
    for request in [
        Request::new("CONNECT", "").header(PROBE_HEADER, challenge()),
        upgrade.header("upgrade", "websocket"),
        asking(&challenge()).header(PROBE_HEADER, challenge()),
        Request::new("GET", "/anything").header("x_breakglass_probe", challenge()),
    ] {
        let step = stage.request(1, &request);
        let Step::Pass(pass) = &step else { panic!("{step:?}") };
        assert_eq!(pass.remove.len(), 1, "{pass:?}");
    }
}

#[test]
fn an_answer_is_for_the_authority_of_the_request() {
    let mut stage = Stage::new(&keyed());
    let challenge = challenge();
    let key = ProbeKey::from_credential("proxy-secret");
    for authority in ["orders.internal:8443", "other.internal", "", "\u{0}\u{ff}"] {
        let request = asking(&challenge).replace(":authority", authority);
        let answer = answered(stage.request(1, &request));
        for of in ["orders.internal:8443", "other.internal", "", "\u{0}\u{ff}"] {
            let asked = Asked { challenge: &challenge, authority: of.as_bytes() };
            assert_eq!(key.made(&answer, &asked), of == authority, "{authority:?} {of:?}");
        }
    }
}

#[test]
fn no_source_is_asked_for_the_key_of_a_challenge() {
    let mut stage = Stage::new(&fetching_config());
    let fetch = stage.call();
    assert!(matches!(stage.request(1, &asking(&challenge())), Step::Pass(_)));
    stage.answer(&fetch, 200, &json!({"keys": [Key::new(1).jwk()]}));
    answered(stage.request(2, &asking(&challenge())));
    assert!(matches!(stage.request(3, &asking(&challenge_of(9, &payload()))), Step::Pass(_)));
    stage.wait_millis(2000);
    assert!(stage.tick().calls.is_empty());
}

/// Of a worker without a credential, which polls for itself.
fn unkeyed() -> Value {
    with(
        config(),
        json!({"revocation": {"feed": {"cluster": "approvals", "authority": "approvals.internal",
            "path": "/v1/revocations"}}}),
    )
}

#[test]
fn without_a_credential_the_answer_is_reported_with_a_poll_at_once() {
    let mut stage = Stage::new(&unkeyed());
    let poll = stage.call();
    let challenge = challenge();
    let answer = answered(stage.request(1, &asking(&challenge)));
    // The poll that hangs is another one.
    let report = stage.call();
    assert_ne!(report.id, poll.id);
    let asked = Asked { challenge: &challenge, authority: b"orders.internal" };
    let expected = format!("prb_1={}", answer.report(&asked));
    assert_eq!(header(&report, "breakglass-probes"), Some(expected.as_str()));
    assert_eq!(header(&report, ":path"), Some("/v1/revocations?node=edge-1"));
    assert_eq!(header(&report, "breakglass-version"), Some("1.2.3"));
    assert_eq!(header(&report, "breakglass-config"), Some(digest(&unkeyed()).as_str()));
    // Only this worker makes that answer: another one has another random key.
    for secret in ["", "proxy-secret"] {
        assert!(!ProbeKey::from_credential(secret).made(&answer, &asked));
    }
    let other =
        answered(Stage::beside(&unkeyed(), 2, &stage.board).request(1, &asking(&challenge)));
    assert_ne!(other, answer);
    // The same once more is known already.
    assert_eq!(answered(stage.request(2, &asking(&challenge))), answer);
    stage.answer(&report, 200, &json!({"epoch": 0, "revoked": [], "reset": true}));
    stage.wait_millis(500);
    assert!(stage.tick().calls.is_empty());
    // Its own poll goes on as before.
    stage.answer(&poll, 200, &json!({"epoch": 3, "revoked": [], "reset": true}));
    stage.wait_millis(1000);
    let next = stage.call();
    assert!(header(&next, ":path").unwrap().contains("&after=3"), "{next:?}");
    assert_eq!(header(&next, "breakglass-probes"), None);
}

#[test]
fn the_reports_of_one_worker_are_bounded() {
    let mut stage = Stage::new(&unkeyed());
    stage.call();
    let challenge = challenge();
    let ask = |stage: &mut Stage, from: usize, to: usize| {
        for number in from..to {
            let authority = format!("host-{number}.internal");
            let request = asking(&challenge).replace(":authority", &authority);
            answered(stage.request(1, &request));
        }
    };
    ask(&mut stage, 0, 1);
    let first = stage.call();
    ask(&mut stage, 1, 1000);
    assert!(stage.tick().calls.is_empty(), "one is under way");
    stage.fail(&first);
    assert!(stage.tick().calls.is_empty(), "not at once");
    stage.wait_millis(100);
    let second = stage.call();
    let reports = header(&second, "breakglass-probes").unwrap();
    assert_eq!(reports.split(',').count(), MAX_PROBE_REPORTS);
    stage.answer(&second, 200, &json!({}));
    stage.wait_millis(1000);
    assert!(stage.tick().calls.is_empty(), "the others are not reported");
}

#[test]
fn each_worker_reports_by_its_own_configuration() {
    let mut leader = Stage::new(&keyed());
    leader.call();
    answered(leader.request(1, &asking(&challenge())));
    let report = leader.call();
    assert!(header(&report, "breakglass-probes").is_some());
    let config = with(keyed(), json!({"unauthenticated": "deny"}));
    let mut other = Stage::beside(&config, 2, &leader.board);
    other.tick();
    answered(other.request(1, &asking(&challenge())));
    let report = other.call();
    assert!(header(&report, "breakglass-probes").is_some());
    assert_eq!(header(&report, "breakglass-config"), Some(digest(&config).as_str()));
}

#[test]
fn without_a_feed_nothing_is_reported() {
    let mut stage = Stage::new(&config());
    answered(stage.request(1, &asking(&challenge())));
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1000);
    assert!(stage.tick().calls.is_empty());
}

/// Whatever bytes come, nothing panics, and nothing but a challenge is answered.
#[test]
fn damaged_challenges_are_not_answered() {
    let good = challenge();
    let mut stage = Stage::new(&keyed());
    stage.tick();
    for at in 0..good.len() {
        for byte in [0, b'.', b'A', b'-', 0xff] {
            let mut bytes = good.clone().into_bytes();
            if bytes[at] == byte {
                continue;
            }
            bytes[at] = byte;
            let request = Request::new("GET", "/anything").header(PROBE_HEADER, &bytes);
            let step = stage.request(1, &request);
            assert!(matches!(step, Step::Pass(_)), "{at} {byte}: {step:?}");
        }
        let cut: String = good.chars().take(at).collect();
        let cut = asking(&cut);
        assert!(matches!(stage.request(1, &cut), Step::Pass(_)), "{at}");
    }
}

/// What a poll says of a configuration that refuses nothing.
#[test]
fn a_poll_says_that_nothing_is_enforced() {
    let mut stage = Stage::new(&with(keyed(), json!({"enforcement": "shadow"})));
    assert_eq!(header(&stage.call(), "breakglass-enforcement"), Some("shadow"));
    assert_eq!(header(&Stage::new(&keyed()).call(), "breakglass-enforcement"), None);
}
