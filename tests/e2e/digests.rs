//! A scope that is edited between its approval and its use, in a real Envoy: refused where it says `same_digest`, else
//! recorded, and named by `breakglass audit report`; and what a proxy tells the approval service of its configuration.

use std::collections::BTreeSet;
use std::process::Command;

use breakglass_tests::approvals::{CONFIGURATIONS, FEED, Reply};
use breakglass_tests::artefacts::binary;
use breakglass_tests::bootstrap::Delivery;
use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::jwks;
use breakglass_tests::policy::{AUDIENCE, standard};
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::{during, until};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The rules of `orders:read` in the standard configuration, as docs/scope-digests.md writes them.
const APPROVED: &str = r#"{"methods":["GET","HEAD"],"paths":["/v1/orders","/v1/orders/{id}","/v1/orders/{id}/items/**"],"upgrades":["websocket"],"v":1}"#;

fn sha256(form: &str) -> String {
    let digest = digest(&SHA256, form.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A token with these members of `breakglass` beside those of before.
fn approved<'k>(gate: &'k Gate, members: Value) -> Mint<'k> {
    let mut claim = json!({"reason": "orders are stuck", "approvers": ["bob@example.com"]});
    for (name, value) in members.as_object().unwrap() {
        claim[name] = value.clone();
    }
    gate.mint().claim("breakglass", claim)
}

fn orders(token: &Mint<'_>) -> Request {
    get("/v1/orders").token(token.sign())
}

/// A second proxy for the same tokens, whose scope `orders:read` differs.
fn edited(first: &Gate, change: impl FnOnce(&mut Value)) -> Plan {
    let plan = Plan::standard().set("/issuers/0/jwks", json!({"inline": jwks(&[&first.key])}));
    plan.filter(|filter| change(&mut filter["scopes"][0])).alone()
}

fn path(scope: &mut Value) {
    scope["paths"].as_array_mut().unwrap().push(json!("/v1/invoices"));
}

fn upgrades(scope: &mut Value) {
    scope["upgrades"].as_array_mut().unwrap().push(json!("spdy/3.1"));
}

#[test]
fn a_scope_that_was_widened_after_its_approval_is_refused_where_it_says_same_digest() {
    let gate = Plan::standard().set("/scopes/0/same_digest", json!(true)).start();
    let approved_for = json!({"orders:read": sha256(APPROVED)});
    let token =
        approved(&gate, json!({"scopes": approved_for, "basis": "approved", "approvals": 1}));
    let audit = gate.allows(&orders(&token)).audit;
    assert_eq!(audit.text_of("scope_digest"), Some(sha256(APPROVED).as_str()), "{}", audit.text);
    assert_eq!(audit.text_of("basis"), Some("approved"));
    assert!(!audit.text.contains("approved_digest"), "{}", audit.text);
    for change in [path, upgrades] {
        let wider = edited(&gate, |scope| {
            change(scope);
            scope["same_digest"] = json!(true);
        });
        let wider = wider.start();
        let refused = wider.refuses(&orders(&token), 403, "scope_changed");
        let again = refused.problem["remedy"].as_str().unwrap();
        assert!(again.starts_with("breakglass request --scope orders:read "), "{again}");
        let detail = refused.problem["detail"].as_str().unwrap();
        assert!(detail.contains("not those that were approved"), "{detail}");
        assert_eq!(refused.audit.text_of("approved_digest"), Some(sha256(APPROVED).as_str()));
        assert_ne!(refused.audit.text_of("scope_digest"), Some(sha256(APPROVED).as_str()));
        // A token of before names no rules: it opens no such scope.
        wider.refuses(&orders(&gate.mint()), 403, "scope_changed");
    }
}

