//! A permit for `routes: ["orders"]` that reaches another route, by whichever filter or route made Envoy choose
//! again: its answer does not reach the client, and the record names both routes.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
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
    let problem = answer.json();
    let reason = problem["reason"].as_str().unwrap_or_default();
    assert_eq!((answer.status, reason), (403, "route_changed"), "{request:?} {answer:?}");
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
    let on = |name: &str, path: &str, header: &str| {
        let mut matching = present(header);
        matching["prefix"] = json!(path);
        to(name, matching)
    };
    let routes = vec![
        // What the filter sets, and what it removes.
        on("billing", "/v1/orders/grant", "x-breakglass-grant"),
        on("billing", "/v1/orders/subject", "x-breakglass-subject"),
        on("orders", "/v1/orders/token", "x-breakglass-token"),
        to("billing", json!({"prefix": "/v1/orders/token"})),
        on("orders", "/v1/orders/bearer", "authorization"),
        to("billing", json!({"prefix": "/v1/orders/bearer"})),
    ];
    let gate = start(plan(), Change { routes, ..Change::default() });
    let sent = |path: &str, scope: &str| {
        let token = gate.mint().scope(scope).sign();
        let path = format!("/v1/orders/{path}");
        match &*path {
            "/v1/orders/bearer" => get(path).header("authorization", format!("Bearer {token}")),
            _ => get(path).token(token),
        }
    };
    for path in ["grant", "subject", "token", "bearer"] {
        let audit = assert_strayed(&gate, &sent(path, "routed"), json!("billing"), true);
        assert_eq!(audit.text_of("scope"), Some("routed"));
        assert!(audit.text_of("upstream").is_some());
        // Where the scope names no routes, it is said and nothing is cut.
        let allowed = gate.allows(&sent(path, "open"));
        assert_eq!(allowed.audit.text_of("route_used"), Some("billing"));
    }
    gate.counts("cut", "route_changed", 4);
    gate.has_its_first_vms();
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
    gate.has_its_first_vms();
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
    let routes = vec![to("billing", tenant), to("billing", json!({"prefix": "/v1/billing"}))];
    let code = "function envoy_on_request(handle)
          local path = handle:headers():get(':path')
          if path == '/v1/orders/tenant' then handle:headers():add('x-tenant', 'acme') end
          if path == '/v1/orders/path' then handle:headers():replace(':path', '/v1/billing') end
          if path == '/v1/orders/refused' then handle:respond({[':status'] = '451'}, 'no') end
          handle:clearRouteCache()
        end";
    let gate = start(plan(), Change { routes, behind: vec![lua(code)], ..Change::default() });
    let sent = |path: &str, scope: &str| get(path).token(gate.mint().scope(scope).sign());
    for path in ["/v1/orders/tenant", "/v1/orders/path"] {
        let audit = assert_strayed(&gate, &sent(path, "routed"), json!("billing"), true);
        assert_eq!(audit.text_of("path"), Some(path), "as it was judged");
        let request = sent(path, "open");
        assert_eq!(gate.send(&request).status, 200);
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.audit().unwrap().text_of("route_used"), Some("billing"));
    }
    // Chosen again, and the same.
    assert!(no_route_used(&gate.allows(&sent("/v1/orders/17", "routed")).audit));
    // A filter behind this one that answers by itself keeps its answer.
    let refused = sent("/v1/orders/refused", "routed");
    assert_eq!(gate.send(&refused).status, 451);
    assert!(gate.upstream.saw(&refused.id).is_none());
    assert!(no_route_used(gate.envoy.record(&refused.id).audit().unwrap()));
    gate.has_its_first_vms();
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
}

