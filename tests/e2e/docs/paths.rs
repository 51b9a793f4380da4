//! docs/install/envoy.md says what an Envoy makes of paths: every cell of its two tables is what a real
//! Envoy does, with envoy/envoy.yaml and that one setting changed.

use std::collections::BTreeMap;

use breakglass_tests::client::{Answer, Request, get, request};
use breakglass_tests::gate::Gate;
use serde_json::{Value, json};

use super::{read, rows, words};
use crate::shipped::{gate_for, ready_token};

/// The paths' section, table by table.
fn tables() -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let found = rows(&read("docs/install/envoy.md"), "## Paths");
    found.into_iter().partition(|row| row[0].chars().any(char::is_uppercase))
}

/// envoy.yaml with fields of its connection manager changed, and with a policy that opens a prefix.
fn gate(fields: &Value) -> Gate {
    gate_for(None, |bootstrap| {
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).unwrap();
        for (name, value) in fields.as_object().unwrap() {
            manager[name] = value.clone();
        }
        // The tests find requests by the ids that they choose.
        manager["preserve_external_request_id"] = json!(true);
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let rbac = filters.iter_mut().find(|filter| filter["name"] == "rbac").unwrap();
        let open = &mut rbac["typed_config"]["rules"]["policies"]["open"]["permissions"];
        let prefix = |path: &str| json!({"url_path": {"path": {"prefix": path}}});
        open.as_array_mut().unwrap().extend([prefix("/public/"), prefix("/api/")]);
    })
}

/// What became of a request, as the upstream and the access log have it.
struct Outcome {
    answer: Answer,
    path: Option<String>,
    recorded: bool,
}

fn sent(gate: &Gate, request: &Request) -> Outcome {
    let answer = gate.send(request);
    let path = gate.upstream.saw(&request.id).map(|seen| seen.path);
    let recorded = gate.envoy.record(&request.id).audit().is_some();
    Outcome { answer, path, recorded }
}

/// A cell says what becomes of the request at the head of its column.
fn assert_is(cell: &str, asked: &str, outcome: &Outcome) {
    let named = words(cell);
    let (status, path) = (outcome.answer.status, outcome.path.as_deref());
    let location = outcome.answer.header("location");
    let body = String::from_utf8_lossy(&outcome.answer.body);
    let what = format!("{asked} `{cell}`: {status}, {path:?}, {location:?}, {body}");
    if cell.starts_with("goes on as it is") {
        assert_eq!((status, path), (200, Some(asked)), "{what}");
    } else if cell.starts_with("goes on as ") || cell.starts_with("allowed as ") {
        assert_eq!((status, path), (200, Some(named[0])), "{what}");
        assert_eq!(outcome.recorded, cell.starts_with("allowed"), "{what}");
    } else if cell.starts_with("307 to ") {
        let leads = location.is_some_and(|location| location.ends_with(named[0]));
        assert!(status == 307 && leads && path.is_none() && !outcome.recorded, "{what}");
    } else if cell.starts_with("400 of Envoy's") {
        assert!(status == 400 && path.is_none() && !outcome.recorded, "{what}");
        assert!(!body.contains("reason"), "{what}");
    } else if cell.starts_with("400 `ambiguous_path`") || cell.starts_with("403 `out_of_scope`") {
        assert!(status.to_string() == cell[..3] && path.is_none() && outcome.recorded, "{what}");
        assert_eq!(outcome.answer.json()["reason"], named[0], "{what}");
    } else if cell.starts_with("judged as ") {
        assert!(status == 403 && path.is_none() && body.contains("RBAC"), "{what}");
    } else {
        panic!("{what} is not understood here");
    }
}