#[test]
fn a_scope_that_was_widened_is_in_the_record_and_the_report_where_nothing_refuses_it() {
    let gate = Gate::standard();
    let token = approved(&gate, json!({"scopes": {"orders:read": sha256(APPROVED)}}));
    let other = approved(&gate, json!({"scopes": {"orders:read": sha256(APPROVED)}}));
    for change in [path, upgrades] {
        let wider = edited(&gate, change).start();
        let audit = wider.allows(&orders(&token)).audit;
        let used = audit.text_of("scope_digest").unwrap().to_owned();
        assert_eq!(audit.text_of("approved_digest"), Some(sha256(APPROVED).as_str()));
        wider.allows(&orders(&token));
        wider.allows(&orders(&other));
        // A token of before goes on, and nothing is said of what was approved.
        let before = wider.allows(&orders(&gate.mint())).audit;
        assert!(before.is_complete() && !before.text.contains("approved_digest"));
        let log = wider.envoy.access_log();
        let about = ["audit", "report", "--log-only", "--grant", token.grant(), "--json"];
        let ran = Command::new(binary()).args(about).arg(log).output().unwrap();
        let report: Value = serde_json::from_slice(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
        let [found] = &report["other_rules"].as_array().unwrap()[..] else { panic!("{report}") };
        assert_eq!(
            (&found["grant"], &found["scope"], &found["requests"], &found["nodes"]),
            (&json!(token.grant()), &json!("orders:read"), &json!(2), &json!(["gate-test"]))
        );
        assert_eq!(found["approved_digest"], sha256(APPROVED));
        assert_eq!(found["scope_digest"], json!(used));
    }
}

#[test]
fn a_scope_asks_why_the_grant_exists_and_how_many_approved_it() {
    let gate = Plan::standard()
        .set("/scopes/0/require", json!({"basis": ["approved"], "approvals": 2}))
        .alone()
        .start();
    let ask = |members: Value| orders(&approved(&gate, members));
    let audit = gate.allows(&ask(json!({"basis": "approved", "approvals": 2}))).audit;
    assert_eq!(audit.text_of("basis"), Some("approved"));
    let emergency = ask(json!({"basis": "emergency", "approvals": 2}));
    let refused = gate.refuses(&emergency, 403, "basis_not_allowed");
    assert_eq!(refused.audit.text_of("basis"), Some("emergency"));
    gate.refuses(&ask(json!({"basis": "approved", "approvals": 1})), 403, "approvals_missing");
    gate.refuses(&ask(json!({"basis": "approved"})), 403, "approvals_missing");
    gate.refuses(&orders(&gate.mint()), 403, "basis_not_allowed");
}

fn news() -> Reply {
    Reply::json(&json!({"epoch": 0, "revoked": [], "reset": true, "feed": "f"}))
}

fn following() -> Plan {
    Plan::standard().following_feed("10s").approvals(FEED, news())
}

/// The reports so far.
fn reports(gate: &Gate) -> Vec<Value> {
    let calls = gate.approvals.calls(CONFIGURATIONS);
    calls.iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

/// The digests of configurations that polls have named.
fn named(gate: &Gate) -> BTreeSet<String> {
    let polls = gate.approvals.calls(FEED);
    polls.iter().filter_map(|poll| poll.headers.get("breakglass-config").cloned()).collect()
}

#[test]
fn a_configuration_is_reported_once_where_it_is_asked_for_and_again_after_a_new_one() {
    let mut gate = following().workers(4).delivered_by(Delivery::Listener).start();
    gate.approvals.wants_configurations();
    until("the report", || (!reports(&gate).is_empty()).then_some(()));
    let call = &gate.approvals.calls(CONFIGURATIONS)[0];
    let header = |name: &str| call.headers.get(name).map(String::as_str);
    assert_eq!(
        (call.method.as_str(), header("content-type"), header("authorization")),
        ("POST", Some("application/json"), Some("Bearer proxy-secret-7c1e"))
    );
    let report = reports(&gate).remove(0);
    assert_eq!(
        BTreeSet::from([report["configuration"].as_str().unwrap().to_owned()]),
        named(&gate)
    );
    assert_eq!(report["audiences"], json!([AUDIENCE]));
    assert_eq!(report["scopes"]["orders:read"], sha256(APPROVED));
    assert_eq!(report["scopes"].as_object().unwrap().len(), 16);
    // It is told once, by one of the VMs, and the feed goes on.
    let polls = gate.approvals.calls(FEED).len();
    during(std::time::Duration::from_secs(2), || assert_eq!(reports(&gate).len(), 1));
    assert!(gate.approvals.calls(FEED).len() > polls);
    gate.allows(&orders(&gate.mint()));
    // A new configuration has a digest of its own, and is told while the old one's workers still poll for all.
    let mut next = standard(&[&gate.key]);
    next["revocation"]["feed"] =
        json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED});
    path(&mut next["scopes"][0]);
    gate.envoy.update(&next.to_string());
    until("the report of the new one", || (reports(&gate).len() > 1).then_some(()));
    let reports = reports(&gate);
    assert_ne!(reports[1]["configuration"], reports[0]["configuration"]);
    assert_ne!(reports[1]["scopes"]["orders:read"], reports[0]["scopes"]["orders:read"]);
    assert_eq!(reports[1]["scopes"]["orders:write"], reports[0]["scopes"]["orders:write"]);
}

#[test]
fn an_older_service_is_told_nothing() {
    let gate = following().start();
    until("some polls", || (gate.approvals.calls(FEED).len() > 5).then_some(()));
    gate.allows(&orders(&gate.mint()));
    assert!(reports(&gate).is_empty());
}

#[test]
fn a_report_that_is_refused_disturbs_nothing_and_is_said_once() {
    let gate = following().alone().start();
    gate.approvals.wants_configurations();
    gate.approvals.reply(CONFIGURATIONS, Reply::status(503, "{}"));
    until("the report", || (!reports(&gate).is_empty()).then_some(()));
    let polls = gate.approvals.calls(FEED).len();
    until("more polls", || (gate.approvals.calls(FEED).len() > polls + 5).then_some(()));
    let audit = gate.allows(&orders(&gate.mint())).audit;
    assert_eq!(audit.text_of("revocation_source"), Some("feed"));
    let said = || gate.envoy.log().matches("did not take the answer").count();
    until("the log to say so", || (said() > 0).then_some(()));
    assert_eq!(said(), 1);
}
