//! What stands behind the filter and would refuse a permit (`envoy/behind.yaml`): it is left out for a permit alone, and
//! judges every other request as before.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::artefacts::{self, root};
use breakglass_tests::client::{Answer, Request, connect, get};
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::manifests::objects;
use breakglass_tests::shipped_tls::with_files;
use breakglass_tests::tokens::Mint;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::carriers::manager;

/// The filters of the recipe, in their order.
const FILTERS: [&str; 3] = ["jwt_authn", "ext_authz", "rbac"];

/// What the recipe refuses, by the filter that refuses it: status and details.
fn refusal(filter: &str) -> (u16, &'static str) {
    match filter {
        "jwt_authn" => (401, "jwt_authn_access_denied{Jwt_is_missing}"),
        "ext_authz" => (403, "ext_authz_denied"),
        _ => (403, "rbac_access_denied_matched_policy[none]"),
    }
}

/// Authorizes whoever has the role, and counts what it is asked.
fn authorizer() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut head, mut byte) = (stream.unwrap(), Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                head.extend(byte);
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let status = if head.contains("x-role: orders-admin") { 200 } else { 403 };
            let answer =
                format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

/// The recipe, for a key and an authorizer of this machine.
fn recipe(keys: &Path, authorizer: SocketAddr) -> Value {
    let text = fs::read_to_string(root().join("envoy/behind.yaml")).unwrap();
    let replaced = [
        ("/etc/envoy/people.jwks.json", keys.to_str().unwrap().to_owned()),
        ("port_value: 9191", format!("port_value: {}", authorizer.port())),
    ];
    let text = replaced.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "`{from}` in envoy/behind.yaml");
        text.replace(from, to)
    });
    serde_yaml_ng::from_str(&text).unwrap()
}

/// A gate with filters of the recipe between breakglass and the router.
struct Guarded {
    gate: Gate,
    people: Key,
    asked: Arc<AtomicUsize>,
    _keys: TempDir,
}

impl Guarded {
    fn by(names: &[&str]) -> Guarded {
        Guarded::with(Plan::standard(), names, &[])
    }

    /// The same, with these filters in front of breakglass.
    fn with(plan: Plan, names: &[&str], front: &[Value]) -> Guarded {
        let (people, keys) = (Key::es256("people"), TempDir::new().unwrap());
        let file = keys.path().join("jwks.json");
        fs::write(&file, jwks(&[&people]).to_string()).unwrap();
        let (authorizer, asked) = authorizer();
        let recipe = recipe(&file, authorizer);
        let gate = plan.start_with(|settings| {
            let mut bootstrap = settings.bootstrap("".as_ref());
            put(&mut bootstrap, &recipe, names);
            let filters = manager(&mut bootstrap)["http_filters"].as_array_mut().unwrap();
            filters.splice(0..0, front.iter().cloned());
            bootstrap.to_string()
        });
        Guarded { gate, people, asked, _keys: keys }
    }

    /// A request of somebody whom every filter of the recipe lets through.
    fn welcome(&self, request: Request) -> Request {
        let person = Mint::new(&self.people);
        let person = person.claim("iss", "https://people.internal").claim("aud", "orders").sign();
        let request = request.header("authorization", format!("Bearer {person}"));
        request.header("x-role", "orders-admin")
    }

