//! What a refusal says, and to whom.

use breakglass_core::step::{Refusal, Step};
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, claims, config, test, with};

fn refusal(config: &Value, request: &Request) -> Refusal {
    let step = Stage::new(config).request(1, request);
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    refusal
}

fn header<'a>(refusal: &'a Refusal, name: &str) -> Option<&'a str> {
    let found = refusal.headers.iter().find(|(given, _)| *given == name);
    found.map(|(_, value)| value.as_str())
}

fn problem(refusal: &Refusal) -> Value {
    assert_eq!(header(refusal, "content-type"), Some("application/problem+json"));
    serde_json::from_slice(&refusal.body).unwrap()
}

fn token() -> String {
    Key::new(1).sign(&claims())
}

#[test]
fn before_a_signature_is_verified_an_answer_says_no_more_than_the_reason() {
    let refusal = refusal(&config(), &Request::under(&Key::new(2).sign(&claims())));
    assert_eq!(
        problem(&refusal),
        json!({
            "type": "urn:breakglass:reason:key_unknown",
            "title": "A valid break-glass token is needed",
            "status": 401,
            "detail": "the token was refused: key_unknown",
            "reason": "key_unknown",
            "request_id": "request-1",
        })
    );
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            r#"Bearer realm="breakglass", error="invalid_token", error_description="key_unknown""#
        )
    );
}

#[test]
fn the_holder_is_told_what_the_grant_covers_and_what_to_ask_for() {
    let request = Request::new("POST", "/v1/orders").header("x-breakglass-token", token());
    let refusal = refusal(&config(), &request);
    let problem = problem(&refusal);
    assert_eq!(
        problem["grant"],
        json!({
            "id": "grant-1", "subject": "alice", "expires_at": "2027-01-15T08:13:20.000Z",
            "scopes": [{"scope": "orders:read", "methods": ["GET", "HEAD"],
                "paths": ["/v1/orders", "/v1/orders/{id}"]}],
        })
    );
    assert_eq!(
        problem["remedy"],
        "breakglass request --scope orders:write --reason '<why>' --incident INC-1 --duration 30m"
    );
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            "Bearer realm=\"breakglass\", error=\"insufficient_scope\", \
             error_description=\"out_of_scope\", scope=\"orders:write\""
        )
    );
}

#[test]
fn nothing_is_offered_that_no_scope_covers() {
    let request = Request::new("DELETE", "/v1/orders").header("x-breakglass-token", token());
    assert_eq!(problem(&refusal(&config(), &request)).get("remedy"), None);
}

#[test]
fn what_is_offered_is_safe_to_paste() {
    for (incident, offered) in [
        ("INC-7", " --incident INC-7"),
        ("two words", " --incident 'two words'"),
        ("$(rm -rf /)", " --incident '$(rm -rf /)'"),
        ("it's", r" --incident 'it'\''s'"),
        ("--help", ""),
        ("a;b", " --incident 'a;b'"),
    ] {
        let breakglass = json!({"reason": "x", "incident": incident, "approvers": ["bob"]});
        let token = Key::new(1).sign(&with(claims(), json!({"breakglass": breakglass})));
        let request = Request::new("POST", "/v1/orders").header("x-breakglass-token", token);
        let problem = problem(&refusal(&config(), &request));
        let remedy = problem["remedy"].as_str().unwrap();
        assert!(remedy.ends_with(&format!("'<why>'{offered} --duration 30m")), "{remedy}");
    }
}

#[test]
fn a_step_up_is_a_challenge_of_rfc_9470() {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "require": {"acr": ["aal2", "aal3"], "max_auth_age": "15m"}});
    let refusal = refusal(&with(config(), json!({"scopes": [scope]})), &Request::under(&token()));
    assert_eq!(
        header(&refusal, "www-authenticate"),
        Some(
            "Bearer realm=\"breakglass\", error=\"insufficient_user_authentication\", \
             error_description=\"step_up_required\", acr_values=\"aal2 aal3\", max_age=\"900\""
        )
    );
}

#[test]
fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    let deny = with(config(), json!({"unauthenticated": "deny"}));
    let refusal = refusal(&deny, &Request::new("GET", "/"));
    assert_eq!(header(&refusal, "www-authenticate"), Some("Bearer realm=\"breakglass\""));
}

#[test]
fn a_grpc_client_gets_a_grpc_status_and_a_message() {
    let request = Request::new("POST", "/v1/orders")
        .header("content-type", "application/grpc+proto")
        .header("x-breakglass-token", token());
    let refusal = refusal(&config(), &request);
    assert_eq!(refusal.grpc_status, 7);
    assert_eq!(header(&refusal, "content-type"), None);
    let message = String::from_utf8(refusal.body).unwrap();
    assert!(message.starts_with("out_of_scope: ") && message.contains("breakglass request"));
}

#[test]
fn only_what_envoy_takes_for_grpc_gets_a_grpc_answer() {
    for (content_type, is_grpc) in [
        ("application/grpc", true),
        ("application/grpc+json", true),
        ("application/grpc-web", false),
        ("application/grpcx", false),
        ("application/grpc; charset=utf-8", false),
        ("application/json", false),
    ] {
        let request = Request::under("x").header("content-type", content_type);
        let refusal = refusal(&config(), &request);
        assert_eq!(header(&refusal, "content-type").is_none(), is_grpc, "{content_type}");
    }
}

#[test]
fn a_failure_of_the_filter_refuses_what_was_already_permitted() {
    let mut stage = Stage::new(&config());
    let step = stage.request(1, &Request::under(&token()));
    assert!(matches!(step, Step::Permit(_)));
    let (refusal, _) = stage.worker.fail(1, stage.now);
    assert_eq!(refusal.reason.status(), 500);
    let record = stage.logged(1).unwrap();
    assert_eq!(
        (&record["decision"], &record["reason"]),
        (&json!("deny"), &json!("internal_error"))
    );
    assert_eq!(record["grant"], "grant-1");
}
