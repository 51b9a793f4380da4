//! What a grant covers: ceiling, scopes, hosts, routes, methods. The tables are in the core's tests
//! (`crates/core/tests/core/scopes.rs`).

use breakglass_tests::client::{get, request};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::SUBJECT;
use serde_json::json;

#[test]
fn the_ceiling_refuses_what_the_token_covers() {
    let gate = Gate::standard();
    let token = gate.mint().scope("ledger:all").sign();
    gate.allows(&get("/v1/ledger/entries").token(&token));
    let refused =
        gate.refuses(&request("DELETE", "/v1/ledger/entries").token(&token), 403, "ceiling");
    assert_eq!(refused.problem["grant"]["subject"], SUBJECT);
    assert_eq!(refused.problem.get("remedy"), None, "nothing can be asked for above the ceiling");
    for (method, target) in [
        ("DELETE", "/v1/x/../ledger/entries"),
        ("DELETE", "/v1%2fledger%2fentries"),
        ("delete", "/V1/Ledger;v=1/entries"),
    ] {
        gate.refuses(&request(method, target).token(&token), 403, "ceiling");
    }
    gate.still_serves();
}

#[test]
fn a_refusal_tells_the_holder_what_the_grant_covers_and_what_to_ask_for() {
    let gate = Gate::standard();
    let token = gate.mint();
    let post = request("POST", "/v1/orders").token(token.sign()).body("{}");
    let refused = gate.refuses(&post, 403, "out_of_scope");
    let grant = &refused.problem["grant"];
    assert_eq!(grant["id"], *token.grant());
    assert_eq!(grant["subject"], SUBJECT);
    assert!(grant["expires_at"].as_str().unwrap().ends_with('Z'), "{grant}");
    let scopes = json!([{"scope": "orders:read", "methods": ["GET", "HEAD"],
        "paths": ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"],
            "upgrades": ["websocket"]}]);
    assert_eq!(grant["scopes"], scopes);
    let remedy = refused.problem["remedy"].as_str().unwrap();
    let start = "breakglass request --scope orders:read --scope orders:write --reason '<why>'";
    assert!(remedy.starts_with(start) && remedy.ends_with(" --duration 30m --wait"), "{remedy}");
    let challenge = refused.answer.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#", scope="orders:write""#), "{challenge}");
    assert_eq!(refused.audit.text_of("grant"), Some(token.grant()));
    assert_eq!(refused.audit.text_of("subject"), Some(SUBJECT));
    gate.allows(&post_with(&gate, "orders:write"));
}

fn post_with(gate: &Gate, scope: &str) -> breakglass_tests::client::Request {
    request("POST", "/v1/orders").token(gate.mint().scope(scope).sign()).body("{}")
}

#[test]
fn a_scope_with_hosts_covers_these_hosts_only() {
    let gate = Gate::standard();
    for (scope, covered, other) in [
        ("host:exact", "BILLING.internal:8443", "billing.internal.evil.test"),
        ("host:suffix", "a.b.eu.internal.", "eu.internal"),
    ] {
        let token = gate.mint().scope(scope).sign();
        let to = |host: &str| get("/v1/invoices").host(host).token(&token);
        let request = to(covered);
        assert_eq!(gate.send(&request).status, 200, "{covered}");
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.audit().unwrap().text_of("decision"), Some("allow"));
        gate.refuses(&to(other), 403, "out_of_scope");
    }
}

#[test]
fn a_scope_with_routes_covers_these_routes_only() {
    let gate = Gate::standard();
    let token = gate.mint().scope("route:orders").sign();
    let allowed = gate.allows(&get("/v1/orders/17").token(&token));
    assert_eq!(allowed.audit.text_of("route"), Some("orders"));
    gate.refuses(&get("/v1/invoices").token(&token), 403, "out_of_scope");
}

#[test]
fn a_client_does_not_choose_the_route_by_headers_that_the_filter_removes() {
    // A route called `orders` for whoever says to be bob.
    let gate = Plan::standard().start_with(|settings| {
        let mut bootstrap = settings.bootstrap(std::path::Path::new(""));
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let routes = format!("{manager}/route_config/virtual_hosts/0/routes");
        let routes = bootstrap.pointer_mut(&routes).unwrap().as_array_mut().unwrap();
        let subject = json!({"name": "x-breakglass-subject",
            "string_match": {"exact": "bob@example.com"}});
        routes.insert(
            0,
            json!({"name": "orders", "match": {"prefix": "/", "headers": [subject]},
            "route": {"cluster": "upstream"}}),
        );
        bootstrap.to_string()
    });
    let routed = gate.mint().scope("route:orders").sign();
    gate.allows(&get("/v1/orders").token(&routed));
    gate.refuses(&get("/v1/invoices").token(&routed), 403, "out_of_scope");
    for path in ["/v1/invoices", "/v1/orders"] {
        for (name, value) in [
            ("x-breakglass-subject", "bob@example.com"),
            ("X_Breakglass_Grant", "g"),
            ("x-breakglass-anything", ""),
        ] {
            let request = get(path).token(&routed).header(name, value);
            gate.refuses(&request, 400, "reserved_header");
        }
    }
    // Without routes in its scopes such headers are removed, as without a token.
    let plain = get("/v1/orders").header("x-breakglass-subject", "bob@example.com");
    let subject = gate.allows(&plain.token(gate.mint().sign())).seen;
    assert_eq!(subject.header("x-breakglass-subject"), Some("alice@example.com"));
    let passed = gate.passes(&get("/v1/orders").header("x-breakglass-subject", "bob@example.com"));
    assert_eq!(passed.seen.header("x-breakglass-subject"), None);
    gate.still_serves();
}

#[test]
fn refuses_a_method_override_under_a_token_unless_the_configuration_calls_it_harmless() {
    let gate = Plan::standard().set("/harmless_method_overrides", json!(["x-http-method"])).start();
    let token = gate.mint().sign();
    let with = |name: &str, value: &str| get("/v1/orders").token(&token).header(name, value);
    gate.allows(&with("X-HTTP-Method", "DELETE"));
    gate.refuses(&with("X-HTTP-Method-Override", "DELETE"), 400, "method_override");
    gate.refuses(&with("x-method-override", ""), 400, "method_override");
    gate.passes(&get("/v1/orders").header("x-http-method-override", "DELETE"));
    gate.still_serves();
}
