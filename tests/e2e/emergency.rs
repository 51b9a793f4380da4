//! A person takes the grant of an emergency alone: with a second factor, while no approver answers, at a real Envoy.

use std::fs;

use breakglass_testing::provider::TestProvider;
use breakglass_tests::client::{Request, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::policy::{AUDIENCE, INCIDENT, JUSTIFICATION};
use breakglass_tests::service::Service;
use serde_json::json;
use tempfile::TempDir;

use crate::step_up::{call, sign_in};

/// What is open to an emergency at the proxy, and what is not.
const SCOPES: [&str; 2] = ["orders:cancel", "orders:close"];

/// The service, whose rule takes two people, or the requester alone.
fn start(provider: &TestProvider, files: &TempDir) -> Service {
    let secret = files.path().join("secret");
    fs::write(&secret, TestProvider::secret()).unwrap();
    let level = "[identity_providers.levels.mfa]\nacr_values = [\"aal2\"]\n\
                 counts = { acr = [\"aal2\"], amr = [\"otp\"] }\n";
    let entry = provider.entry("corp", secret.to_str().unwrap(), level);
    let scopes = SCOPES.map(|name| {
        format!(
            "[[scopes]]\nname = \"{name}\"\naudience = \"{AUDIENCE}\"\nrequesters = [\"oncall\"]\nmax_duration = \"1h\"\n"
        )
    });
    let rule = format!(
        "[[approval_rules]]\nname = \"orders\"\nscopes = {SCOPES:?}\n\
         need = [{{ from = [\"commanders\"] }}, {{ from = [\"oncall\"] }}]\n\
         emergency = {{ sign_in = {{ level = \"mfa\", max_age = \"5m\" }} }}\n"
    );
    let mut service = Service::start();
    service.let_token_approve();
    service.add(&format!("{}{rule}{entry}", scopes.concat()));
    service
}

fn post(verb: &str, token: &str) -> Request {
    request("POST", format!("/v1/orders/17/{verb}")).token(token).body("{}")
}

#[test]
fn an_emergency_is_taken_alone_with_a_second_factor_and_its_record_says_so() {
    let (provider, files) = (TestProvider::start(), TempDir::new().unwrap());
    let service = start(&provider, &files);
    let gate = Plan::asking(&service)
        .filter(|filter| {
            let scopes = filter["scopes"].as_array_mut().unwrap();
            scopes.push(json!({
                "name": SCOPES[0], "methods": ["POST"], "paths": ["/v1/orders/{id}/cancel"],
            }));
            scopes.push(json!({
                "name": SCOPES[1], "methods": ["POST"], "paths": ["/v1/orders/{id}/close"],
                "require": { "basis": ["approved"] },
            }));
        })
        .alone()
        .start();
    let body = json!({ "scopes": SCOPES, "reason": JUSTIFICATION, "incident": INCIDENT, "duration": "30m",
        "emergency": true });

    let password = sign_in(&service, &provider, "", &json!({ "acr": "aal1", "amr": ["pwd"] }));
    let refused = call(&service, &password, "/v1/requests", &body);
    assert_eq!(
        (refused.status, &refused.json()["reason"]),
        (401, &json!("insufficient_user_authentication"))
    );

    let factor = json!({ "acr": "aal2", "amr": ["pwd", "otp"], "auth_time": breakglass_tests::tokens::now() });
    let person = sign_in(&service, &provider, "&level=mfa", &factor);
    let asked = call(&service, &person, "/v1/requests", &body);
    let view = asked.json();
    assert_eq!((asked.status, &view["state"]), (201, &json!("approved")), "{view}");
    assert_eq!(view["in_emergency"], json!({ "alone": true, "obstacles": [] }));
    let id = view["id"].as_str().unwrap();
    let token = call(&service, &person, &format!("/v1/requests/{id}/token"), &json!({})).json();
    let token = token["token"].as_str().unwrap();

    let audit = gate.allows(&post("cancel", token)).audit;
    assert_eq!(audit.text_of("grant"), view["grant"]["id"].as_str());
    assert_eq!((audit.of("basis"), audit.of("emergency")), (&json!("emergency"), &json!(true)));
    assert_eq!((audit.of("approvers"), audit.text_of("incident")), (&json!([]), Some(INCIDENT)));
    gate.refuses(&post("close", token), 403, "basis_not_allowed");
    gate.has_its_first_vms();
}
