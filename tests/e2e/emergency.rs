//! A person takes the grant of an emergency alone: with a second factor, while no approver answers, at a real Envoy; and what
//! follows until another person has looked at it.

use std::fs;

use breakglass_testing::provider::TestProvider;
use breakglass_testing::receiver::Receiver;
use breakglass_tests::client::{Request, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::policy::{APPROVER, AUDIENCE, INCIDENT, JUSTIFICATION};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::step_up::{call, sign_in};
use crate::trail::audit;

/// What is open to an emergency at the proxy, and what is not.
const SCOPES: [&str; 2] = ["orders:cancel", "orders:close"];

/// The service, whose rule takes two people, or the requester alone. It tells `receiver` of all that happens, and calls it to
/// rotate what the scopes touch.
fn start(provider: &TestProvider, files: &TempDir, receiver: &Receiver) -> Service {
    let secret = files.path().join("secret");
    fs::write(&secret, TestProvider::secret()).unwrap();
    let level = "[identity_providers.levels.mfa]\nacr_values = [\"aal2\"]\n\
                 counts = { acr = [\"aal2\"], amr = [\"otp\"] }\n";
    let entry = provider.entry("corp", secret.to_str().unwrap(), level);
    let scopes = SCOPES.map(|name| {
        format!(
            "[[scopes]]\nname = \"{name}\"\naudience = \"{AUDIENCE}\"\nrequesters = [\"oncall\"]\nmax_duration = \"1h\"\n\
             rotation = \"orders-keys\"\n"
        )
    });
    let rule = format!(
        "[[approval_rules]]\nname = \"orders\"\nscopes = {SCOPES:?}\n\
         need = [{{ from = [\"commanders\"] }}, {{ from = [\"oncall\"] }}]\n\
         emergency = {{ sign_in = {{ level = \"mfa\", max_age = \"5m\" }} }}\n"
    );
    let hook_secret = files.path().join("hook-secret");
    fs::write(&hook_secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let (url, hook_secret) = (&receiver.url, hook_secret.to_str().unwrap());
    let told = format!(
        "[[sinks]]\nname = \"all\"\ntype = \"webhook\"\nurl = \"{url}\"\nsecret_files = [\"{hook_secret}\"]\n\
         [[rotations]]\nname = \"orders-keys\"\nurl = \"{url}/rotate\"\nsecret_file = \"{hook_secret}\"\n"
    );
    let mut service = Service::start();
    service.let_token_approve();
    service.add(&format!("{}{rule}{entry}{told}", scopes.concat()));
    service
}

/// What a person on call asks for in an emergency.
fn ask() -> Value {
    json!({ "scopes": SCOPES, "reason": JUSTIFICATION, "incident": INCIDENT, "duration": "30m", "emergency": true })
}

/// A session of a person on call who has just shown a second factor.
fn with_factor(service: &Service, provider: &TestProvider) -> Value {
    let now = breakglass_tests::tokens::now();
    let factor = json!({ "acr": "aal2", "amr": ["pwd", "otp"], "auth_time": now });
    sign_in(service, provider, "&level=mfa", &factor)
}

/// What the filter has open to the scopes.
fn open(service: &Service) -> Plan {
    Plan::asking(service).filter(|filter| {
        let scopes = filter["scopes"].as_array_mut().unwrap();
        scopes.push(json!({
            "name": SCOPES[0], "methods": ["POST"], "paths": ["/v1/orders/{id}/cancel"],
        }));
        scopes.push(json!({
            "name": SCOPES[1], "methods": ["POST"], "paths": ["/v1/orders/{id}/close"],
            "require": { "basis": ["approved"] },
        }));
    })
}

fn post(verb: &str, token: &str) -> Request {
    request("POST", format!("/v1/orders/17/{verb}")).token(token).body("{}")
}

#[test]
fn an_emergency_is_taken_alone_with_a_second_factor_and_its_record_says_so() {
    let (provider, files) = (TestProvider::start(), TempDir::new().unwrap());
    let service = start(&provider, &files, &Receiver::start());
    let gate = open(&service).alone().start();
    let body = ask();

    let password = sign_in(&service, &provider, "", &json!({ "acr": "aal1", "amr": ["pwd"] }));
    let refused = call(&service, &password, "/v1/requests", &body);
    assert_eq!(
        (refused.status, &refused.json()["reason"]),
        (401, &json!("insufficient_user_authentication"))
    );

    let person = with_factor(&service, &provider);
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

/// Taken alone, told, used, ended, rotated, reviewed.
#[test]
fn an_emergency_is_told_used_ended_rotated_and_looked_at_by_another_person() {
    let (provider, files, receiver) =
        (TestProvider::start(), TempDir::new().unwrap(), Receiver::start());
    let service = start(&provider, &files, &receiver);
    // What it is used for comes with the heads of the audit chain.
    let gate = open(&service).set("/audit", audit()).alone().start();
    let person = with_factor(&service, &provider);
    let view = call(&service, &person, "/v1/requests", &ask()).json();
    assert_eq!(view["state"], "approved", "{view}");
    let (id, grant) = (view["id"].as_str().unwrap(), view["grant"]["id"].as_str().unwrap());
    let has = |kind: &str| receiver.types().iter().any(|one| one == kind);
    let heard = |kind: &str| until(kind, || has(kind).then_some(()));
    heard("breakglass.request.emergency_taken");

    let token = call(&service, &person, &format!("/v1/requests/{id}/token"), &json!({})).json();
    let token = token["token"].as_str().unwrap();
    gate.allows(&post("cancel", token));
    gate.refuses(&post("close", token), 403, "basis_not_allowed");

    // A person who could have approved it ends it.
    service.revoke(grant);
    until("the revocation to arrive", || {
        (gate.send(&post("cancel", token)).status != 200).then_some(())
    });
    heard("breakglass.grant.revoked");
    heard("breakglass.rotation.done");
    assert!(receiver.taken().iter().any(|call| call.path.ends_with("/rotate")));
    heard("breakglass.review.owed");

    let listed = service.run(APPROVER, &["review", "list", "--mine", "--json"]).json();
    let review = &listed["reviews"][0];
    assert_eq!((&review["grant"], &review["state"]), (&json!(grant), &json!("owed")), "{listed}");
    let review = review["id"].as_str().unwrap();
    let shown = until("what it was used for", || {
        let shown = service.run(APPROVER, &["review", "show", review, "--json"]).json();
        let used = shown["used"]["uses"].as_array()?;
        let is_cancel = |kind: &&Value| kind["rule"] == "/v1/orders/{id}/cancel";
        used.iter().find(is_cancel)?;
        Some(shown)
    });
    assert_eq!(
        (&shown["granted"]["grant"]["basis"], &shown["approvals"]),
        (&json!("emergency"), &json!([]))
    );
    assert_eq!(
        (&shown["ended"]["how"], &shown["ended"]["by"]),
        (&json!("revoked"), &json!(APPROVER))
    );
    // The requester does not look at it.
    let own = call(
        &service,
        &person,
        &format!("/v1/reviews/{review}/sign"),
        &json!({ "digest": shown["digest"] }),
    );
    assert_eq!((own.status, &own.json()["reason"]), (403, &json!("took_part")));
    let signed = ["review", "sign", review, "--yes", "--note", "as the incident needed"];
    let _ = service.run(APPROVER, &signed).done();
    heard("breakglass.review.signed");
    let after = service.run(APPROVER, &["status", id, "--json"]).json();
    assert_eq!(after["review"]["state"], "signed", "{after}");
    assert_eq!(after["rotations"][0]["state"], "done", "{after}");
}