#[test]
fn what_the_router_answers_on_another_route_is_compared_too() {
    let on = |path: &str, change: Value| {
        let mut route = strayed();
        route["match"]["prefix"] = json!(path);
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(route.as_object_mut().unwrap().remove(name)),
                value => route[name] = value.clone(),
            }
        }
        route
    };
    let direct = json!({"status": 200, "body": {"inline_string": "secret"}});
    let routes = vec![
        on("/v1/orders/nameless", json!({"name": null})),
        on("/v1/orders/direct", json!({"route": null, "direct_response": direct})),
        on("/v1/orders/moved", json!({"route": null, "redirect": {"path_redirect": "/elsewhere"}})),
        on("/v1/orders/late", json!({"route": {"cluster": "upstream", "timeout": "0.1s"}})),
        on("/v1/orders/nowhere", json!({"route": {"cluster_header": "x-nowhere"}})),
        strayed(),
    ];
    let gate = start(plan(), Change { routes, ..Change::default() });
    for (path, used, reached) in [
        ("/v1/orders/nameless", Value::Null, true),
        ("/v1/orders/direct", json!("billing"), false),
        ("/v1/orders/moved", json!("billing"), false),
        // Envoy's own 504, and its 503 for a cluster that nothing names.
        ("/v1/orders/late/hangs", json!("billing"), true),
        ("/v1/orders/nowhere", json!("billing"), false),
        // The upstream breaks the connection: 503.
        ("/v1/orders/resets", json!("billing"), true),
    ] {
        let request = get(path).token(gate.mint().scope("routed").sign());
        assert_strayed(&gate, &request, used, reached);
    }
    gate.has_its_first_vms();
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
    // Over HTTP/2 (RFC 8441).
    let (to, path) = (gate.envoy.address(), format!("/v1/orders{SOCKET}"));
    let (id, status) = extended_connect::ask(to, "websocket", &path, Some(&token));
    assert_eq!(status, 403);
    assert_recorded(&gate, &id, json!("billing"), 403);
    gate.has_its_first_vms();
}

