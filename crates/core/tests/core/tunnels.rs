//! CONNECT: no grant opens a tunnel, and the answer says so; a configuration that means to open one draws a warning.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, parse, test, with,
};

fn scoped(methods: Value) -> Value {
    let scope = json!({"name": "orders:read", "methods": methods, "paths": ["/**"],
        "upgrades": ["websocket"]});
    with(config(), json!({"scopes": [scope]}))
}

fn connect(config: &Value, path: Option<&str>) -> Step {
    let token = Key::new(1).sign(&claims());
    let request = Request::new("CONNECT", path.unwrap_or_default());
    let request = if path.is_none() { request.without(&[":path".to_owned()]) } else { request };
    Stage::new(config).request(1, &request.header("x-breakglass-token", token))
}

fn detail(step: &Step) -> String {
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    assert_eq!(problem["remedy"], Value::Null, "no scope would help: {problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[test]
fn a_tunnel_is_out_of_every_scope_and_the_answer_says_why() {
    for methods in [json!(["GET"]), json!(["CONNECT", "GET"])] {
        // Without a path, as Envoy has it; and with whatever a client puts there.
        for path in
            [None, Some(""), Some("/v1/orders"), Some("orders.internal:443"), Some("/a/../b")]
        {
            let step = connect(&scoped(methods.clone()), path);
            assert_refused(&step, "out_of_scope");
            let said = detail(&step);
            assert!(said.contains("no grant covers CONNECT"), "{said}");
            assert!(!said.contains("dot segments") && !said.contains("plainly"), "{said}");
        }
    }
}

#[test]
fn what_a_ceiling_may_be_about_in_a_tunnel_stays_under_it() {
    let config = with(scoped(json!(["GET"])), json!({"ceiling": [{"paths": ["/ledger/**"]}]}));
    assert_refused(&connect(&config, None), "ceiling");
}

#[test]
fn an_extended_connect_is_judged_as_the_upgrade_that_it_is() {
    // Envoy hands it over as a GET with `upgrade`.
    let request = Request::under(&Key::new(1).sign(&claims())).header("upgrade", "websocket");
    assert_permitted(&Stage::new(&scoped(json!(["GET"]))).request(1, &request));
}

#[test]
fn connect_among_the_methods_of_a_scope_draws_a_warning() {
    let warnings = |config: &Value| parse(config).unwrap().warnings();
    let found = warnings(&scoped(json!(["GET", "CONNECT"])));
    let [warning] = &found[..] else { panic!("{found:?}") };
    for word in ["scopes (`orders:read`)", "`methods`", "`CONNECT`", "take it out", "`upgrades`"] {
        assert!(warning.contains(word), "{word}: {warning}");
    }
    assert!(warnings(&scoped(json!(["GET", "OPTIONS"]))).is_empty());
    // Each scope is named, and another warning is not lost.
    let mut two = scoped(json!(["CONNECT"]));
    two["scopes"][0]["routes"] = json!(["orders"]);
    let other = json!({"name": "b", "methods": ["CONNECT"], "paths": ["/v1"]});
    two["scopes"].as_array_mut().unwrap().push(other);
    assert_eq!(warnings(&two).len(), 3);
}
