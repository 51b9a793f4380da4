//! Requests that switch to another protocol: over HTTP/1.1, and by extended CONNECT over HTTP/2.

use std::io::{BufReader, Write};
use std::path::Path;

use breakglass_tests::client::{Answer, connect, new_id};
use breakglass_tests::extended_connect::ask;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::{Kind, Live, SOCKET};
use breakglass_tests::record::Record;
use serde_json::{Value, json};

/// Envoy takes CONNECT-UDP at this path alone (RFC 9298 section 3), and makes the target its authority.
const UDP: &str = "/.well-known/masque/udp/192.0.2.6/443/";

/// A scope for it.
fn udp(upgrades: Value) -> Value {
    let paths = json!(["/.well-known/masque/**"]);
    let mut scope = json!({"name": "udp:open", "methods": ["GET"], "paths": paths});
    if !upgrades.is_null() {
        scope["upgrades"] = upgrades;
    }
    scope
}

/// A gate that lets all these protocols through itself, also out of HTTP/2, to an upstream of HTTP/1.1.
fn gate(plan: Plan) -> Gate {
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap(Path::new(""));
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let manager = bootstrap.pointer_mut(manager).unwrap();
        let kinds = ["websocket", "spdy/3.1", "connect-udp"];
        manager["upgrade_configs"] = kinds.map(|kind| json!({"upgrade_type": kind})).into();
        manager["http2_protocol_options"] = json!({"allow_connect": true});
        // Envoy takes such a route alone for CONNECT-UDP.
        let udp = json!({"name": "udp", "match": {"connect_matcher": {}}, "route": {
            "cluster": "upstream", "upgrade_configs": [{"upgrade_type": "connect-udp"}]}});
        let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().insert(0, udp);
        for cluster in bootstrap["static_resources"]["clusters"].as_array_mut().unwrap() {
            let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
            if cluster["name"] == "upstream" {
                cluster["typed_extension_protocol_options"] = json!({options: {
                    "@type": format!("type.googleapis.com/{options}"),
                    "explicit_http_config": {"http_protocol_options": {}},
                }});
            }
        }
        bootstrap.to_string()
    })
}

/// Sends an upgrade over HTTP/1.1: its id and the answer.
fn upgrade(gate: &Gate, token: Option<&str>, lines: &[&str]) -> (String, Answer) {
    ask_for(gate, &format!("/v1/orders{SOCKET}"), token, lines)
}

fn ask_for(gate: &Gate, path: &str, token: Option<&str>, lines: &[&str]) -> (String, Answer) {
    let (id, mut connection) = (new_id(), connect(gate.envoy.address()));
    let token = token.map(|token| format!("x-breakglass-token: {token}\r\n")).unwrap_or_default();
    let lines = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: orders.internal\r\nx-request-id: {id}\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{token}{lines}\r\n"
    );
    connection.write_all(head.as_bytes()).unwrap();
    let answer = Answer::read(&mut BufReader::new(&connection), "HEAD").unwrap();
    (id, answer)
}

fn assert_recorded(record: &Record, decision: &str, reason: &str, upgrade: Value) {
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!(audit.text_of("decision"), Some(decision), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason), "{}", audit.text);
    assert_eq!(*audit.of("upgrade"), upgrade);
}

#[test]
fn an_upgrade_over_http_1_needs_its_name_in_the_scope() {
    let gate = gate(Plan::standard());
    let token = gate.mint().sign();
    let socket = Live::begin(Kind::WebSocket, gate.envoy.address(), &token);
    let id = socket.id.clone();
    drop(socket);
    assert_recorded(&gate.envoy.record(&id), "allow", "permit", json!("websocket"));
    for lines in [
        &["Connection: Upgrade", "Upgrade: WebSocket"][..],
        &["connection: keep-alive, upgrade", "upgrade: websocket"],
    ] {
        let (id, answer) = upgrade(&gate, Some(&token), lines);
        assert_eq!(answer.status, 101, "{lines:?}: {answer:?}");
        assert_recorded(&gate.envoy.record(&id), "allow", "permit", json!("websocket"));
    }
    let spdy = &["connection: upgrade", "upgrade: SPDY/3.1"];
    let (id, answer) = upgrade(&gate, Some(&token), spdy);
    assert_eq!(answer.status, 403);
    assert_recorded(&gate.envoy.record(&id), "deny", "out_of_scope", json!("spdy/3.1"));
    // Without `connection` it is no upgrade, and Envoy takes the header away.
    let (id, answer) = ask_for(&gate, "/v1/orders", Some(&token), &["upgrade: spdy/3.1"]);
    assert_eq!(answer.status, 200);
    let record = gate.envoy.record(&id);
    assert_eq!(record.audit().unwrap().text_of("reason"), Some("permit"));
    gate.still_serves();
}

