//! A permit for `routes: ["orders"]` that reaches another route, by whichever filter or route made Envoy choose
//! again: its answer does not reach the client, and the record names both routes.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use breakglass_tests::client::{Answer, Request, connect, get, new_id, request};
use breakglass_tests::extended_connect;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::grpc;
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::live::SOCKET;
use breakglass_tests::policy::ISSUER;
use breakglass_tests::record::Audit;
use breakglass_tests::tokens::Mint;
use breakglass_tests::wait::until;
use serde_json::{Value, json};

/// What differs from the standard gate.
#[derive(Default)]
struct Change {
    /// Routes before those of the gate.
    routes: Vec<Value>,
    /// Whether there are no others.
    alone: bool,
    /// Filters in front of breakglass, and behind it.
    before: Vec<Value>,
    behind: Vec<Value>,
    /// Another upstream, called `canned`.
    canned: Option<SocketAddr>,
    /// Members of the connection manager.
    manager: Value,
}

fn plan() -> Plan {
    let scope = |name: &str, routes: Option<&str>| {
        let mut scope = json!({"name": name, "methods": ["GET", "POST"],
            "paths": ["/v1/**", "/test.Orders/{method}"], "upgrades": ["websocket"]});
        if let Some(route) = routes {
            scope["routes"] = json!([route]);
        }
        scope
    };
    Plan::standard()
        .set("/scopes", json!([scope("routed", Some("orders")), scope("open", None)]))
        .set(
            "/token_sources",
            json!([{"header": "x-breakglass-token"},
            {"header": "authorization", "scheme": "Bearer"}]),
        )
}

fn start(plan: Plan, change: Change) -> Gate {
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        if let Some(canned) = change.canned {
            let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
            let mut cluster = clusters[1].clone();
            cluster["name"] = json!("canned");
            cluster["load_assignment"]["cluster_name"] = json!("canned");
            let place =
                "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
            cluster.pointer_mut(place).unwrap()["port_value"] = json!(canned.port());
            clusters.push(cluster);
        }
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).unwrap();
        for (name, value) in change.manager.as_object().into_iter().flatten() {
            manager[name] = value.clone();
        }
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.splice(1..1, change.behind);
        filters.splice(0..0, change.before);
        let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
        let routes = routes.as_array_mut().unwrap();
        if change.alone {
            routes.clear();
        }
        routes.splice(0..0, change.routes);
        bootstrap.to_string()
    })
}

fn to(name: &str, matching: Value) -> Value {
    json!({"name": name, "match": matching, "route": {"cluster": "upstream", "timeout": "0s"}})
}

fn present(header: &str) -> Value {
    json!({"prefix": "/", "headers": [{"name": header, "present_match": true}]})
}

/// Where what has a permit goes: away from `orders`.
fn strayed() -> Value {
    to("billing", present("x-breakglass-grant"))
}

