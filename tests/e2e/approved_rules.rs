//! What was approved, what is opened and what is recorded are the same rules, with nothing that stands in: the service with
//! definitions that were made of a filter's configuration, the command line, and proxies of which some are edited after.

use std::collections::BTreeSet;

use breakglass_tests::client::{Request, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{APPROVER, INCIDENT, JUSTIFICATION, SUBJECT};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// A proxy that follows the service, in a process of its own: the service counts processes.
fn plan(service: &Service) -> Plan {
    let heads = json!({"cluster": "approvals", "authority": "approvals.internal", "path": "/v1/audit/heads"});
    Plan::asking(service)
        .following_feed("10s")
        .set("/audit", json!({"heads": heads}))
        .set("/scopes/0/same_digest", json!(true))
        .workers(2)
        .alone()
}

fn path(scope: &mut Value) {
    scope["paths"].as_array_mut().unwrap().push(json!("/v1/invoices"));
}

fn upgrades(scope: &mut Value) {
    scope["upgrades"].as_array_mut().unwrap().push(json!("spdy/3.1"));
}

fn orders(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

/// How the proxies define `orders:read`, as the service knows it.
fn proxies(service: &Service) -> Value {
    let ran = service.run(SUBJECT, &["scopes", "--for", "GET /v1/orders/17", "--json"]);
    let scopes = ran.json()["scopes"].clone();
    let [scope] = &scopes.as_array().unwrap()[..] else { panic!("{scopes}") };
    assert_eq!(scope["name"], "orders:read");
    scope["rules"]["proxies"].clone()
}

/// Waits until all of them have said how they define it.
fn have_said(service: &Service, same: u64, other: u64) {
    let expected = json!({"same": same, "other": other, "unknown": 0});
    until(&format!("the proxies to be {expected}"), || {
        (proxies(service) == expected).then_some(())
    });
}

/// What is edited is shown to the approver, refused where the scope says so, and named afterwards where it does not.
fn edited(change: fn(&mut Value)) {
    let mut service = Service::start();
    let mut filter = Value::Null;
    let approved = plan(&service).filter(|it| filter = it.clone());
    service.define(&filter);
    let ask =
        ["request", "--scope", "orders:read", "--reason", JUSTIFICATION, "--incident", INCIDENT];
    let nowhere = service.run(SUBJECT, &ask);
    assert!(nowhere.stderr.starts_with("NOT KNOWN what orders:read opens"), "{nowhere:?}");
    let _ = service.run(SUBJECT, &["cancel", &nowhere.done()]).done();

    let approved: Gate = approved.start();
    have_said(&service, 1, 0);
    let guarded = plan(&service).filter(|it| change(&mut it["scopes"][0])).start();
    let open = plan(&service).filter(|it| change(&mut it["scopes"][0]));
    let open = open.set("/scopes/0/same_digest", json!(false)).start();
    have_said(&service, 1, 2);

    let asked = service.run(SUBJECT, &ask);
    let shown = service.run(APPROVER, &["approve", asked.stdout.trim(), "--yes"]);
    for said in [&asked.stderr, &shown.stderr] {
        assert!(
            said.contains("orders:read (write): GET, HEAD on /v1/orders, /v1/orders/{id}"),
            "{said}"
        );
        assert!(said.contains("switch to websocket"), "{said}");
        assert!(said.contains("2 of 3 proxies define it otherwise"), "{said}");
    }
    let (grant, token) = (shown.done(), service.run(SUBJECT, &["token", &asked.done()]).done());

    let used = |gate: &Gate| {
        // Each worker fetches the keys, or hears of them, at its first request.
        until("the keys", || (gate.send(&orders(&token)).status != 503).then_some(()));
        gate.send(&orders(&token)).status
    };
    assert_eq!((used(&approved), used(&guarded), used(&open)), (200, 403, 200));
    let audit = approved.allows(&orders(&token)).audit;
    let rules = audit.text_of("scope_digest").unwrap().to_owned();
    assert!(!audit.text.contains("approved_digest"), "{}", audit.text);
    let refused = guarded.refuses(&orders(&token), 403, "scope_changed");
    let again = refused.problem["remedy"].as_str().unwrap();
    assert!(again.starts_with("breakglass request --scope orders:read "), "{again}");
    let audit = open.allows(&orders(&token)).audit;
    assert_eq!(audit.text_of("approved_digest"), Some(&*rules));
    let wider = audit.text_of("scope_digest").unwrap().to_owned();
    assert_ne!(wider, rules);

    // What a request came to is in the log when it is over.
    let log = |gate: &Gate| gate.envoy.access_log().to_str().unwrap().to_owned();
    let (first, last) = (log(&approved), log(&open));
    let ask = ["audit", "report", "--grant", &grant, "--json", &first, &last];
    let report = service.run(AUDITOR, &ask).json();
    let [found] = &report["other_rules"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&found["grant"], &found["scope"]), (&json!(grant), &json!("orders:read")));
    assert_eq!(found["approved_digest"], json!(rules));
    let comparison = &report["trail_comparison"];
    assert_eq!(kinds(comparison), ["rules_not_approved"], "{comparison}");
    assert_eq!(comparison["not_compared"], json!({}));
    let found = &comparison["findings"][0];
    assert_eq!(found["trail_digest"], json!(rules), "by the service's own word: {found}");
    assert_eq!((&found["token_digest"], &found["scope_digest"]), (&json!(rules), &json!(wider)));

    // A token that is made with the issuer's key names the rules that the edited proxy has: no proxy refuses it, and no
    // record has an `approved_digest`. Only the trail says that other rules were approved.
    let stolen = service.stolen_key();
    let claim = json!({"reason": JUSTIFICATION, "incident": INCIDENT, "approvers": [APPROVER], "emergency": false,
        "basis": "approved", "approvals": 1, "scopes": {"orders:read": wider}});
    let forged = Mint::new(&stolen).claim("jti", grant.as_str()).claim("breakglass", claim);
    let audit = guarded.allows(&orders(&forged.sign())).audit;
    assert!(!audit.text.contains("approved_digest"), "{}", audit.text);
    let guarded_log = log(&guarded);
    let report = service.run(AUDITOR, &[&ask[..], &[&guarded_log]].concat()).json();
    assert_eq!(report["other_rules"].as_array().unwrap().len(), 1, "{report}");
    let comparison = &report["trail_comparison"];
    assert_eq!(kinds(comparison), ["token_not_as_approved", "rules_not_approved"], "{comparison}");
    let found = &comparison["findings"][0];
    assert_eq!((&found["grant"], &found["scope"]), (&json!(grant), &json!("orders:read")));
    assert_eq!((&found["trail_digest"], &found["scope_digest"]), (&json!(rules), &json!(wider)));
    assert_eq!((&found["token_digest"], &found["requests"]), (&Value::Null, &json!(1)));

    // Each chain's first head named the configuration that its proxy's polls name.
    let polled: BTreeSet<String> =
        digests(&service.run(APPROVER, &["proxies", "--json"]).json()["proxies"], "config");
    assert_eq!(polled.len(), 3, "{polled:?}");
    until("the heads of all three", || {
        let heads = service.run(AUDITOR, &["audit", "heads"]).json();
        (digests(&heads["heads"], "configuration") == polled).then_some(())
    });
}

/// The kinds of the findings.
fn kinds(comparison: &Value) -> Vec<&str> {
    let findings = comparison["findings"].as_array().unwrap().iter();
    findings.map(|found| found["kind"].as_str().unwrap()).collect()
}

/// What the members of a list have under this name.
fn digests(list: &Value, name: &str) -> BTreeSet<String> {
    let members = list.as_array().unwrap().iter();
    members.filter_map(|member| Some(member[name].as_str()?.to_owned())).collect()
}

#[test]
fn a_path_more_in_some_proxies() {
    edited(path);
}

#[test]
fn an_upgrade_more_in_some_proxies() {
    edited(upgrades);
}

#[test]
fn a_service_that_was_started_again_asks_again() {
    let mut service = Service::start();
    let mut filter = Value::Null;
    let approved = plan(&service).filter(|it| filter = it.clone());
    service.define(&filter);
    let _gate = approved.start();
    have_said(&service, 1, 0);
    // The service forgets what proxies said when it ends, and asks them again.
    service.kill();
    service.start_again();
    have_said(&service, 1, 0);
}
