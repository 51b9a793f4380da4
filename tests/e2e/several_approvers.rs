//! A scope that takes two approvals: the service asks two people for them, and a real Envoy opens it to no grant of one.

use breakglass_tests::client::{Request, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::policy::{APPROVER, INCIDENT, JUSTIFICATION, SUBJECT};
use breakglass_tests::service::{COLLEAGUE, Service};
use serde_json::json;

/// A commander first, and then another person who is on call.
const RULE: &str = r#"
[[approval_rules]]
name = "writes"
scopes = ["orders:write"]
need = [{ from = ["commanders"] }, { from = ["oncall"] }]
in_order = true
"#;

fn write(token: &str) -> Request {
    request("POST", "/v1/orders").token(token).body("{}")
}

fn ask(service: &Service) -> String {
    let why = ["--reason", JUSTIFICATION, "--incident", INCIDENT, "--duration", "30m"];
    service.run(SUBJECT, &[&["request", "--scope", "orders:write"], &why[..]].concat()).done()
}

#[test]
fn a_scope_that_takes_two_approvals_opens_when_two_people_have_approved() {
    let mut service = Service::start();
    // A shared Envoy renames what is called as the cluster `approvals`, this field too.
    let plan = Plan::asking(&service).set("/scopes/1/require", json!({"approvals": 2}));
    let gate = plan.alone().start();

    // Without a rule one person approves, and that is too few here.
    let alone = ask(&service);
    let _grant = service.run(APPROVER, &["approve", &alone, "--yes"]).done();
    let token = service.run(SUBJECT, &["token", &alone]).done();
    gate.refuses(&write(&token), 403, "approvals_missing");

    service.add(RULE);
    let id = ask(&service);
    let early = service.run(COLLEAGUE, &["approve", &id, "--yes"]);
    assert!(
        early.code != 0 && early.stderr.contains("a rule of this request asks others before you"),
        "{early:?}"
    );
    let first = service.run(APPROVER, &["approve", &id, "--yes"]);
    for words in [
        "needs     1 of commanders (none until now), then 1 of oncall (none until now), for orders:write by the rule writes",
        "approved by you; there is no grant before others have approved it too:",
        "  whose approval counts now: carol@example.com",
    ] {
        assert!(first.stderr.contains(words), "{words}: {first:?}");
    }
    assert_eq!((first.code, first.stdout.as_str()), (0, ""), "no grant yet: {first:?}");
    let waits = service.run(SUBJECT, &["token", &id]);
    assert!(waits.code != 0 && waits.stderr.contains("waits for a decision"), "{waits:?}");
    let grant = service.run(COLLEAGUE, &["approve", &id, "--yes"]).done();
    let token = service.run(SUBJECT, &["token", &id]).done();
    let audit = gate.allows(&write(&token)).audit;
    assert_eq!(audit.text_of("grant"), Some(&*grant));
    assert_eq!(audit.of("approvers"), &json!([APPROVER, COLLEAGUE]));
    gate.has_its_first_vms();
}