fn lua(code: &str) -> Value {
    json!({"name": "lua", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": code}}})
}

/// Asserts that the answer is a refusal, and that everything says so: the answer, what the upstream saw (the call
/// has happened), the log and the record.
fn assert_strayed(gate: &Gate, request: &Request, used: Value, reached: bool) -> Audit {
    let answer = gate.send(request);
    assert_eq!(answer.status, 403, "{request:?} {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["reason"], "route_changed", "{problem}");
    assert_eq!(answer.header("www-authenticate"), None, "no other token would help");
    assert_eq!(gate.upstream.saw(&request.id).is_some(), reached, "{request:?}");
    assert_recorded(gate, &request.id, used, 403)
}

/// Asserts what is recorded of such a request.
fn assert_recorded(gate: &Gate, id: &str, used: Value, status: u64) -> Audit {
    let record = gate.envoy.record(id);
    let audit = record.audit().unwrap_or_else(|| panic!("{}", record.line())).clone();
    assert!(audit.is_complete(), "{}", audit.text);
    let said = ["decision", "reason", "route"].map(|member| audit.text_of(member));
    assert_eq!(said, [Some("cut"), Some("route_changed"), Some("orders")], "{}", audit.text);
    assert_eq!((audit.of("route_used"), audit.of("phase")), (&used, &json!("end")));
    assert_eq!(audit.of("status").as_u64().unwrap_or_default(), status, "{}", audit.text);
    if status > 0 {
        assert_eq!(record.details(), "breakglass_route_changed");
    }
    audit
}

fn no_route_used(audit: &Audit) -> bool {
    !audit.text.contains("route_used")
}

#[test]
fn a_route_that_matches_on_headers_of_ours_or_of_the_token_is_noticed() {
    // What the filter sets, and what it removes.
    let routes = [
        (vec![strayed()], "x-breakglass-token"),
        (vec![to("billing", present("x-breakglass-subject"))], "x-breakglass-token"),
        (
            vec![
                to("orders", present("x-breakglass-token")),
                to("billing", json!({"prefix": "/"})),
            ],
            "x-breakglass-token",
        ),
        (
            vec![to("orders", present("authorization")), to("billing", json!({"prefix": "/"}))],
            "authorization",
        ),
    ];
    for (routes, header) in routes {
        let gate = start(plan(), Change { routes, ..Change::default() });
        let send = |scope: &str| {
            let token = gate.mint().scope(scope).sign();
            let value = if header == "authorization" { format!("Bearer {token}") } else { token };
            get("/v1/orders/17").header(header, value)
        };
        let audit = assert_strayed(&gate, &send("routed"), json!("billing"), true);
        assert_eq!(audit.text_of("scope"), Some("routed"));
        assert!(audit.text_of("upstream").is_some());
        // Where the scope names no routes, it is said and nothing is cut.
        let allowed = gate.allows(&send("open"));
        assert_eq!(allowed.audit.text_of("route_used"), Some("billing"));
        gate.counts("cut", "route_changed", 1);
        gate.has_its_first_vms();
    }
}

#[test]
fn a_route_that_stays_is_no_news() {
    let gate = start(plan(), Change::default());
    for scope in ["routed", "open"] {
        let allowed = gate.allows(&get("/v1/orders/17").token(gate.mint().scope(scope).sign()));
        assert!(no_route_used(&allowed.audit), "{}", allowed.audit.text);
    }
    let refused = gate.refuses(
        &get("/v1/bills").token(gate.mint().scope("routed").sign()),
        403,
        "out_of_scope",
    );
    assert!(no_route_used(&refused.audit));
    gate.passes(&get("/v1/orders/17"));
    // Another route of the same name is the same to everybody who reads a name.
    let same = to("orders", present("x-breakglass-grant"));
    let gate = start(plan(), Change { routes: vec![same], ..Change::default() });
    gate.allows(&get("/v1/orders/17").token(gate.mint().scope("routed").sign()));
}

#[test]
fn an_earlier_filter_that_cleared_the_route_cache_is_noticed() {
    let key = Key::es256("people");
    let jwt = json!({"name": "jwt", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"people": {
            "issuer": ISSUER,
            "local_jwks": {"inline_string": jwks(&[&key]).to_string()},
            "from_headers": [{"name": "x-person"}],
            "claim_to_headers": [{"claim_name": "team", "header_name": "x-team"}],
            "clear_route_cache": true,
        }},
        "rules": [{"match": {"prefix": "/"},
            "requires": {"requires_any": {"requirements": [{"provider_name": "people"}, {"allow_missing": {}}]}}}],
    }});
    let team = json!({"prefix": "/", "headers": [{"name": "x-team", "string_match": {"exact": "billing"}}]});
    let change =
        Change { routes: vec![to("billing", team)], before: vec![jwt], ..Change::default() };
    let gate = start(plan(), change);
    let token = gate.mint().scope("routed").sign();
    let person = |team: &str| Mint::new(&key).claim("team", team).sign();
    let send = |team: &str| get("/v1/orders/17").token(&token).header("x-person", person(team));
    assert_strayed(&gate, &send("billing"), json!("billing"), true);
    assert!(no_route_used(&gate.allows(&send("orders")).audit));
    gate.allows(&get("/v1/orders/17").token(&token));
    gate.has_its_first_vms();
}

#[test]
fn a_later_filter_that_makes_envoy_choose_again_is_noticed() {
    let tenant = json!({"prefix": "/", "headers": [{"name": "x-tenant", "present_match": true}]});
    let billing = vec![to("billing", tenant), to("billing", json!({"prefix": "/v1/billing"}))];
    for code in [
        "function envoy_on_request(handle)
           handle:headers():add('x-tenant', 'acme')
           handle:clearRouteCache()
         end",
        "function envoy_on_request(handle)
           handle:headers():replace(':path', '/v1/billing')
           handle:clearRouteCache()
         end",
    ] {
        // Right behind this filter, and behind all others.
        let change =
            Change { routes: billing.clone(), behind: vec![lua(code)], ..Change::default() };
        let gate = start(plan(), change);
        let token = gate.mint().scope("routed").sign();
        let audit =
            assert_strayed(&gate, &get("/v1/orders/17").token(&token), json!("billing"), true);
        assert_eq!(audit.text_of("path"), Some("/v1/orders/17"), "as it was judged");
        let open = gate.mint().scope("open").sign();
        let answer = gate.send(&get("/v1/orders/17").token(&open));
        assert_eq!(answer.status, 200);
    }
    // The filter of mutations changes a header where Envoy has chosen already, and clears nothing by itself.
    let mutation = json!({"name": "mutation", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": [{"append": {"header": {"key": "x-tenant", "value": "acme"}}}]}}});
    let change = Change { routes: billing, behind: vec![mutation], ..Change::default() };
    let gate = start(plan(), change);
    let request = get("/v1/orders/17").token(gate.mint().scope("routed").sign());
    let answer = gate.send(&request);
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().unwrap();
    match answer.status {
        200 => assert!(no_route_used(audit), "{}", audit.text),
        _ => drop(assert_recorded(&gate, &request.id, json!("billing"), 403)),
    }
}

#[test]
fn in_shadow_mode_nothing_is_cut() {
    let shadow = plan().set("/enforcement", json!("shadow"));
    let gate = start(shadow, Change { routes: vec![strayed()], ..Change::default() });
    let request = get("/v1/orders/17").token(gate.mint().scope("routed").sign());
    assert_eq!(gate.send(&request).status, 200);
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    let said = ["decision", "reason", "route", "route_used"].map(|member| audit.text_of(member));
    assert_eq!(said, [Some("shadow_deny"), Some("route_changed"), Some("orders"), Some("billing")]);
    gate.counts("shadow_deny", "route_changed", 1);
}

#[test]
fn what_the_router_answers_itself_is_compared_too() {
    // No route at all: the token's header chose it.
    let only = vec![to("orders", present("x-breakglass-token"))];
    let gate = start(plan(), Change { routes: only, alone: true, ..Change::default() });
    let send = |gate: &Gate, path: &str| get(path).token(gate.mint().scope("routed").sign());
    let audit = assert_strayed(&gate, &send(&gate, "/v1/orders"), Value::Null, false);
    assert_eq!(audit.of("upstream"), &Value::Null, "nothing was reached");
    let request = get("/v1/orders").token(gate.mint().scope("open").sign());
    assert_eq!(gate.send(&request).status, 404, "as Envoy says it");
    let record = gate.envoy.record(&request.id);
    assert_eq!(record.audit().unwrap().of("route_used"), &Value::Null);

    let mut nameless = strayed();
    nameless.as_object_mut().unwrap().remove("name");
    let mut direct = strayed();
    direct.as_object_mut().unwrap().remove("route");
    let mut redirect = direct.clone();
    direct["direct_response"] = json!({"status": 200, "body": {"inline_string": "secret"}});
    redirect["redirect"] = json!({"path_redirect": "/elsewhere"});
    for (route, used, path, reached) in [
        (nameless, Value::Null, "/v1/orders", true),
        (direct, json!("billing"), "/v1/orders", false),
        (redirect, json!("billing"), "/v1/orders", false),
        // The upstream breaks the connection: Envoy answers 503.
        (strayed(), json!("billing"), "/v1/orders/resets", true),
    ] {
        let gate = start(plan(), Change { routes: vec![route], ..Change::default() });
        assert_strayed(&gate, &send(&gate, path), used, reached);
        gate.has_its_first_vms();
    }
    // Envoy's own timeout.
    let mut late = strayed();
    late["route"]["timeout"] = json!("0.1s");
    let gate = start(plan(), Change { routes: vec![late], ..Change::default() });
    assert_strayed(&gate, &send(&gate, "/v1/orders/hangs"), json!("billing"), true);
}

#[test]
fn a_native_filter_that_refuses_on_another_route_is_compared_too() {
    // RBAC behind the filter lets a permit through; a filter in lua does not.
    let code = "function envoy_on_request(handle) handle:respond({[':status'] = '451'}, 'no') end";
    let change = Change { routes: vec![strayed()], behind: vec![lua(code)], ..Change::default() };
    let gate = start(plan(), change);
    let request = get("/v1/orders").token(gate.mint().scope("routed").sign());
    let answer = gate.send(&request);
    let record = gate.envoy.record(&request.id);
    assert!(gate.upstream.saw(&request.id).is_none());
    let audit = record.audit().unwrap();
    match answer.status {
        // No route was asked for behind this filter.
        451 => assert!(no_route_used(audit), "{}", audit.text),
        _ => drop(assert_recorded(&gate, &request.id, json!("billing"), 403)),
    }
}

#[test]
fn a_client_that_goes_before_the_answer_leaves_both_routes_in_the_record() {
    let gate = start(plan(), Change { routes: vec![strayed()], ..Change::default() });
    let request = get("/v1/orders/hangs").token(gate.mint().scope("routed").sign());
    let mut connection = connect(gate.envoy.address());
    connection.write_all(&request.bytes()).unwrap();
    until("the upstream to have it", || gate.upstream.saw(&request.id));
    drop(connection);
    let audit = assert_recorded(&gate, &request.id, json!("billing"), 0);
    assert!(audit.text_of("response_flags").unwrap().contains("DC"), "{}", audit.text);
    gate.counts("cut", "route_changed", 1);
}

#[test]
fn a_switch_of_protocols_does_not_happen() {
    let http1 = json!({"http2_protocol_options": {"allow_connect": true}});
    let change = Change { routes: vec![strayed()], manager: http1, ..Change::default() };
    let gate = start(plan(), change);
    let token = gate.mint().scope("routed").sign();
    let ask = |token: &str| {
        let request = get(format!("/v1/orders{SOCKET}"))
            .token(token)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let mut connection = connect(gate.envoy.address());
        let answer = request.send_over(&mut connection);
        (request.id, answer)
    };
    let (id, answer) = ask(&token);
    assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("route_changed")));
    let audit = assert_recorded(&gate, &id, json!("billing"), 403);
    assert_eq!(audit.text_of("upgrade"), Some("websocket"));
    let (_, answer) = ask(&gate.mint().scope("open").sign());
    assert_eq!(answer.status, 101);
    gate.has_its_first_vms();
}

#[test]
fn grpc_calls_get_a_status() {
    let gate = start(plan(), Change { routes: vec![strayed()], ..Change::default() });
    let token = gate.mint().scope("routed").sign();
    // The gate's route for gRPC is `rest`; this token's scope names `orders`.
    let gate = {
        drop(gate);
        let mut orders = to("orders", json!({"prefix": "/test.Orders"}));
        orders["route"]["timeout"] = json!("0s");
        start(plan(), Change { routes: vec![strayed(), orders], ..Change::default() })
    };
    drop(token);
    let token = gate.mint().scope("routed").sign();
    let id = new_id();
    let headers = [("x-breakglass-token", token.as_str()), ("x-request-id", &id)];
    let answer = grpc::call(gate.envoy.address(), "/test.Orders/Get", &headers);
    assert_eq!((answer.http_status, answer.status()), (200, Some("7")));
    assert!(answer.message().unwrap().starts_with("route_changed"), "{:?}", answer.message());
    assert!(gate.upstream.saw(&id).is_some());
    let audit = assert_recorded(&gate, &id, json!("billing"), 200);
    assert_eq!(audit.text_of("method"), Some("POST"));
    let open = gate.mint().scope("open").sign();
    let headers = [("x-breakglass-token", open.as_str())];
    let answer = grpc::call(gate.envoy.address(), "/test.Orders/Get", &headers);
    assert_eq!(answer.status(), Some("0"));
}

#[test]
fn the_connection_stays_usable_and_uploads_end() {
    let gate = start(plan(), Change { routes: vec![strayed()], ..Change::default() });
    let token = gate.mint().scope("routed").sign();
    let mut connection = connect(gate.envoy.address());
    for _ in 0..3 {
        let upload = request("POST", "/v1/orders").token(&token).body(vec![b'x'; 300_000]);
        let answer = upload.send_over(&mut connection);
        assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("route_changed")));
        assert_recorded(&gate, &upload.id, json!("billing"), 403);
        let passed = get("/v1/orders/17");
        assert_eq!(passed.send_over(&mut connection).status, 200);
    }
    gate.has_its_first_vms();
}

