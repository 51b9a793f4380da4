//! By which steps a decision was made.

use breakglass_core::trace::{Rule, Said, Steps, Trace};
use serde_json::{Value, json};

use crate::support::{Key, NOW, Request, Stage, asking_config, claims, config, test, with};

/// The steps by which requests were decided, one after the other.
fn traced(config: &Value, requests: &[Request]) -> Vec<Trace> {
    let mut stage = Stage::new(config);
    stage.worker.keep_traces();
    for (stream, request) in (1..).zip(requests) {
        drop(stage.request(stream, request));
    }
    stage.worker.take_traces().into_iter().map(|(_, trace)| trace).collect()
}

/// The steps by which one request was decided.
fn steps(config: &Value, request: Request) -> Steps {
    traced(config, &[request]).pop().unwrap().own
}

fn signed(changes: Value) -> Request {
    Request::under(&Key::new(1).sign(&with(claims(), changes)))
}

#[test]
fn a_permit_names_every_rule_that_let_it_through() {
    let all = [
        "token_form",
        "issuer",
        "token_type",
        "algorithm",
        "key",
        "claims",
        "signature",
        "audience",
        "lifetime",
        "time",
        "readings",
        "ceiling",
        "method_override",
        "reserved_header",
        "second_resource",
        "tunnel",
        "plain_path",
        "scope",
        "requirements",
        "sender",
        "standing",
    ]
    .map(|rule| format!("{rule}=passed"));
    assert_eq!(steps(&config(), signed(json!({}))).to_string(), all.join(" "));
}

#[test]
fn a_token_that_is_known_is_not_verified_again() {
    let requests = [signed(json!({})), signed(json!({}))];
    let traces = traced(&config(), &requests);
    let said = |trace: &Trace| [Rule::Signature, Rule::Time].map(|rule| trace.own.said(rule));
    // Each request arrives, and is judged then.
    assert_eq!(traces.len(), 4);
    assert_eq!(said(&traces[1]), [Said::Passed, Said::Passed]);
    assert_eq!(said(&traces[3]), [Said::PassedBefore, Said::Passed]);
}

#[test]
fn a_refusal_names_the_rule_and_nothing_after_it_is_looked_at() {
    let ceiling = with(config(), json!({"ceiling": [{"paths": ["/v1/**"]}]}));
    let mut step_up = config();
    step_up["scopes"][0]["require"] = json!({"amr": ["mfa"]});
    let mut bound = config();
    bound["scopes"][0]["require"] = json!({"sender_constrained": true});
    let deny = with(config(), json!({"unauthenticated": "deny"}));
    let path = |path: &str| {
        Request::new("GET", path).header("x-breakglass-token", Key::new(1).sign(&claims()))
    };
    let cases = [
        (&deny, Request::new("GET", "/v1/orders"), Rule::TokenNeeded, "token_missing"),
        (&config(), Request::under("x"), Rule::TokenForm, "token_malformed"),
        (&config(), signed(json!({"iss": "https://b.example"})), Rule::Issuer, "issuer_unknown"),
        (&config(), Request::under(&Key::new(2).sign(&claims())), Rule::Key, "key_unknown"),
        (&config(), signed(json!({"sub": null})), Rule::Claims, "claim_missing"),
        (&config(), signed(json!({"aud": "b"})), Rule::Audience, "audience_mismatch"),
        (&config(), signed(json!({"exp": NOW + 9_000})), Rule::Lifetime, "lifetime_exceeded"),
        (&config(), signed(json!({"exp": NOW - 50})), Rule::Time, "token_expired"),
        (&ceiling, signed(json!({})), Rule::Ceiling, "ceiling"),
        (
            &config(),
            signed(json!({})).header("x-http-method-override", "PUT"),
            Rule::MethodOverride,
            "method_override",
        ),
        (
            &config(),
            signed(json!({})).header("x-original-url", "/v2"),
            Rule::SecondResource,
            "second_resource",
        ),
        (&config(), path("/v1//orders"), Rule::PlainPath, "ambiguous_path"),
        (&config(), path("/v2/orders"), Rule::Scope, "out_of_scope"),
        (&step_up, signed(json!({})), Rule::Requirements, "step_up_required"),
        (&bound, signed(json!({})), Rule::Sender, "sender_mismatch"),
    ];
    for (config, request, rule, reason) in cases {
        let steps = steps(config, request);
        let (refused, why) = steps.refused().unwrap_or_else(|| panic!("{reason}: {steps}"));
        assert_eq!((refused, why.code()), (rule, reason), "{steps}");
        let place = Rule::ALL.iter().position(|one| *one == rule).unwrap();
        for later in &Rule::ALL[place + 1..] {
            assert_eq!(steps.said(*later), Said::NotLookedAt, "{reason}: {}", later.name());
        }
    }
}

#[test]
fn what_is_asked_outside_is_said() {
    let steps = steps(&asking_config(), signed(json!({})));
    assert_eq!((steps.said(Rule::Standing), steps.refused()), (Said::Asked, None));
}

#[test]
fn nothing_is_kept_while_nobody_asks() {
    let mut stage = Stage::new(&config());
    drop(stage.request(1, &signed(json!({}))));
    assert!(stage.worker.take_traces().is_empty());
}