#[test]
fn without_upgrades_in_the_scope_no_form_of_them_passes() {
    let mut plan = Plan::standard();
    plan = plan.filter(|filter| {
        let scope = filter.pointer_mut("/scopes/0").unwrap().as_object_mut().unwrap();
        scope.remove("upgrades").unwrap();
        filter["scopes"].as_array_mut().unwrap().push(udp(Value::Null));
    });
    let gate = gate(plan);
    let token = gate.mint().sign();
    let websocket = &["connection: upgrade", "upgrade: websocket"];
    let (id, answer) = upgrade(&gate, Some(&token), websocket);
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_recorded(&gate.envoy.record(&id), "deny", "out_of_scope", json!("websocket"));
    assert!(gate.upstream.saw(&id).is_none());
    // Nor by extended CONNECT, which comes to the filter as a GET with `upgrade`.
    let udp_token = gate.mint().scope("udp:open").sign();
    let socket = format!("/v1/orders{SOCKET}");
    for (protocol, path, token) in [("websocket", &*socket, token), ("connect-udp", UDP, udp_token)]
    {
        let (id, status) = ask(gate.envoy.address(), protocol, path, Some(&token));
        assert_eq!(status, 403, "{protocol}");
        let record = gate.envoy.record(&id);
        assert_recorded(&record, "deny", "out_of_scope", json!(protocol));
        assert_eq!(record.audit().unwrap().text_of("method"), Some("GET"));
        assert!(gate.upstream.saw(&id).is_none());
    }
    // Without a token it is none of ours.
    let (_, answer) = upgrade(&gate, None, websocket);
    assert_eq!(answer.status, 101, "{answer:?}");
    gate.still_serves();
}

#[test]
fn an_extended_connect_needs_its_name_in_the_scope() {
    let plan = Plan::standard().filter(|filter| {
        filter["scopes"].as_array_mut().unwrap().push(udp(json!(["connect-udp"])));
    });
    let gate = gate(plan);
    let token = gate.mint().sign();
    let path = format!("/v1/orders{SOCKET}");
    let (id, status) = ask(gate.envoy.address(), "websocket", &path, Some(&token));
    assert_eq!(status, 200);
    assert!(gate.upstream.saw(&id).is_some());
    assert_recorded(&gate.envoy.record(&id), "allow", "permit", json!("websocket"));
    let token = gate.mint().scope("udp:open").sign();
    let (id, status) = ask(gate.envoy.address(), "websocket", UDP, Some(&token));
    assert_eq!(status, 403);
    assert_recorded(&gate.envoy.record(&id), "deny", "out_of_scope", json!("websocket"));
    // What the upstream makes of it is another matter.
    let (id, status) = ask(gate.envoy.address(), "connect-udp", UDP, Some(&token));
    assert_ne!(status, 403);
    assert_recorded(&gate.envoy.record(&id), "allow", "permit", json!("connect-udp"));
    gate.still_serves();
}

#[test]
fn a_rule_that_refuses_may_name_upgrades() {
    let rule = json!([{"upgrades": ["websocket"], "paths": ["/v1/**"]}]);
    let gate = gate(Plan::standard().set("/protected", rule.clone()).set("/ceiling", rule));
    let websocket = &["connection: upgrade", "upgrade: websocket"];
    let (id, answer) = upgrade(&gate, None, websocket);
    assert_eq!(answer.status, 401);
    assert_recorded(&gate.envoy.record(&id), "deny", "token_missing", json!("websocket"));
    let token = gate.mint().sign();
    let (id, answer) = upgrade(&gate, Some(&token), websocket);
    assert_eq!(answer.status, 403);
    assert_recorded(&gate.envoy.record(&id), "deny", "ceiling", json!("websocket"));
    gate.still_serves();
}