#[test]
fn every_cell_about_encoded_slashes_is_what_an_envoy_does() {
    let (table, _) = tables();
    let actions: Vec<&str> = table.iter().map(|row| words(&row[0])[0]).collect();
    let all = ["KEEP_UNCHANGED", "REJECT_REQUEST", "UNESCAPE_AND_REDIRECT", "UNESCAPE_AND_FORWARD"];
    assert_eq!(actions, all);
    for row in &table {
        let action = words(&row[0])[0];
        let gate = gate(&json!({"path_with_escaped_slashes_action": action}));
        let token = ready_token(&gate);
        let purge = "/api/queues/%2F/orders/contents";
        assert_is(&row[3], purge, &sent(&gate, &request("DELETE", purge)));
        let order = "/v1%2Forders";
        assert_is(&row[4], order, &sent(&gate, &get(order).token(&token)));
        let public = "/public/..%2Fv1/orders";
        assert_is(&row[5], public, &sent(&gate, &get(public)));
        // Under each of them: what goes on as it is, and what `protected` covers.
        for path in ["/public/..%252Fv1/orders", "/public/a;x=y/x", "/public/V1", "/public/%C0%AF"]
        {
            assert_is("goes on as it is", path, &sent(&gate, &get(path)));
        }
        for path in ["/admin%2Fusers", "/admin%5cusers", "/x/..%2Fadmin/users", "/admin%252fusers"]
        {
            let outcome = sent(&gate, &get(path));
            assert!([400, 401, 307].contains(&outcome.answer.status), "{action} {path}");
            assert_eq!(outcome.path, None, "{action} {path}");
        }
    }
}

#[test]
fn every_cell_about_normalisation_is_what_an_envoy_does() {
    let (_, table) = tables();
    let fields: Vec<&str> = table.iter().map(|row| words(&row[0])[0]).collect();
    assert_eq!(fields, ["normalize_path", "normalize_path", "merge_slashes"]);
    for row in &table {
        let field = words(&row[0])[0];
        for (on, cell) in [(false, &row[5]), (true, &row[6])] {
            let gate = gate(&json!({field: on}));
            let token = ready_token(&gate);
            let examples = words(&row[4]);
            assert!(examples.len() >= 2, "{row:?}");
            for path in examples {
                // With the permit the path is judged; with what RBAC opens it only goes on.
                let outcome = sent(&gate, &get(path).token(&token));
                if on {
                    assert_is(
                        &format!("allowed as {}", cell.split(" as ").nth(1).unwrap()),
                        path,
                        &outcome,
                    );
                } else {
                    let (goes_on, refused) = cell.split_once("; under a permit ").unwrap();
                    assert_is(refused, path, &outcome);
                    let open = format!("/public{path}");
                    assert_is(goes_on, &open, &sent(&gate, &get(&open)));
                }
            }
        }
    }
}

/// As istiod and Envoy Gateway translate them; `closed_paths` and `envoy_gateway` lean on the same.
#[test]
fn every_choice_of_istio_and_of_envoy_gateway_stands_beside_the_action_that_it_is() {
    let (table, _) = tables();
    let istio = [
        ("KEEP_UNCHANGED", vec!["NONE", "BASE", "MERGE_SLASHES"]),
        ("REJECT_REQUEST", vec![]),
        ("UNESCAPE_AND_REDIRECT", vec![]),
        ("UNESCAPE_AND_FORWARD", vec!["DECODE_AND_MERGE_SLASHES"]),
    ];
    let found: BTreeMap<&str, Vec<&str>> =
        table.iter().map(|row| (words(&row[0])[0], words(&row[1]))).collect();
    assert_eq!(found, istio.into());
    for row in &table {
        let camel = words(&row[0])[0].split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            format!("{first}{}", rest.to_ascii_lowercase())
        });
        assert_eq!(words(&row[2]), [camel.collect::<String>()]);
    }
}

#[test]
fn every_document_that_installs_says_where_the_choices_stand() {
    for name in ["istio", "envoy-gateway", "kubernetes", "compose"] {
        let text = read(format!("docs/install/{name}.md"));
        assert!(text.contains("(envoy.md#paths)"), "docs/install/{name}.md");
    }
    for file in [
        "envoy/envoy.yaml",
        "envoy/istio/base/envoyfilter.yaml",
        "envoy/gateway/clienttrafficpolicy.yaml",
    ] {
        assert!(read(file).contains("docs/install/envoy.md"), "{file}");
    }
}
