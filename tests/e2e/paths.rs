//! Paths that can be read in two ways: refused under a token, and no way around `protected`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use breakglass_tests::client::{Answer, connect, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

/// Under `/v1/**`, so that nothing but the ambiguity refuses them.
const AMBIGUOUS: [&str; 30] = [
    "/v1/orders/../admin",
    "/v1/orders/..",
    "/v1/orders/.",
    "/v1/./orders",
    "/v1/orders/...%2f",
    "/v1//orders",
    "/v1/orders//",
    "//v1/orders",
    "/v1/orders/%2e%2e/admin",
    "/v1/orders/%2E%2E/admin",
    "/v1/orders/.%2e/admin",
    "/v1/orders/%2e",
    "/v1/orders/a%2eb",
    "/v1/orders%2f17",
    "/v1/orders%2F17",
    "/v1/orders%5c17",
    "/v1/orders%5C17",
    "/v1/orders\\17",
    "/v1/orders\\..\\admin",
    "/v1/orders;v=1",
    "/v1/orders;/17",
    "/v1/..;/admin",
    "/v1/orders/%3b",
    "/v1/orders/%00",
    "/v1/orders/17%00.json",
    "/v1/orders/%",
    "/v1/orders/%2",
    "/v1/orders/%zz",
    "/v1/orders/%g0",
    "/v1/orders/%u002f",
];

#[test]
fn every_ambiguous_path_is_refused_under_a_token() {
    let everything = json!([{"name": "all", "methods": ["GET"], "paths": ["/v1/**", "/{a}/**"]}]);
    let gate = Plan::standard().set("/scopes", everything).start();
    let token = gate.mint().scope("all").sign();
    gate.allows(&get("/v1/orders").token(&token));
    for path in AMBIGUOUS {
        gate.refuses(&get(path).token(&token), 400, "ambiguous_path");
        gate.refuses(&get(format!("{path}?query")).token(&token), 400, "ambiguous_path");
    }
    gate.allows(&get("/v1/orders").token(&token));
    gate.has_its_first_vms();
}

#[test]
fn a_path_that_a_second_decoding_changes_is_refused_under_a_token() {
    let everything = json!([{"name": "all", "methods": ["GET"], "paths": ["/v1/**"]}]);
    let gate = Plan::standard().set("/scopes", everything).start();
    let token = gate.mint().scope("all").sign();
    for path in [
        "/v1/orders/%252f",
        "/v1/orders/%252e%252e/admin",
        "/v1/orders/%255c",
        "/v1/orders/%c0%af",
        "/v1/orders/%c0%ae%c0%ae/admin",
    ] {
        gate.refuses(&get(path).token(&token), 400, "ambiguous_path");
    }
    gate.allows(&get("/v1/orders").token(&token));
    gate.has_its_first_vms();
}

#[test]
fn what_is_unusual_but_has_one_reading_is_allowed() {
    let everything = json!([{"name": "all", "methods": ["GET"], "paths": ["/v1/**"]}]);
    let gate = Plan::standard().set("/scopes", everything).start();
    let token = gate.mint().scope("all").sign();
    for path in [
        "/v1/orders/...",
        "/v1/orders/.hidden",
        "/v1/orders/17.json",
        "/v1/orders/a:b@c",
        "/v1/orders/%20",
        "/v1/orders/%C3%A9",
        "/v1/orders/a+b,c=d&e!f$g'h(i)j*k~l",
        "/v1/orders?next=/../admin//x;y%2f%00%zz",
    ] {
        gate.allows(&get(path).token(&token));
    }
}

#[test]
fn an_ambiguous_path_is_not_refused_without_a_token() {
    let gate = Gate::standard();
    for path in ["/v1/orders/../x", "/v1//orders", "/v1/orders;v=1", "/v1/a%2fb"] {
        gate.passes(&get(path));
    }
}

#[test]
fn no_spelling_slips_past_what_is_protected() {
    let gate = Gate::standard();
    for path in [
        "/admin",
        "/admin/",
        "/admin/users",
        "/admin?x",
        "/admin/users?x=/y",
        "/ADMIN/users",
        "/Admin",
        "//admin/users",
        "///admin//users",
        "/./admin/users",
        "/x/../admin/users",
        "/x/y/../../admin",
        "/../admin",
        "/admin/./users",
        "/admin/../admin/users",
        "/admin/..;/admin/users",
        "/%61dmin/users",
        "/%41DMIN",
        "/%61%64%6d%69%6e",
        "/admin%2fusers",
        "/admin%2Fusers",
        "/admin%5cusers",
        "/admin\\users",
        "/x/%2e%2e/admin/users",
        "/x/.%2e/admin",
        "/x%2f..%2fadmin",
        "/x%2f%2e%2e%2fadmin/users",
        "/x/..\\admin",
        "/admin;v=1",
        "/admin;v=1/users",
        "/;x/admin",
        "/x;y=z/../admin",
        "/admin%00",
        "/admin%00.png",
        "/admin%3bx/users",
        "/%2561dmin/users",
        "/x/%252e%252e/admin",
        "/admin%252fusers",
    ] {
        gate.refuses(&get(path), 401, "token_missing");
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

#[test]
fn what_only_looks_like_what_is_protected_passes() {
    let gate = Gate::standard();
    for path in ["/administrator", "/adminx/users", "/x/admin", "/v1/admin/users", "/?/admin", "/"]
    {
        gate.passes(&get(path));
    }
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
