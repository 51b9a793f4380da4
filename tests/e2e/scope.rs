//! What a grant covers: ceiling, scopes, hosts, routes, methods, paths.

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
}

#[test]
fn the_ceiling_refuses_every_spelling_of_what_it_covers() {
    let gate = Gate::standard();
    let token = gate.mint().scope("ledger:all").sign();
    for (method, target) in [
        ("DELETE", "/v1/ledger"),
        ("DELETE", "/v1/ledger/"),
        ("DELETE", "/V1/Ledger/entries"),
        ("DELETE", "/v1//ledger/entries"),
        ("DELETE", "/v1/x/../ledger/entries"),
        ("DELETE", "/v1/%6cedger/entries"),
        ("DELETE", "/v1%2fledger%2fentries"),
        ("DELETE", "/v1/ledger;v=1/entries"),
        ("delete", "/v1/ledger/entries"),
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
fn refuses_methods_and_paths_that_no_scope_of_the_token_names() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    for (method, target) in [
        ("POST", "/v1/orders"),
        ("DELETE", "/v1/orders/17"),
        ("OPTIONS", "/v1/orders"),
        ("get", "/v1/orders"),
        ("GET", "/v1/orders/"),
        ("GET", "/v1/orders/17/"),
        ("GET", "/v1/orders/17/items"),
        ("GET", "/v1/orders/17/items/"),
        ("GET", "/v1/ordersx"),
        ("GET", "/v1/order"),
        ("GET", "/V1/orders"),
        ("GET", "/v1/Orders"),
        ("GET", "/x/v1/orders"),
        ("GET", "/"),
        ("GET", "/v1/invoices"),
    ] {
        gate.refuses(&request(method, target).token(&token), 403, "out_of_scope");
    }
}

#[test]
fn refuses_a_token_whose_scopes_the_configuration_does_not_know() {
    let gate = Gate::standard();
    let token = gate.mint().scope("ghosts:read").sign();
    let refused = gate.refuses(&get("/v1/orders").token(token), 403, "out_of_scope");
    let remedy = refused.problem["remedy"].as_str().unwrap();
    assert!(remedy.starts_with("breakglass request --scope ghosts:read --scope "), "{remedy}");
}

#[test]
fn a_scope_with_hosts_covers_these_hosts_only() {
    let gate = Gate::standard();
    let token = gate.mint().scope("host:exact").sign();
    let to = |host: &str| get("/v1/invoices").host(host).token(&token);
    gate.allows(&to("billing.internal"));
    for host in ["orders.internal", "billing.internal.evil.test", "xbilling.internal", "internal"] {
        gate.refuses(&to(host), 403, "out_of_scope");
    }
    let token = gate.mint().scope("host:suffix").sign();
    let to = |host: &str| get("/v1/invoices").host(host).token(&token);
    gate.allows(&to("a.eu.internal"));
    gate.allows(&to("a.b.eu.internal"));
    for host in ["eu.internal", "xeu.internal", "a.eu.internal.evil.test", "a.us.internal"] {
        gate.refuses(&to(host), 403, "out_of_scope");
    }
}

#[test]
fn hosts_are_compared_without_case_port_and_final_dot() {
    let gate = Gate::standard();
    let token = gate.mint().scope("host:exact").sign();
    for host in ["BILLING.internal", "billing.internal:8443", "billing.internal."] {
        let request = get("/v1/invoices").host(host).token(&token);
        assert_eq!(gate.send(&request).status, 200, "{host}");
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.audit().unwrap().text_of("decision"), Some("allow"));
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
fn refuses_a_method_override_under_a_token() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    gate.allows(&get("/v1/orders").token(&token));
    for name in ["x-http-method-override", "X-HTTP-Method", "x-method-override"] {
        for value in ["DELETE", "GET", ""] {
            let request = get("/v1/orders").token(&token).header(name, value);
            gate.refuses(&request, 400, "method_override");
        }
    }
    gate.passes(&get("/v1/orders").header("x-http-method-override", "DELETE"));
    gate.still_serves();
}

#[test]
fn allows_a_method_override_that_the_configuration_calls_harmless() {
    let gate = Plan::standard()
        .set("/harmless_method_overrides", json!(["x-http-method-override"]))
        .start();
    let token = gate.mint().sign();
    let with = |name: &str| get("/v1/orders").token(&token).header(name, "DELETE");
    gate.allows(&with("x-http-method-override"));
    gate.refuses(&with("x-method-override"), 400, "method_override");
}
