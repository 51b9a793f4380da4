//! What a grant was used for, from the calls at a real Envoy to what the service shows of it.

use breakglass_tests::client::request;
use breakglass_tests::policy::APPROVER;
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::trail;

#[test]
fn what_a_grant_was_used_for_is_shown_without_a_log() {
    let service = Service::start();
    let gate = trail::plan(&service).start();
    let (grant, token) = service.grant(&["orders:read"], "10m");
    let call = |method: &str, path: &str| request(method, path).token(&token);
    let get = || call("GET", "/v1/orders/17");
    until("the feed to be known", || (gate.send(&get()).status == 200).then_some(()));
    gate.allows(&get());
    gate.allows(&call("HEAD", "/v1/orders"));
    gate.refuses(&call("DELETE", "/v1/orders/17"), 403, "out_of_scope");
    gate.refuses(&call("MADEUP", "/v1/orders/17"), 403, "out_of_scope");

    // Every record of the grant in the log is of one of these kinds.
    let sealed = || {
        let records = gate.envoy.records().into_iter();
        let of_grant = records.filter_map(|record| {
            let audit = record.audit()?;
            audit.of("grant_seq").as_u64().filter(|_| audit.text_of("grant") == Some(&*grant))
        });
        i64::try_from(of_grant.count()).unwrap()
    };
    let shown = until("all uses to be reported", || {
        let shown = service.run(APPROVER, &["uses", &grant, "--json"]).json();
        let uses = shown["uses"].as_array()?.iter();
        let records: i64 = uses.map(|used| used["records"].as_i64().unwrap()).sum();
        (records == sealed() && records >= 5).then_some(shown)
    });
    assert_eq!((&shown["grant"], &shown["other_records"]), (&json!(grant), &json!(0)));
    let mut kinds: Vec<Value> = shown["uses"].as_array().unwrap().clone();
    for kind in &mut kinds {
        kind.as_object_mut().unwrap().remove("records");
    }
    let kind = |method: &str, rule: &str| json!({"scope": "orders:read", "method": method, "rule": rule, "outcome": "allow"});
    for expected in [
        kind("GET", "/v1/orders/{id}"),
        kind("HEAD", "/v1/orders"),
        json!({"method": "DELETE", "outcome": "deny"}),
        json!({"method": "other", "outcome": "deny"}),
    ] {
        assert!(kinds.contains(&expected), "{expected}: {kinds:?}");
    }
    let table = service.run(AUDITOR, &["uses", &grant]).stdout;
    assert!(table.contains("allow  GET     /v1/orders/{id}  orders:read"), "{table}");
}
