//! Paths that can be read in two ways: refused under a token, and no way around `protected`. One of each kind, as
//! Envoy hands it over; the tables are in the core's tests (`crates/core/tests/core/paths.rs`).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use breakglass_tests::client::{Answer, connect, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

#[test]
fn an_ambiguous_path_is_refused_under_a_token_and_an_unusual_one_is_not() {
    let everything = json!([{"name": "all", "methods": ["GET"], "paths": ["/v1/**", "/{a}/**"]}]);
    let gate = Plan::standard().set("/scopes", everything).start();
    let token = gate.mint().scope("all").sign();
    for path in [
        "/v1/orders/../admin",
        "//v1/orders",
        "/v1/orders/%2e%2e/admin?query",
        "/v1/orders%2F17",
        "/v1/orders\\..\\admin",
        "/v1/orders;/17",
        "/v1/orders/17%00.json",
        "/v1/orders/%zz",
        "/v1/orders/%252e%252e/admin",
        "/v1/orders/%c0%af",
    ] {
        gate.refuses(&get(path).token(&token), 400, "ambiguous_path");
    }
    for path in ["/v1/orders/...", "/v1/orders/%C3%A9", "/v1/orders?next=/../admin//x;y%2f%00%zz"] {
        gate.allows(&get(path).token(&token));
    }
    gate.has_its_first_vms();
}

#[test]
fn an_ambiguous_path_is_not_refused_without_a_token() {
    let gate = Gate::standard();
    for path in ["/v1/orders/../x", "/v1//a%2fb;v=1"] {
        gate.passes(&get(path));
    }
}

#[test]
fn no_spelling_slips_past_what_is_protected() {
    let gate = Gate::standard();
    for path in [
        "/admin?x",
        "/ADMIN/users",
        "///admin//users",
        "/x/../admin/users",
        "/admin/..;/admin/users",
        "/%61%64%6d%69%6e",
        "/admin%2Fusers",
        "/x/..\\admin",
        "/admin;v=1/users",
        "/admin%00.png",
        "/x/%252e%252e/admin",
    ] {
        gate.refuses(&get(path), 401, "token_missing");
    }
    for path in ["/administrator", "/x/admin", "/?/admin"] {
        gate.passes(&get(path));
    }
    gate.still_serves();
}

#[test]
fn no_spelling_of_the_target_slips_past_what_is_protected() {
    let gate = Gate::standard();
    for (method, target) in [
        ("GET", "http://orders.internal/admin/users"),
        ("GET", "http://orders.internal//admin"),
        ("HEAD", "/admin/users"),
        ("OPTIONS", "/admin/users"),
        ("brew", "/admin/users"),
    ] {
        let request = request(method, target);
        assert_eq!(gate.send(&request).status, 401, "{request:?}");
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.audit().unwrap().text_of("reason"), Some("token_missing"));
    }
    gate.still_serves();
}

/// A gate that ends tunnels itself: what comes through one goes to the upstream as it is.
fn ending_tunnels(plan: Plan) -> Gate {
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).unwrap();
        manager["upgrade_configs"] = json!([{"upgrade_type": "CONNECT"}]);
        let ends = json!([{"upgrade_type": "CONNECT", "connect_config": {}}]);
        let tunnel = json!({"name": "tunnel", "match": {"connect_matcher": {}},
            "route": {"cluster": "upstream", "upgrade_configs": ends}});
        let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().insert(0, tunnel);
        bootstrap.to_string()
    })
}

/// Opens a tunnel; the head of the answer.
fn open_tunnel(connection: &mut impl BufRead, to: &mut impl Write) -> String {
    to.write_all(b"CONNECT orders.internal:80 HTTP/1.1\r\nhost: orders.internal:80\r\n\r\n")
        .unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && connection.read_line(&mut head).unwrap() > 0 {}
    head
}

#[test]
fn no_tunnel_leads_to_what_is_protected() {
    let unprotected = |filter: &mut Value| {
        filter.as_object_mut().unwrap().remove("protected");
    };
    let gate = ending_tunnels(Plan::standard().filter(unprotected));
    let connection = connect(gate.envoy.address());
    let mut answers = BufReader::new(&connection);
    let head = open_tunnel(&mut answers, &mut &connection);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let inside = get("/admin/users");
    (&connection).write_all(&inside.bytes()).unwrap();
    assert_eq!(Answer::read(&mut answers, "GET").unwrap().status, 200);
    assert_eq!(gate.upstream.saw(&inside.id).unwrap().path, "/admin/users");

    let gate = ending_tunnels(Plan::standard());
    let connection = connect(gate.envoy.address());
    let head = open_tunnel(&mut BufReader::new(&connection), &mut &connection);
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    gate.still_serves();
}

#[test]
fn where_envoy_normalises_first_the_filter_judges_what_the_upstream_gets() {
    let gate = Plan::standard().normalizing_paths().start();
    let token = gate.mint().sign();
    let request = get("/v1/x/../orders/./17").token(&token);
    assert_eq!(gate.send(&request).status, 200);
    assert_eq!(gate.upstream.saw(&request.id).unwrap().path, "/v1/orders/17");
    let audit = gate.envoy.record(&request.id);
    assert_eq!(audit.audit().unwrap().text_of("path"), Some("/v1/orders/17"));
    let escape = get("/v1/orders/../../admin/users").token(&token);
    assert_eq!(gate.send(&escape).status, 403);
}
