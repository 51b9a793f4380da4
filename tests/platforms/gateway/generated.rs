//! What Envoy Gateway makes of the shipped objects, as the end-to-end tests load it: `tests/fixtures/envoy-gateway`.
//! `BREAKGLASS_GENERATE=yes scripts/platforms gateway generated` writes it anew.

use std::{env, fs};

use breakglass_tests::artefacts::root;
use breakglass_tests::client::get;
use breakglass_tests::upstream::Upstream;
use serde_json::{Value, json};

use crate::control::{EnvoyGateway, each};
use crate::objects::all_served;

const FIXTURE: &str = "tests/fixtures/envoy-gateway/generated.json";

/// What is on this machine alone, or comes from the shipped objects themselves, by a name for it.
fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members.iter_mut() {
                match (member.as_str(), value.is_string()) {
                    ("uri", true) => *value = json!("https://envoy-gateway:18002/MODULE.wasm"),
                    ("sha256", true) => *value = json!("DIGEST OF THE MODULE"),
                    _ => mask(value),
                }
            }
            let text = "type.googleapis.com/google.protobuf.StringValue";
            if members.get("@type") == Some(&json!(text)) {
                members.insert("value".to_owned(), json!("THE POLICY'S CONFIGURATION"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

#[test]
fn the_configuration_that_the_end_to_end_tests_load_is_what_envoy_gateway_makes() {
    let upstream = Upstream::start();
    let objects = all_served(upstream.address());
    let policy = objects.iter().find(|object| object["kind"] == "EnvoyExtensionPolicy").unwrap();
    let configuration = policy["spec"]["wasm"][0]["config"].clone();
    let control = EnvoyGateway::start(objects);
    control.answers(8080, &get("/admin/x"), 401);
    let dump = control.dump("payments/payments/http");
    let (mut listener, mut routes, mut approvals) = (Value::Null, Value::Null, Value::Null);
    let mut text = Value::Null;
    each(&dump, &mut |value| {
        let kind = value["@type"].as_str().unwrap_or_default();
        if kind.ends_with(".v3.Listener") && value["name"] == "payments/payments/http" {
            listener = value.clone();
        } else if kind.ends_with("v3.RouteConfiguration")
            && value["name"] == "payments/payments/http"
        {
            routes = value.clone();
        } else if kind.ends_with("v3.Cluster") && value["name"] == "breakglass-approvals" {
            approvals = value.clone();
        } else if kind.ends_with("protobuf.StringValue") {
            text = value["value"].clone();
        } else if value["name"] == "breakglass-approvals" && approvals.is_null() {
            approvals = value.clone();
        }
    });
    // It hands over the configuration as it stands in the object.
    let handed: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(handed, configuration);
    let mut found = json!({"listener": listener, "routes": routes, "approvals": approvals});
    mask(&mut found);
    let path = root().join(FIXTURE);
    if env::var_os("BREAKGLASS_GENERATE").is_some() {
        let text = serde_json::to_string_pretty(&found).unwrap();
        fs::write(&path, format!("{text}\n")).unwrap();
    }
    let committed: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        found, committed,
        "write it anew: BREAKGLASS_GENERATE=yes scripts/platforms gateway generated"
    );
}
