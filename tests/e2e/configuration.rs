//! The configuration: Envoy refuses a wrong one and says which fields are wrong, all of them; an
//! update that is wrong leaves the old one working. Each field that can be wrong is in the core's tests
//! (`crates/core/tests/core/configuration_fields.rs`).

use breakglass_tests::bootstrap::{Delivery, Form, Settings};
use breakglass_tests::client::get;
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::Key;
use breakglass_tests::policy::standard;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// What Envoy logs about a configuration that it must refuse.
fn refusal(filter: &str) -> String {
    let nobody = "127.0.0.1:1".parse().unwrap();
    Envoy::refuses_to_start(&Settings::new(Some(filter.to_owned()), nobody, nobody))
}

/// The standard configuration with one place changed.
fn changed(pointer: &str, value: Value) -> Value {
    let mut filter = standard(&[&Key::es256("key-1")]);
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = filter.pointer_mut(parent).unwrap();
    match member.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[member] = value,
    }
    filter
}

const REJECTED: &str = "extension_config_discovery.http_filter.breakglass.update_rejected";

#[test]
fn all_mistakes_are_named_at_once() {
    let mut filter = standard(&[&Key::es256("key-1")]);
    filter["colour"] = json!("red");
    filter["clock_skew"] = json!("soon");
    filter["max_token_bytes"] = json!("8192");
    filter["scopes"][1].as_object_mut().unwrap().remove("methods");
    filter["revocation"]["credential"] = json!({"token": "hunter2"});
    filter["issuers"][0]["algorithms"] = json!(["none"]);
    filter["issuers"][0]["audiences"] = json!([]);
    filter["scopes"][0]["paths"][2] = json!("/v1/**/x");
    filter["scopes"][13]["require"]["source_cidrs"][1] = json!("2001:db8::/200");
    filter["revocation"]["on_unavailable"] = json!("perhaps");
    let log = refusal(&filter.to_string());
    for path in [
        "colour",
        "clock_skew",
        "max_token_bytes",
        "scopes[1].methods",
        "revocation.credential.token",
        "issuers[0].algorithms[0]",
        "issuers[0].audiences",
        "scopes[0].paths[2]",
        "scopes[13].require.source_cidrs[1]",
        "revocation.on_unavailable",
    ] {
        assert!(log.contains(path), "no word of `{path}` in\n{log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn what_is_not_json_is_refused() {
    for text in ["", "issuers: []"] {
        let log = refusal(text);
        assert!(log.contains("Plugin breakglass failed to load"), "{text}:\n{log}");
        assert!(!log.contains("panicked"), "{text}:\n{log}");
    }
}

#[test]
fn a_struct_is_a_configuration_like_any_other() {
    // A number of a `Struct` is a double, whatever was written.
    let gate = Plan::standard().as_struct().set("/max_token_bytes", json!(700)).start();
    gate.still_serves();
    gate.passes(&get("/v1/orders"));
    gate.refuses(&get("/admin/users"), 401, "token_missing");
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    let large = gate.mint().claim("padding", "x".repeat(300)).sign();
    gate.refuses(&get("/v1/orders").token(large), 401, "token_too_large");
}

#[test]
fn a_wrong_struct_is_refused_and_every_wrong_field_is_named() {
    let mut filter = standard(&[&Key::es256("key-1")]);
    filter["colour"] = json!("red");
    filter["max_token_bytes"] = json!(700.5);
    filter["issuers"][0]["audiences"] = json!([]);
    filter["scopes"][0]["methods"][1] = json!(7);
    filter["scopes"][13]["require"]["source_cidrs"][1] = json!("2001:db8::/200");
    filter["revocation"]["introspection"]["timeout"] = json!(null);
    let nobody = "127.0.0.1:1".parse().unwrap();
    let settings = Settings::new(Some(filter.to_string()), nobody, nobody);
    let log = Envoy::refuses_to_start(&Settings { form: Form::Struct, ..settings });
    for path in [
        "colour",
        "max_token_bytes",
        "issuers[0].audiences",
        "scopes[0].methods[1]",
        "scopes[13].require.source_cidrs[1]",
        "revocation.introspection.timeout",
    ] {
        assert!(log.contains(path), "no word of `{path}` in\n{log}");
    }
}

#[test]
fn an_empty_struct_is_refused() {
    let nobody = "127.0.0.1:1".parse().unwrap();
    let settings = Settings::new(Some("{}".to_owned()), nobody, nobody);
    let log = Envoy::refuses_to_start(&Settings { form: Form::Struct, ..settings });
    assert!(log.contains("breakglass: configuration:"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// The old configuration works, the wrong one is counted as rejected, and a right one takes over.
fn survives_a_wrong_update(mut gate: Gate, rejected: &str) {
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    gate.envoy.update(&changed("/scopes/0/paths", json!([])).to_string());
    until("the wrong configuration to be rejected", || {
        (gate.envoy.stats().of(rejected) == 1).then_some(())
    });
    assert!(gate.envoy.log().contains("scopes[0].paths"), "{}", gate.envoy.log());
    gate.still_serves();
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");

    let mut right = standard(&[&gate.key]);
    right["scopes"][0]["paths"] = json!(["/v1/invoices"]);
    gate.envoy.update(&right.to_string());
    let invoices = || get("/v1/invoices").token(gate.mint().sign());
    until("the right configuration", || (gate.send(&invoices()).status == 200).then_some(()));
    gate.allows(&invoices());
    gate.refuses(&get("/v1/orders").token(gate.mint().sign()), 403, "out_of_scope");
}

#[test]
fn a_wrong_listener_update_leaves_the_old_configuration_working() {
    let gate = Plan::standard().delivered_by(Delivery::Listener).start();
    survives_a_wrong_update(gate, "listener_manager.lds.update_rejected");
}

#[test]
fn a_wrong_extension_update_leaves_the_old_configuration_working() {
    let gate = Plan::standard().delivered_by(Delivery::Extension).start();
    survives_a_wrong_update(gate, REJECTED);
}