    fn permitted(&self) -> Request {
        get("/v1/orders/17").token(self.gate.mint().sign())
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Asserts that a filter of the recipe refuses the request, and that it has no record.
    fn refuses(&self, by: &str, request: &Request) -> Answer {
        let answer = self.gate.send(request);
        let (status, details) = refusal(by);
        assert_eq!(answer.status, status, "{by}: {request:?} -> {answer:?}");
        assert_eq!(self.gate.envoy.record(&request.id).details(), details);
        assert!(self.gate.upstream.saw(&request.id).is_none(), "{request:?}");
        answer
    }
}

/// Puts filters of the recipe right behind breakglass, and its clusters beside the others.
fn put(bootstrap: &mut Value, recipe: &Value, names: &[&str]) {
    let filters = recipe["http_filters"].as_array().unwrap().iter();
    let chosen: Vec<Value> = filters
        .filter(|filter| names.iter().any(|name| filter["name"] == **name))
        .cloned()
        .collect();
    assert_eq!(chosen.len(), names.len(), "they are in the recipe");
    let behind = manager(bootstrap)["http_filters"].as_array_mut().unwrap();
    behind.splice(1..1, chosen);
    let clusters = recipe["clusters"].as_array().unwrap().clone();
    bootstrap["static_resources"]["clusters"].as_array_mut().unwrap().extend(clusters);
}

/// What a client may write to look as if it had a permit.
fn forged(request: Request) -> Request {
    let names = [
        "x-breakglass-decision",
        "wasm.breakglass_decision",
        "breakglass_decision",
        "x-breakglass-grant",
        "x-breakglass-subject",
        "x-envoy-filter-state",
    ];
    let request = names.iter().fold(request, |request, name| request.header(name, "allow"));
    request.header("cookie", "wasm.breakglass_decision=allow")
}

#[test]
fn each_of_them_is_left_out_for_a_permit_and_judges_everything_else_as_before() {
    for name in FILTERS {
        let guarded = Guarded::by(&[name]);
        let gate = &guarded.gate;
        // As before: refused without what it asks for, passed with it.
        guarded.refuses(name, &get("/v1/orders/17"));
        gate.passes(&guarded.welcome(get("/v1/orders/17")));
        let asked = guarded.asked();
        assert_eq!(asked, if name == "ext_authz" { 2 } else { 0 });
        // A permit passes, and nobody is asked about it.
        gate.allows(&guarded.permitted());
        assert_eq!(guarded.asked(), asked, "{name}");
        // What looks like one does not, nor does a token that is none.
        guarded.refuses(name, &forged(get("/v1/orders/17")));
        guarded.refuses(name, &get("/v1/orders/17?wasm.breakglass_decision=allow"));
        gate.refuses(&forged(get("/v1/orders/17")).token("e30.e30.AA"), 401, "token_malformed");
        // A refusal stays one, also for somebody whom they would let through.
        let elsewhere = get("/v1/bills").token(gate.mint().sign());
        gate.refuses(&elsewhere, 403, "out_of_scope");
        let both = get("/v1/bills").token(gate.mint().sign()).header("x-role", "orders-admin");
        gate.refuses(&both, 403, "out_of_scope");
        gate.refuses(&guarded.welcome(get("/admin/x")), 401, "token_missing");
        gate.has_its_first_vms();
    }
}

#[test]
fn all_of_them_together_are_left_out_too() {
    let guarded = Guarded::by(&FILTERS);
    guarded.gate.allows(&guarded.permitted());
    assert_eq!(guarded.asked(), 0);
    guarded.gate.passes(&guarded.welcome(get("/v1/orders/17")));
    guarded.refuses("jwt_authn", &forged(get("/v1/orders/17")));
    guarded.gate.has_its_first_vms();
}

#[test]
fn a_permit_is_for_its_own_request_and_not_for_the_next_on_the_connection() {
    let guarded = Guarded::by(&FILTERS);
    let mut connection = connect(guarded.gate.envoy.address());
    for _ in 0..2 {
        assert_eq!(guarded.permitted().send_over(&mut connection).status, 200);
        assert_eq!(get("/v1/orders/17").send_over(&mut connection).status, 401);
    }
}

#[test]
fn a_permit_that_had_to_be_waited_for_counts_and_one_that_does_not_come_is_none() {
    let late = std::time::Duration::from_millis(200);
    let active = Reply::json(&json!({"active": true})).late(late);
    let guarded = Guarded::with(Plan::standard().approvals(INTROSPECTION, active), &FILTERS, &[]);
    guarded.gate.allows(&guarded.permitted());
    guarded.gate.approvals.reply(INTROSPECTION, Reply::json(&json!({"active": false})));
    guarded.gate.refuses(&guarded.permitted(), 401, "revoked");
}

#[test]
fn in_shadow_mode_what_would_be_refused_is_judged_by_them() {
    let shadow = Plan::standard().set("/enforcement", json!("shadow"));
    let guarded = Guarded::with(shadow, &["jwt_authn"], &[]);
    guarded.gate.allows(&guarded.permitted());
    let request = get("/v1/bills").token(guarded.gate.mint().sign());
    guarded.refuses("jwt_authn", &request);
    let record = guarded.gate.envoy.record(&request.id);
    assert_eq!(record.audit().unwrap().text_of("decision"), Some("shadow_deny"));
}

#[test]
fn filter_state_that_a_client_writes_under_another_key_does_nothing() {
    // A filter in front that puts what a client sends into filter state, under keys that look like ours.
    let keys = [
        "breakglass_decision",
        "wasm.decision",
        "wasm.breakglass_mark",
        "Wasm.Breakglass_Decision",
    ];
    let state = keys.map(|key| {
        json!({"object_key": key, "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": "%REQ(x-state)%"}}})
    });
    let front = json!({"name": "state", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
        "on_request_headers": state}});
    let guarded = Guarded::with(Plan::standard(), &["ext_authz"], &[front]);
    let request = get("/v1/orders/17").header("x-state", "allow");
    assert_eq!(guarded.gate.send(&request).status, 403);
    assert!(guarded.gate.upstream.saw(&request.id).is_none());
    assert_eq!(guarded.asked(), 1, "it was asked");
}

#[test]
fn envoy_takes_the_recipe_in_the_shipped_configuration() {
    let keys = TempDir::new().unwrap();
    let file = keys.path().join("jwks.json");
    fs::write(&file, jwks(&[&Key::es256("people")]).to_string()).unwrap();
    let recipe = recipe(&file, "127.0.0.1:9191".parse().unwrap());
    let shipped = |change: &dyn Fn(&mut Value)| {
        let mut bootstrap = objects("envoy/envoy.yaml").remove(0);
        put(&mut bootstrap, &recipe, &FILTERS);
        change(&mut bootstrap);
        let module = artefacts::filter();
        let text = with_files(&bootstrap.to_string(), keys.path());
        Envoy::validate(&text.replace("dist/breakglass.wasm", module.to_str().unwrap()))
    };
    let (content, log) = shipped(&|_| ());
    assert!(content, "{log}");
    for index in 1..=FILTERS.len() {
        let wrong = |bootstrap: &mut Value| {
            manager(bootstrap)["http_filters"][index]["typed_config"]["no_such_field"] = json!(1);
        };
        assert!(!shipped(&wrong).0, "{index} is read");
    }
}
