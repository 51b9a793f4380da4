//! Redirects that Envoy follows itself (`internal_redirect_policy`): what follows is a request of its own, judged by
//! what is left of the first.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::wait::until;
use serde_json::{Value, json};

use crate::carriers::manager;

/// An upstream that sends everybody to this path.
fn redirecting(to: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head, mut byte) = (stream.unwrap(), Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.extend(byte);
            }
            let answer = format!(
                "HTTP/1.1 302 Found\r\nlocation: http://orders.internal{to}\r\n\
                 content-length: 0\r\nconnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// A gate whose Envoy follows redirects of `/v1/orders/302`, which go to `to`.
fn following(plan: Plan, to: &'static str, follows: bool) -> Gate {
    let moved = redirecting(to);
    plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().unwrap();
        let socket = json!({"address": moved.ip().to_string(), "port_value": moved.port()});
        clusters.push(json!({"name": "moved", "type": "STATIC", "load_assignment": {
            "cluster_name": "moved", "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": {"socket_address": socket}}}]}]}}));
        let mut route = json!({"name": "moved", "match": {"prefix": "/v1/orders/302"},
            "route": {"cluster": "moved"}});
        if follows {
            route["route"]["internal_redirect_policy"] = json!({"max_internal_redirects": 1});
        }
        let routes = &mut manager(&mut bootstrap)["route_config"]["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().insert(0, route);
        bootstrap.to_string()
    })
}

/// What the records of one id say.
fn records(gate: &Gate, id: &str, count: usize) -> Vec<[Value; 4]> {
    until("the records", || {
        let records = gate.envoy.records();
        let of_id: Vec<_> =
            records.iter().filter(|record| record.request_id() == Some(id)).collect();
        (of_id.len() == count).then(|| {
            let audits = of_id.iter().filter_map(|record| record.audit());
            let said =
                |member: &str, audit: &breakglass_tests::record::Audit| audit.of(member).clone();
            audits
                .map(|audit| ["decision", "reason", "path", "status"].map(|one| said(one, audit)))
                .collect()
        })
    })
}

fn first() -> [Value; 4] {
    [json!("allow"), json!("permit"), json!("/v1/orders/302"), json!(302)]
}

#[test]
fn a_protected_target_is_token_missing_to_a_holder_and_nothing_reaches_it() {
    let gate = following(Plan::standard(), "/admin/users", true);
    let request = get("/v1/orders/302").token(gate.mint().scope("orders:read admin:read").sign());
    let answer = gate.send(&request);
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("token_missing")));
    assert!(gate.upstream.saw(&request.id).is_none());
    let second = [json!("deny"), json!("token_missing"), json!("/admin/users"), json!(401)];
    assert_eq!(records(&gate, &request.id, 2), [first(), second]);
    gate.has_its_first_vms();
}

#[test]
fn any_other_target_is_a_request_without_a_grant() {
    let gate = following(Plan::standard(), "/v1/invoices", true);
    let request = get("/v1/orders/302").token(gate.mint().sign());
    assert_eq!(gate.send(&request).status, 200);
    let seen = gate.upstream.saw(&request.id).unwrap();
    for ours in ["x-breakglass-grant", "x-breakglass-subject", "x-breakglass-token"] {
        assert_eq!(seen.header(ours), None);
    }
    assert_eq!(records(&gate, &request.id, 2), [first()]);
    // The permit of the first opens nothing behind the filter.
    let gate = following(Plan::standard(), "/guarded/x", true);
    let request = get("/v1/orders/302").token(gate.mint().scope("orders:read guarded:read").sign());
    assert_eq!(gate.send(&request).status, 403);
    assert!(gate.upstream.saw(&request.id).is_none());
    gate.has_its_first_vms();
}

#[test]
fn a_token_that_is_forwarded_is_judged_again_for_what_follows() {
    let forward = json!([{"header": "x-breakglass-token", "forward": true}]);
    let plan = || Plan::standard().set("/token_sources", forward.clone());
    let gate = following(plan(), "/admin/users", true);
    let token = gate.mint().scope("orders:read admin:read");
    let request = get("/v1/orders/302").token(token.sign());
    assert_eq!(gate.send(&request).status, 200);
    let seen = gate.upstream.saw(&request.id).unwrap();
    assert_eq!(seen.header("x-breakglass-grant"), Some(token.grant()));
    let second = [json!("allow"), json!("permit"), json!("/admin/users"), json!(200)];
    assert_eq!(records(&gate, &request.id, 2), [first(), second]);
    // By its own path: a grant for the first is none for the second.
    let request = get("/v1/orders/302").token(gate.mint().sign());
    let answer = gate.send(&request);
    assert_eq!((answer.status, &answer.json()["reason"]), (403, &json!("out_of_scope")));
    let second = [json!("deny"), json!("out_of_scope"), json!("/admin/users"), json!(403)];
    assert_eq!(records(&gate, &request.id, 2), [first(), second]);
    gate.has_its_first_vms();
}

#[test]
fn without_the_policy_the_client_gets_the_redirect() {
    let gate = following(Plan::standard(), "/admin/users", false);
    let request = get("/v1/orders/302").token(gate.mint().scope("orders:read admin:read").sign());
    let answer = gate.send(&request);
    let location = answer.header("location");
    assert_eq!((answer.status, location), (302, Some("http://orders.internal/admin/users")));
    assert_eq!(records(&gate, &request.id, 1), [first()]);
}
