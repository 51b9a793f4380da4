//! Less than was asked for, more time of it, and the end of the first: what people agree on with the real service and
//! command line is what a real Envoy lets through.

use std::thread;

use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::policy::{APPROVER, INCIDENT, JUSTIFICATION, SUBJECT};
use breakglass_tests::service::{AUDITOR, Service};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

fn read(token: &str) -> Request {
    get("/v1/orders/17").token(token)
}

fn write(token: &str) -> Request {
    request("POST", "/v1/orders").token(token).body("{}")
}

/// The actions of the trail of a request, each with its detail.
fn trail(service: &Service, id: &str) -> Vec<(String, Value)> {
    let answer = get(format!("/v1/audit/requests?incident={INCIDENT}"))
        .header("authorization", format!("Bearer {}", service.credential(AUDITOR)))
        .send(service.address())
        .json();
    let requests = answer["requests"].as_array().unwrap();
    let of = requests.iter().find(|one| one["request"]["id"] == *id).unwrap();
    let rows = of["trail"].as_array().unwrap().iter();
    rows.map(|row| (row["action"].as_str().unwrap().to_owned(), row["detail"].clone())).collect()
}

#[test]
fn a_narrowed_grant_opens_what_is_left_and_its_extension_goes_on_after_it_was_given_back() {
    let service = Service::start();
    let gate = Plan::asking(&service).set("/revocation/introspection/cache", json!("1s")).start();

    // Two scopes are asked for; the approver asks, and the requester answers.
    let scopes = ["--scope", "orders:read", "--scope", "orders:write"];
    let why = ["--reason", JUSTIFICATION, "--incident", INCIDENT, "--duration", "30m"];
    let first = service.run(SUBJECT, &[&["request"], &scopes[..], &why].concat()).done();
    assert_eq!(service.run(APPROVER, &["question", &first, "which order?"]).done(), "asked");
    assert_eq!(service.run(SUBJECT, &["answer", &first, "4711"]).done(), "answered");

    // One of them is granted, for ten minutes, with a note.
    let narrow = ["--scope", "orders:read", "--duration", "10m", "--note", "reading is enough"];
    let approved = service.run(APPROVER, &[&["approve", &first, "--yes"], &narrow[..]].concat());
    for words in
        [": which order?", ": 4711", "grants    orders:read for 10m", "left out  orders:write"]
    {
        assert!(approved.stderr.contains(words), "{words}: {approved:?}");
    }
    let grant = approved.done();
    let token = service.run(SUBJECT, &["token", &first]).done();
    let status = service.run(SUBJECT, &["status", &first, "--json"]).json();
    assert_eq!(
        (&status["state"], &status["grant"]["approvals"][0]["note"]),
        (&json!("active"), &json!("reading is enough"))
    );

    // The proxy lets through what was granted, and says what to ask for where it was left out.
    let allowed = gate.allows(&read(&token));
    assert_eq!(allowed.audit.text_of("grant"), Some(&*grant));
    let left = allowed.audit.of("expires_in_s").as_u64().unwrap();
    assert!((540..=600).contains(&left), "{left}");
    let refused = gate.refuses(&write(&token), 403, "out_of_scope");
    let remedy = refused.problem["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("breakglass request") && remedy.contains("--scope orders:write"),
        "{remedy}"
    );
    let covered = refused.problem["grant"]["scopes"].as_array().unwrap();
    assert_eq!(covered.len(), 1, "{covered:?}");

    // More time of it: a grant of its own, of what was granted.
    let extend = ["extend", &first, "--reason", "still at it", "--wait"];
    let (second, renewed) = thread::scope(|scope| {
        let waiting = scope.spawn(|| service.run(SUBJECT, &extend).done());
        let asked = until("the extension", || {
            let listed = service.run(APPROVER, &["status", "--state", "pending", "--json"]).json();
            listed["requests"][0]["id"].as_str().map(str::to_owned)
        });
        let approved = service.run(APPROVER, &["approve", &asked, "--yes"]);
        assert!(
            approved.stderr.contains(&format!("extends   {first} (orders:read, ")),
            "{approved:?}"
        );
        assert_ne!(approved.done(), grant);
        (asked, waiting.join().unwrap())
    });
    let shown = service.run(SUBJECT, &["status", &second, "--json"]).json();
    assert_eq!(
        (&shown["extends"]["id"], &shown["scopes"], &shown["duration"], &shown["incident"]),
        (&json!(first), &json!(["orders:read"]), &json!("10m"), &json!(INCIDENT))
    );
    gate.allows(&read(&renewed));
    gate.refuses(&write(&renewed), 403, "out_of_scope");

    // The holder gives the first one back, and the second goes on.
    let back = service.run(SUBJECT, &["revoke", &first, "--reason", "the next one is enough"]);
    assert!(back.stderr.contains("which its holder gave back"), "{back:?}");
    assert_eq!(back.done(), "revoked");
    until("the end of the first", || (gate.send(&read(&token)).status == 401).then_some(()));
    gate.refuses(&read(&token), 401, "revoked");
    gate.allows(&read(&renewed));

    // The trail has what was said, what was narrowed, and that it was given back.
    let rows = trail(&service, &first);
    let actions: Vec<&str> = rows.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["submit", "question", "answer", "approve", "issue_token", "revoke"]);
    assert_eq!(rows[1].1, json!({ "text": "which order?" }));
    assert_eq!(
        (&rows[3].1["scopes"], &rows[3].1["duration_s"]),
        (&json!(["orders:read"]), &json!(600))
    );
    assert_eq!(rows[5].1["given_back"], true);
    assert_eq!(trail(&service, &second)[0].1["extends"], json!(first));
    gate.has_its_first_vms();
}