/// An upstream that answers each request with what it is told, and says how many came.
fn canned(answers: Vec<&'static str>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.extend(byte);
            }
            let number = counted.fetch_add(1, Ordering::SeqCst);
            let answer = answers.get(number).or(answers.last()).unwrap();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

fn to_canned(name: &str, matching: Value, more: Value) -> Value {
    let mut route = to(name, matching);
    route["route"]["cluster"] = json!("canned");
    for (member, value) in more.as_object().into_iter().flatten() {
        route["route"][member] = value.clone();
    }
    route
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

#[test]
fn informational_responses_are_none_yet() {
    for first in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"]
    {
        let (address, _) = canned(vec![format!("{first}{OK}").leak()]);
        let routes = |name: &str| vec![to_canned(name, present("x-breakglass-grant"), json!({}))];
        let manager = json!({"proxy_100_continue": true});
        for (name, status) in [("billing", 403), ("orders", 200)] {
            let change = Change {
                routes: routes(name),
                canned: Some(address),
                manager: manager.clone(),
                ..Change::default()
            };
            let gate = start(plan(), change);
            let request = get("/v1/orders").token(gate.mint().scope("routed").sign());
            let request = request.header("expect", "100-continue");
            let mut connection = connect(gate.envoy.address());
            connection.write_all(&request.bytes()).unwrap();
            let mut reader = BufReader::new(connection);
            let answer = loop {
                let answer = read(&mut reader);
                if answer.status >= 200 {
                    break answer;
                }
            };
            assert_eq!(answer.status, status, "{answer:?}");
            if status == 403 {
                assert_recorded(&gate, &request.id, json!("billing"), 403);
            } else {
                assert!(no_route_used(gate.envoy.record(&request.id).audit().unwrap()));
            }
            gate.has_its_first_vms();
        }
    }
}

/// An answer; an informational one has no body.
fn read(from: &mut BufReader<std::net::TcpStream>) -> Answer {
    let mut head = Vec::new();
    let mut peeked = from.fill_buf_start();
    head.append(&mut peeked);
    let method = if head.starts_with(b"HTTP/1.1 1") { "HEAD" } else { "GET" };
    Answer::read(from, method).unwrap()
}

trait Peek {
    fn fill_buf_start(&mut self) -> Vec<u8>;
}

impl Peek for BufReader<std::net::TcpStream> {
    fn fill_buf_start(&mut self) -> Vec<u8> {
        std::io::BufRead::fill_buf(self).unwrap().iter().take(10).copied().collect()
    }
}

#[test]
fn a_retry_takes_the_same_route() {
    let fail = "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for (name, status) in [("orders", 200), ("billing", 403)] {
        let (address, count) = canned(vec![fail, OK]);
        let retry = json!({"retry_policy": {"retry_on": "5xx", "num_retries": 1}});
        let routes = vec![to_canned(name, present("x-breakglass-grant"), retry)];
        let change = Change { routes, canned: Some(address), ..Change::default() };
        let gate = start(plan(), change);
        let request = get("/v1/orders").token(gate.mint().scope("routed").sign());
        assert_eq!(gate.send(&request).status, status);
        assert_eq!(count.load(Ordering::SeqCst), 2);
        if status == 403 {
            assert_recorded(&gate, &request.id, json!("billing"), 403);
        }
    }
}

