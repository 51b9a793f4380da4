//! A report that has the service's requests says which uses are not as they were approved: as JSON, in words, in the page.

use breakglass_audit::report::{About, Collector, Report};
use breakglass_audit::source::Source;
use breakglass_audit::verify::Check;
use serde_json::{Value, json};

use breakglass_testing::log::{Call, END, Folder, GRANT, Vm};

const APPROVED: &str = "77b2a0c9";
const WIDER: &str = "f17d03e4";

/// The report of one use as approved, one by a proxy with other rules, two under a token that names those, and a refusal.
fn report(requests: Option<Value>) -> Report {
    let folder = Folder::new();
    let mut vm = Vm::new('a');
    let deny = Call { decision: "deny", reason: "scope_changed", ..END };
    let lines: Vec<String> = [
        Call { rules: Some((APPROVED, APPROVED)), ..END },
        Call { rules: Some((WIDER, APPROVED)), ..END },
        Call { rules: Some((WIDER, WIDER)), ..END },
        Call { rules: Some((WIDER, WIDER)), ..END },
        Call { rules: Some((WIDER, APPROVED)), ..deny },
    ]
    .iter()
    .map(|call| vm.write(call))
    .collect();
    let log = folder.lines("access.log", &lines);
    let mut collector = Collector::new(About::Grant(GRANT.to_owned()));
    let check = Check::default();
    let verdict = check.run(vec![Source::File(log)], &|_| (), &mut |seen| collector.seen(&seen));
    let requests = requests.map(|requests| requests.as_array().unwrap().clone());
    collector.finish(&verdict.unwrap(), requests, "2026-11-22T09:00:00Z")
}

/// What the service says of the grant: with these digests in the trail of its approval.
fn requests(digests: Value) -> Value {
    json!([{
        "request": { "scopes": ["orders:read"], "grant": { "id": GRANT } },
        "trail": [{ "action": "approve", "detail": { "digest": "d", "scope_digests": digests } }],
    }])
}

#[test]
fn uses_that_are_not_as_approved_are_findings_in_every_form() {
    let report = report(Some(requests(json!({ "orders:read": APPROVED }))));
    let comparison = report.0["trail_comparison"].clone();
    assert_eq!((&comparison["compared"], &comparison["not_compared"]), (&json!(4), &json!({})));
    let findings = comparison["findings"].as_array().unwrap().iter();
    let said: Vec<[Value; 3]> = findings
        .map(|found| ["kind", "token_digest", "requests"].map(|name| found[name].clone()))
        .collect();
    assert_eq!(
        said,
        [
            [json!("token_not_as_approved"), Value::Null, json!(2)],
            [json!("rules_not_approved"), json!(APPROVED), json!(1)],
        ]
    );
    let (text, page) = (report.text(), report.html());
    assert!(text.contains("\napprovals     4 uses compared\n"), "{text}");
    for said in [
        "NOT APPROVED  token_not_as_approved: the token does not name the rules that were approved",
        "NOT APPROVED  rules_not_approved: the proxy had other rules",
    ] {
        assert!(text.contains(said), "{text}");
    }
    assert!(page.contains("Held against what was approved"), "{page}");
    assert!(page.contains("4 uses of grants were compared"), "{page}");
    for kind in ["token_not_as_approved: the token", "rules_not_approved: the proxy"] {
        assert!(page.contains(kind), "{page}");
    }
}

#[test]
fn what_the_trail_does_not_say_is_counted_and_not_judged() {
    let report = report(Some(requests(json!({}))));
    assert_eq!(
        report.0["trail_comparison"],
        json!({ "compared": 0, "not_compared": { "no_approved_digest": 4 }, "findings": [] })
    );
    assert!(!report.text().contains("NOT APPROVED"), "{}", report.text());
    let said = "approvals     0 uses compared, not: 4 no_approved_digest";
    assert!(report.text().contains(said), "{}", report.text());
    assert!(report.html().contains("no approved digest"), "{}", report.html());
    // What the token itself says was approved is named as before.
    assert_eq!(report.0["other_rules"].as_array().unwrap().len(), 1);
}

#[test]
fn a_report_of_the_log_alone_compares_nothing() {
    let report = report(None);
    assert_eq!(report.0["trail_comparison"], Value::Null);
    assert!(!report.text().contains("approvals "), "{}", report.text());
    assert!(!report.html().contains("Held against"), "{}", report.html());
}
