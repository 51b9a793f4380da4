//! Another EnvoyExtensionPolicy takes breakglass away: whoever owns a route, or a listener, can.

use breakglass_tests::client::{get, request};
use breakglass_tests::upstream::Upstream;
use serde_json::{Value, json};

use crate::control::EnvoyGateway;
use crate::objects::{
    all_shipped, backend, class, gateway, object, policy, route, shipped, to_gateway, to_route,
};

const KIND: &str = "EnvoyExtensionPolicy";

/// What passes where there is no breakglass: what is protected, with a header that only it may set.
///
/// Where the other policy has the same module in its `wasm`, told to guard nothing, the header is still removed.
fn is_open(control: &EnvoyGateway, port: u16, has_wasm: bool) -> bool {
    let answer = control.send(port, &get("/admin/x").header("x-breakglass-grant", "grant_forged"));
    if answer.status == 401 {
        assert_eq!(answer.json()["reason"], "token_missing");
        return false;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    let headers = answer.json()["headers"].clone();
    let forged = json!(["x-breakglass-grant", "grant_forged"]);
    assert_eq!(headers.as_array().unwrap().contains(&forged), !has_wasm, "{headers}");
    // The ceiling is gone too.
    assert_eq!(control.send(port, &request("DELETE", "/v1/ledger/17")).status, 200);
    true
}

/// A wasm list that has anything but breakglass: the same module, told to let everything pass.
fn another_wasm() -> Value {
    let mut wasm = shipped("envoyextensionpolicy.yaml").remove(0)["spec"]["wasm"][0].clone();
    wasm["name"] = json!("other");
    wasm["config"]
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["protected", "ceiling"].contains(&&**name));
    json!([wasm])
}

#[test]
fn a_more_specific_policy_takes_breakglass_away() {
    let upstream = Upstream::start();
    let mut section = to_gateway("payments");
    section["sectionName"] = json!("listener");
    let mut rule = to_route("rule");
    rule["sectionName"] = json!("all");
    let lua = json!([{"type": "Inline", "inline": "function envoy_on_request(handle) end"}]);
    // What is on the route's listener, and whether it is open then.
    let cases: Vec<(&str, bool, Option<Value>)> = vec![
        ("guarded", false, None),
        ("route", true, Some(policy(KIND, "team-b", "route", json!({})))),
        ("rule", true, Some(object(KIND, "team-b", "rule", json!({"targetRefs": [rule]})))),
        (
            "listener",
            true,
            Some(object(KIND, "payments", "listener", json!({"targetRefs": [section]}))),
        ),
        (
            "merged",
            false,
            Some(policy(
                KIND,
                "team-b",
                "merged",
                json!({"mergeType": "StrategicMerge", "lua": lua}),
            )),
        ),
        (
            "merged-wasm",
            true,
            Some(policy(
                KIND,
                "team-b",
                "merged-wasm",
                json!({"mergeType": "StrategicMerge", "wasm": another_wasm()}),
            )),
        ),
        (
            "json-merged-wasm",
            true,
            Some(policy(
                KIND,
                "team-b",
                "json-merged-wasm",
                json!({"mergeType": "JSONMerge", "wasm": another_wasm()}),
            )),
        ),
    ];
    let ports: Vec<(&str, u16)> =
        cases.iter().zip(8100..).map(|((name, _, _), port)| (*name, port)).collect();
    let mut objects = all_shipped();
    objects.extend([class(), gateway(&ports), backend("team-b", upstream.address())]);
    for (name, _, policy) in &cases {
        let mut route = route("team-b", name, name);
        route["metadata"]["labels"] = json!({"name": name});
        objects.push(route);
        objects.extend(policy.clone());
    }
    let control = EnvoyGateway::start(objects);
    control.answers(8100, &get("/admin/x"), 401);
    for ((name, open, policy), port) in cases.iter().zip(8100..) {
        control.answers(port, &get("/v1/orders"), 200);
        assert_eq!(is_open(&control, port, name.ends_with("wasm")), *open, "{name}");
        println!("{name}: {}", if *open { "open" } else { "guarded" });
        if let Some(policy) = policy {
            // None of these is an error to Envoy Gateway.
            let status = crate::objects::name(policy);
            assert!(control.has_condition(&status, "Accepted", "True", "Accepted"), "{status}");
        }
    }
    // What is said of it, by whoever looks.
    let breakglass = "EnvoyExtensionPolicy payments/breakglass";
    println!("{breakglass}: {}", control.object_status(breakglass).unwrap());
    assert!(control.has_condition(breakglass, "Accepted", "True", "Accepted"));
    assert!(control.has_condition(breakglass, "Overridden", "True", "Overridden"));
    let merged = "EnvoyExtensionPolicy team-b/merged-wasm";
    println!("{merged}: {}", control.object_status(merged).unwrap());
    assert!(control.has_condition(merged, "Merged", "True", "Merged"));
}
