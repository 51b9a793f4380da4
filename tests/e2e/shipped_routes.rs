//! No route that is shipped or documented is chosen by what breakglass takes away, sets, or lets pass for
//! later filters: the route that was judged would be another than the one that is used.

use std::collections::BTreeSet;
use std::path::PathBuf;

use breakglass_tests::manifests::{files, objects};
use serde_json::{Value, json};

use crate::docs::yaml_blocks;

/// The headers in the matches of routes, wherever they are in an object: of Envoy's routes and matchers, of
/// an HTTPRoute, of a VirtualService.
fn matched_headers(value: &Value, in_match: bool) -> Vec<String> {
    match value {
        Value::Array(items) => {
            items.iter().flat_map(|item| matched_headers(item, in_match)).collect()
        }
        Value::Object(members) => {
            let mut found = Vec::new();
            for (name, below) in members {
                let is_headers =
                    ["headers", "withoutHeaders", "without_headers"].contains(&name.as_str());
                match below {
                    // Envoy and the Gateway API: a list with names.
                    Value::Array(headers) if in_match && is_headers => {
                        found.extend(headers.iter().map(|header| header["name"].to_string()));
                    }
                    // Istio: by name.
                    Value::Object(headers) if in_match && is_headers => {
                        found.extend(headers.keys().cloned());
                    }
                    // A matcher's input.
                    _ if name == "header_name" || name == "headerName" => {
                        found.push(below.to_string());
                    }
                    _ => {}
                }
                let is_match = ["match", "matches", "matcher", "matcher_tree", "xds_matcher"];
                let in_match = in_match || is_match.contains(&name.as_str());
                found.extend(matched_headers(below, in_match));
            }
            found
        }
        _ => Vec::new(),
    }
}

/// Whether a route must not ask for it: a token's own header and `authorization` are taken away with a
/// permit, `x-breakglass-*` are set with one and taken away from everything else.
fn is_forbidden(header: &str) -> bool {
    let header = header.trim_matches('"').to_ascii_lowercase().replace('_', "-");
    header == "authorization" || header.starts_with("x-breakglass-")
}

fn forbidden(value: &Value) -> BTreeSet<String> {
    matched_headers(value, false).into_iter().filter(|header| is_forbidden(header)).collect()
}

#[test]
fn no_shipped_route_asks_for_a_token_or_for_what_breakglass_sets() {
    let shipped = files("envoy").into_iter().flat_map(|file| {
        let objects = objects(&file).into_iter();
        objects.map(move |object| (file.clone(), object)).collect::<Vec<(PathBuf, Value)>>()
    });
    let mut looked = 0;
    for (file, object) in shipped.chain(yaml_blocks()) {
        assert_eq!(forbidden(&object), BTreeSet::new(), "{}", file.display());
        looked += 1;
    }
    assert!(looked > 30, "{looked} objects");
}

#[test]
fn a_route_that_asks_for_one_is_found() {
    let header =
        |name: &str| json!({"prefix": "/", "headers": [{"name": name, "present_match": true}]});
    let of_envoy = |name: &str| {
        let mut bootstrap = objects("envoy/envoy.yaml").remove(0);
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let routes = format!("{manager}/route_config/virtual_hosts/0/routes/0/match");
        *bootstrap.pointer_mut(&routes).unwrap() = header(name);
        bootstrap
    };
    for name in
        ["authorization", "X-Breakglass-Token", "x-breakglass-grant", "x_breakglass_subject"]
    {
        assert_eq!(forbidden(&of_envoy(name)).len(), 1, "{name}");
    }
    assert_eq!(forbidden(&of_envoy("x-tenant")), BTreeSet::new());
    let others = [
        json!({"kind": "HTTPRoute", "spec": {"rules": [{"matches": [{"headers":
            [{"type": "Exact", "name": "authorization", "value": "x"}]}]}]}}),
        json!({"kind": "VirtualService", "spec": {"http": [{"match": [{"headers":
            {"x-breakglass-subject": {"exact": "bob@example.com"}}}]}]}}),
        json!({"virtual_hosts": [{"matcher": {"matcher_tree": {"input": {"typed_config":
            {"header_name": "x-breakglass-scope"}}}}}]}),
    ];
    for other in &others {
        assert_eq!(forbidden(other).len(), 1, "{other}");
    }
}
