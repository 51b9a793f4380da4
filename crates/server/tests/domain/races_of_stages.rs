//! Two hundred callers at once about a request that takes several people: one outcome, which the trail explains.

use std::collections::BTreeSet;
use std::sync::Arc;

use breakglass_testing::service::{START, Service, config};
use serde_json::{Value, json};

use crate::races::{Call, Called, at_once, counted};
use crate::written::Written;

/// How many at once.
const CALLERS: usize = 200;

/// Two commanders and a person of the databases.
const RULES: [&str; 2] = [
    r#"
[[approval_rules]]
name = "three"
scopes = ["orders:read", "orders:write"]
need = [{ from = ["commanders"], count = 2 }, { from = ["dbas"] }]
"#,
    r#"
[[approval_rules]]
name = "three"
scopes = ["orders:read", "orders:write"]
need = [{ from = ["commanders"], count = 2 }, { from = ["dbas"] }]
in_order = true
"#,
];

async fn two(rules: &str) -> [Arc<Service>; 2] {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory) + rules;
    let first = Service::start_with(directory, &text, START).await;
    let second = Service::start_with(tempfile::tempdir().unwrap(), &text, START + 1).await;
    [Arc::new(first), Arc::new(second)]
}

fn call(index: usize, verb: &'static str, id: &str, digest: &Value) -> Call {
    let who = ["carol", "dave", "bob", "frank"][index % 4];
    let request = |verb: &str| format!("/v1/requests/{id}/{verb}");
    let mark = format!("mark-{index:03}.");
    let (who, path, body) = match verb {
        "approve" => (who, request(verb), json!({ "digest": digest, "note": mark })),
        "approve less" => {
            let scopes = [["orders:read"], ["orders:write"]][index % 2];
            let duration = format!("{}s", 600 + index);
            let body =
                json!({ "digest": digest, "note": mark, "scopes": scopes, "duration": duration });
            (who, request("approve"), body)
        }
        // Those who may say no.
        "deny" => (who, request(verb), json!({ "reason": mark })),
        _ => ("alice", request(verb), json!({})),
    };
    Call { verb, who, path, body, mark }
}

/// All of these at once; returns the state.
async fn decided(services: &[Arc<Service>; 2], verbs: &[&'static str]) -> String {
    let id = services[0].pending_for(&["orders:read", "orders:write"]).await;
    let view = services[0].get("alice", &format!("/v1/requests/{id}")).await.ok();
    let calls = (0..CALLERS)
        .map(|index| call(index, verbs[index / 4 % verbs.len()], &id, &view["digest"]))
        .collect();
    let called = at_once(services, calls).await;
    let counts = counted(&called);
    for one in called.iter().filter(|one| !one.is_done() && !one.is_busy()) {
        let (status, reason) = one.answer.refusal();
        let late = ["not_pending", "approved_already", "not_needed", "not_your_turn"];
        let wider = status == 400 && one.call.verb == "approve less";
        assert!(
            status == 409 && late.contains(&reason) || wider,
            "{:?} {:?}",
            one.call,
            one.answer
        );
    }
    let written = Written::of(&services[0], &id).await;
    for one in &called {
        let times = usize::from(one.is_done() && one.call.verb != "cancel");
        written.says(&one.call.mark, times);
    }
    let view = services[1].get("grace", &format!("/v1/requests/{id}")).await.ok();
    let state = view["state"].as_str().unwrap();
    explained(&view, state, &called, &written);
    assert!(!counts.is_empty());
    state.to_owned()
}

/// The rows are the approvals that were taken, in an order in which each leaves no more than the one before, and at most one
/// decision after them.
fn explained(view: &Value, state: &str, called: &[Called], written: &Written) {
    let mut actions = written.actions();
    assert_eq!(actions.remove(0), ("alice".to_owned(), "submit".to_owned()));
    let done =
        |verb: &str| called.iter().filter(|one| one.is_done() && one.call.verb == verb).count();
    let ends = done("deny") + done("cancel");
    let yes = done("approve") + done("approve less");
    let (approvals, others): (Vec<_>, Vec<_>) =
        actions.iter().partition(|(_, action)| action == "approve");
    assert_eq!((approvals.len(), others.len()), (yes, ends));
    let people: BTreeSet<&str> = approvals.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(people.len(), approvals.len(), "each once");
    match state {
        "approved" => {
            assert_eq!((ends, approvals.len()), (0, 3), "as many as it takes, and no more");
            assert!(people.contains("dave") || people.contains("frank"));
            let rows = view["grant"]["approvals"].as_array().unwrap();
            let scopes = |row: &Value| row.get("scopes").unwrap_or(&view["scopes"]).clone();
            for pair in rows.windows(2) {
                let (before, after) = (scopes(&pair[0]), scopes(&pair[1]));
                let kept = after.as_array().unwrap().iter();
                assert!(
                    kept.clone().all(|one| before.as_array().unwrap().contains(one)),
                    "{rows:#?}"
                );
            }
            assert_eq!(view["grant"]["scopes"], scopes(&rows[2]));
            let last = written.events.last().unwrap();
            assert_eq!(last.kind, "breakglass.request.approved");
        }
        "denied" | "cancelled" => {
            assert!(ends == 1 && approvals.len() < 3);
            assert_ne!(actions.last().unwrap().1, "approve", "no approval after it");
        }
        other => panic!("{other}: {view:#}"),
    }
    let partly =
        written.events.iter().filter(|one| one.kind == "breakglass.request.partly_approved");
    assert_eq!(partly.count(), approvals.len() - usize::from(state == "approved"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_answers_to_a_request_of_two_stages_one_outcome_comes() {
    for rules in RULES {
        let services = two(rules).await;
        // In no order: all three can answer at any time.
        if !rules.contains("in_order") {
            assert_eq!(decided(&services, &["approve"]).await, "approved");
        }
        for verbs in [
            &["approve", "approve", "approve", "deny", "cancel"][..],
            &["approve less", "approve", "deny"],
        ] {
            let state = decided(&services, verbs).await;
            assert!(["approved", "denied", "cancelled"].contains(&state.as_str()));
        }
    }
}