#[test]
fn grpc_calls_get_a_status() {
    let routes = vec![strayed(), to("orders", json!({"prefix": "/test.Orders"}))];
    let gate = start(plan(), Change { routes, ..Change::default() });
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

/// An upstream that answers each request for one of these paths with what is next for it, and counts them.
fn canned(answers: &[(&'static str, &[&str])]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    let queue = |answers: &[&str]| answers.iter().map(|answer| (*answer).to_owned()).collect();
    let mut queues: Vec<(&str, VecDeque<String>)> =
        answers.iter().map(|(path, answers)| (*path, queue(answers))).collect();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head) = (stream.unwrap(), Vec::new());
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.extend(byte);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let head = String::from_utf8_lossy(&head);
            let path = head.split(' ').nth(1).unwrap_or_default();
            let queue = queues.iter_mut().find(|(start, _)| path.starts_with(start));
            let answer = queue.and_then(|(_, queue)| queue.pop_front()).unwrap_or_default();
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
const FAILED: &str = "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const MOVED: &str = "HTTP/1.1 302 Found\r\nlocation: http://orders.internal/v1/billing\r\n\
     content-length: 0\r\nconnection: close\r\n\r\n";

/// Answers without an end of their own: informational ones, those that are tried again, those that Envoy follows.
fn unfinished() -> (Gate, Arc<AtomicUsize>) {
    let continued = format!("HTTP/1.1 100 Continue\r\n\r\n{OK}");
    let hinted = format!("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n{OK}");
    let (address, count) = canned(&[
        ("/v1/orders/100", &[&continued, &continued]),
        ("/v1/orders/103", &[&hinted, &hinted]),
        ("/v1/orders/503", &[FAILED, OK, FAILED, OK]),
        ("/v1/orders/302", &[MOVED]),
    ]);
    let canned = |name: &str, matching: Value| {
        let mut route = to(name, matching);
        route["route"]["cluster"] = json!("canned");
        route["route"]["retry_policy"] = json!({"retry_on": "5xx", "num_retries": 1});
        route["route"]["internal_redirect_policy"] = json!({"max_internal_redirects": 1});
        route
    };
    let stray = json!({"prefix": "/", "headers": [{"name": "x-breakglass-grant", "present_match": true},
        {"name": "x-stray", "present_match": true}]});
    let routes = vec![
        canned("billing", stray),
        canned("orders", json!({"prefix": "/v1/orders"})),
        to("billing", json!({"prefix": "/v1/billing"})),
    ];
    let manager = json!({"proxy_100_continue": true});
    let change = Change { routes, canned: Some(address), manager, ..Change::default() };
    (start(plan(), change), count)
}

#[test]
fn informational_responses_are_none_yet_and_a_retry_takes_the_same_route() {
    let (gate, count) = unfinished();
    for path in ["/v1/orders/100", "/v1/orders/103", "/v1/orders/503"] {
        let before = count.load(Ordering::SeqCst);
        let token = gate.mint().scope("routed").sign();
        let sent = || get(path).token(&token).header("expect", "100-continue");
        let (kept, strayed) = (sent(), sent().header("x-stray", "1"));
        let answer = last_answer(&gate, &kept);
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        assert!(no_route_used(gate.envoy.record(&kept.id).audit().unwrap()));
        let answer = last_answer(&gate, &strayed);
        assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("route_changed")));
        assert_recorded(&gate, &strayed.id, json!("billing"), 403);
        let tries = if path.ends_with("503") { 4 } else { 2 };
        assert_eq!(count.load(Ordering::SeqCst) - before, tries, "{path}");
    }
    gate.has_its_first_vms();
}

/// The answer, after any informational ones.
fn last_answer(gate: &Gate, request: &Request) -> Answer {
    let mut connection = connect(gate.envoy.address());
    connection.write_all(&request.bytes()).unwrap();
    let mut reader = BufReader::new(connection);
    loop {
        // "HTTP/1.1 1": such an answer has no body.
        let is_informational = reader.fill_buf().unwrap().get(9) == Some(&b'1');
        let answer = Answer::read(&mut reader, if is_informational { "HEAD" } else { "GET" });
        let answer = answer.unwrap();
        if answer.status >= 200 {
            return answer;
        }
    }
}

#[test]
fn a_redirect_that_envoy_follows_is_another_request_without_a_grant() {
    let (gate, count) = unfinished();
    let request = get("/v1/orders/302").token(gate.mint().scope("routed").sign());
    let answer = gate.send(&request);
    assert_eq!((answer.status, count.load(Ordering::SeqCst)), (200, 1));
    let seen = gate.upstream.saw(&request.id).unwrap();
    assert_eq!((&*seen.path, seen.header("x-breakglass-grant")), ("/v1/billing", None));
    // The record is that of the first; Envoy has chosen the next route by the time it logs it.
    let record = until("the record of the first", || {
        gate.envoy.records().into_iter().find(|record| record.audit().is_some())
    });
    let audit = record.audit().unwrap();
    let said = ["decision", "reason", "route", "route_used"].map(|member| audit.text_of(member));
    assert_eq!(said, [Some("allow"), Some("permit"), Some("orders"), Some("billing")]);
    assert_eq!((audit.of("status"), record.details()), (&json!(302), "internal_redirect"));
    gate.has_its_first_vms();
}

#[test]
fn a_scope_of_which_routes_alone_say_what_it_opens_is_logged_once() {
    let scope = |paths: Value| json!([{"name": "wide", "routes": ["orders"], "methods": ["GET"], "paths": paths}]);
    let warned = |gate: &Gate| {
        let log = gate.envoy.log();
        log.matches("configuration: scopes (`wide`): `routes` alone says").count()
    };
    let wide = Plan::standard().set("/scopes", scope(json!(["/", "/**"]))).workers(3);
    let gate = wide.alone().start();
    assert_eq!(gate.send(&get("/v1/orders").token(gate.mint().scope("wide").sign())).status, 200);
    assert_eq!(warned(&gate), 1, "{}", gate.envoy.log());
    let narrow = Plan::standard().set("/scopes", scope(json!(["/v1/**"]))).alone().start();
    assert_eq!(warned(&narrow), 0);
}