#[test]
fn an_internal_redirect_is_another_request_without_a_grant() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: http://orders.internal/v1/billing\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n";
    let (address, count) = canned(vec![redirect, OK]);
    let policy = json!({"internal_redirect_policy": {"max_internal_redirects": 1}});
    let routes = vec![
        to_canned("orders", json!({"prefix": "/v1/orders"}), policy),
        to("billing", json!({"prefix": "/v1/billing"})),
    ];
    let change = Change { routes, canned: Some(address), ..Change::default() };
    let gate = start(plan(), change);
    let request = get("/v1/orders/17").token(gate.mint().scope("routed").sign());
    let answer = gate.send(&request);
    assert_eq!((answer.status, count.load(Ordering::SeqCst)), (200, 1));
    let seen = gate.upstream.saw(&request.id).unwrap();
    assert_eq!(seen.header("x-breakglass-grant"), None, "what follows has no grant");
    let records = gate.envoy.records();
    let lines: Vec<_> = records.iter().map(|record| record.line().to_string()).collect();
    println!("{lines:#?}");
    gate.has_its_first_vms();
}

#[test]
fn extended_connect_is_compared_too() {
    let http2 = json!({"http2_protocol_options": {"allow_connect": true}});
    let change = Change { routes: vec![strayed()], manager: http2, ..Change::default() };
    let gate = start(plan(), change);
    let token = gate.mint().scope("routed").sign();
    let path = format!("/v1/orders{SOCKET}");
    let (id, status) =
        extended_connect::ask(gate.envoy.address(), "websocket", &path, Some(&token));
    assert_eq!(status, 403);
    assert_recorded(&gate, &id, json!("billing"), 403);
}
