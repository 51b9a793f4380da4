//! An answer that leads elsewhere, and what its client does: without `redirects` a client takes the token along, with
//! it the answer does not arrive.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use breakglass_tests::client::{Request, get, request};
use breakglass_tests::gate::{Gate, Plan};
use serde_json::{Value, json};

use crate::carriers::manager;
use crate::cuts::assert_cut;

/// An upstream that answers with the bytes that the request's `x-case` numbers, the first without one, and keeps the
/// heads that came.
struct Canned {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn answering(answers: Vec<Vec<u8>>) -> Canned {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::default());
        let kept: Arc<Mutex<Vec<String>>> = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut head, mut byte) = (stream.unwrap(), Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                    head.extend(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let case = head.lines().find_map(|line| line.strip_prefix("x-case: "));
                let answer = &answers[case.map_or(0, |case| case.parse().unwrap())];
                kept.lock().unwrap().push(head);
                let _ = stream.write_all(answer);
            }
        });
        Canned { address, heads }
    }

    /// One that answers with this status, these header lines, and a body.
    fn with(status: u16, lines: &[&[u8]]) -> Canned {
        Canned::of(&[(status, lines)])
    }

    /// One with several such answers.
    fn of(cases: &[(u16, &[&[u8]])]) -> Canned {
        let answer = |(status, lines): &(u16, &[&[u8]])| {
            let start = format!("HTTP/1.1 {status} Said\r\ncontent-length: 4\r\n");
            let mut answer = start.into_bytes();
            lines.iter().for_each(|line| answer.extend([line, &b"\r\n"[..]].concat()));
            answer.extend(b"connection: close\r\n\r\nsaid");
            answer
        };
        Canned::answering(cases.iter().map(answer).collect())
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A gate in front of it, of whose scopes `orders:read` says this of `redirects`.
fn gate(upstream: &Canned, redirects: Option<&str>) -> Gate {
    let plan = Plan::standard().before(upstream.address);
    let plan = plan.filter(|filter| {
        if let Some(word) = redirects {
            filter["scopes"][0]["redirects"] = json!(word);
        }
        let open = json!({"name": "orders:open", "methods": ["GET"], "paths": ["/v1/orders"]});
        filter["scopes"].as_array_mut().unwrap().push(open);
    });
    plan.start()
}

fn permitted(gate: &Gate) -> Request {
    get("/v1/orders").token(gate.mint().sign())
}

/// Asserts that the answer was replaced, that nothing of it arrives, and that the call has happened.
fn assert_replaced(gate: &Gate, upstream: &Canned, request: &Request) -> Value {
    let before = upstream.heads().len();
    let answer = gate.send(request);
    let problem = answer.json();
    let reason = problem["reason"].as_str().unwrap_or_default();
    assert_eq!((answer.status, reason), (502, "redirect_elsewhere"), "{request:?} {answer:?}");
    for gone in ["location", "refresh", "set-cookie", "www-authenticate"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert!(problem["detail"].as_str().unwrap().contains("may have been carried out"));
    assert_eq!(upstream.heads().len(), before + 1, "the call has happened, once");
    assert_cut(&gate.envoy.record(&request.id), "redirect_elsewhere", 502);
    problem
}

/// One of each kind that Envoy might make something else of. More are in the core's tests
/// (`crates/core/src/policy/redirect/tests.rs`).
const ELSEWHERE: [(u16, &[&[u8]]); 8] = [
    (307, &[b"location: https://evil.example/v1?key=secret"]),
    (301, &[b"Location:  HTTP://EVIL.example"]),
    (308, &[b"location: //evil.example/", b"set-cookie: a=b"]),
    (302, &[b"location: \\\\evil.example"]),
    (307, &[b"location: /v1/orders", b"location: http://evil.example/"]),
    (307, &[b"location: /caf\xe9"]),
    (307, &[b"location: /\t/evil.example"]),
    (200, &[b"refresh: 0; url=https://evil.example/"]),
];

#[test]
fn an_answer_that_leads_elsewhere_is_replaced() {
    let upstream = Canned::of(&ELSEWHERE);
    let gate = gate(&upstream, Some("same_authority"));
    for (case, (status, lines)) in ELSEWHERE.iter().enumerate() {
        let case = case.to_string();
        let request = permitted(&gate).header("x-case", &case);
        let problem = assert_replaced(&gate, &upstream, &request);
        assert!(!problem.to_string().contains("secret"), "{problem}");
        // Under another scope, and without a token, it is nobody's business.
        let others = [get("/v1/orders").token(gate.mint().scope("orders:open").sign()), get("/x")];
        for request in others {
            assert_eq!(gate.send(&request.header("x-case", &case)).status, *status, "{lines:?}");
        }
    }
    gate.has_its_first_vms();
}

#[test]
fn an_answer_that_stays_passes() {
    let stays: [(u16, &[&[u8]]); 7] = [
        (307, &[b"location: /v1/orders/17"]),
        (302, &[b"location: ?page=2"]),
        (301, &[b"location: http://orders.internal/"]),
        (308, &[b"location: HTTP://ORDERS.internal:80/x", b"location: /x"]),
        (301, &[b"location: https://orders.internal/"]),
        (201, &[b"location: https://evil.example/"]),
        (304, &[b"etag: \"x\""]),
    ];
    let upstream = Canned::of(&stays);
    let gate = gate(&upstream, Some("same_authority"));
    for (case, (status, lines)) in stays.iter().enumerate() {
        let request = permitted(&gate).header("x-case", case.to_string());
        assert_eq!(gate.send(&request).status, *status, "{lines:?}");
        let record = gate.envoy.record(&request.id);
        assert_eq!(record.audit().unwrap().text_of("decision"), Some("allow"));
    }
    gate.has_its_first_vms();
}

#[test]
fn from_https_to_http_is_elsewhere() {
    let upstream = Canned::with(307, &[b"location: http://orders.internal/"]);
    let gate = gate(&upstream, Some("same_authority"));
    assert_eq!(gate.send(&permitted(&gate)).status, 307, "over http");
    assert_replaced(&gate, &upstream, &permitted(&gate).header("x-forwarded-proto", "https"));
}

#[test]
fn a_redirect_of_envoys_own_is_replaced_too() {
    let plan = Plan::standard().filter(|filter| {
        for scope in filter["scopes"].as_array_mut().unwrap() {
            scope["redirects"] = json!("same_authority");
        }
    });
    let gate = plan.start_with(|settings| {
        let mut bootstrap = settings.bootstrap("".as_ref());
        let routes = &mut manager(&mut bootstrap)["route_config"]["virtual_hosts"][0]["routes"];
        let moved = |path: &str, to: Value| json!({"match": {"prefix": path}, "redirect": to});
        let routes = routes.as_array_mut().unwrap();
        routes.insert(0, moved("/v1/orders/away", json!({"host_redirect": "evil.example"})));
        routes.insert(0, moved("/v1/orders/here", json!({"path_redirect": "/v1/orders"})));
        bootstrap.to_string()
    });
    let send = |path: &str| gate.send(&get(path).token(gate.mint().sign()));
    assert_eq!(send("/v1/orders/here").status, 301);
    let answer = send("/v1/orders/away");
    assert_eq!((answer.status, &answer.json()["reason"]), (502, &json!("redirect_elsewhere")));
    gate.has_its_first_vms();
}

#[test]
fn a_grpc_call_gets_a_status_that_no_client_tries_again() {
    let upstream = Canned::with(307, &[b"location: https://evil.example/"]);
    let plan = Plan::standard().before(upstream.address).filter(|filter| {
        for scope in filter["scopes"].as_array_mut().unwrap() {
            scope["redirects"] = json!("same_authority");
        }
    });
    let gate = plan.start();
    let call = request("POST", "/test.Orders/Get").header("content-type", "application/grpc");
    let call = call.token(gate.mint().scope("grpc:call").sign()).body([0; 5]);
    let answer = gate.send(&call);
    // INTERNAL: UNAVAILABLE would be tried again, and the call may have been carried out.
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("13")));
    assert!(answer.header("grpc-message").unwrap().starts_with("redirect_elsewhere"));
    assert_eq!(answer.header("location"), None);
    assert_cut(&gate.envoy.record(&call.id), "redirect_elsewhere", 200);
}

#[test]
fn the_connection_stays_usable_and_uploads_end() {
    let upstream = Canned::with(307, &[b"location: https://evil.example/"]);
    let plan = Plan::standard().before(upstream.address);
    let gate = plan.set("/scopes/1/redirects", json!("same_authority")).start();
    let token = gate.mint().scope("orders:write").sign();
    let mut connection = breakglass_tests::client::connect(gate.envoy.address());
    for _ in 0..3 {
        let upload = request("POST", "/v1/orders").token(&token).body("x".repeat(100_000));
        let answer = upload.send_over(&mut connection);
        assert_eq!((answer.status, &answer.json()["reason"]), (502, &json!("redirect_elsewhere")));
        assert_eq!(get("/x").send_over(&mut connection).status, 307);
    }
    gate.has_its_first_vms();
}

#[test]
fn in_shadow_mode_it_is_said_and_passes() {
    let upstream = Canned::with(307, &[b"location: https://evil.example/"]);
    let plan = Plan::standard().before(upstream.address).set("/enforcement", json!("shadow"));
    let gate = plan.set("/scopes/0/redirects", json!("same_authority")).alone().start();
    let request = permitted(&gate);
    assert_eq!(gate.send(&request).status, 307);
    let record = gate.envoy.record(&request.id);
    let audit = record.audit().unwrap();
    let said = ["decision", "reason"].map(|member| audit.text_of(member));
    assert_eq!(said, [Some("shadow_deny"), Some("redirect_elsewhere")]);
    assert_eq!(*audit.of("status"), 307);
    gate.counts("shadow_deny", "redirect_elsewhere", 1);
}

/// What arrives at another host when curl follows the gate's answer: the heads.
fn followed(redirects: Option<&str>, header: &str) -> Vec<String> {
    let other = Canned::with(200, &[]);
    // Another name: curl compares hosts, and not addresses.
    let location = format!("location: http://localhost:{}/v1/orders", other.address.port());
    let upstream = Canned::with(307, &[location.as_bytes()]);
    let gate = Plan::standard()
        .before(upstream.address)
        .set(
            "/token_sources",
            json!([{"header": "x-breakglass-token"},
            {"header": "authorization", "scheme": "Bearer"}]),
        )
        .filter(|filter| {
            if let Some(word) = redirects {
                filter["scopes"][0]["redirects"] = json!(word);
            }
        })
        .start();
    let url = format!("http://{}/v1/orders", gate.envoy.address());
    let header = format!("{header}{}", gate.mint().sign());
    let curl = Command::new("curl")
        .args(["--silent", "--show-error", "--location", "--noproxy", "*", "--header"])
        .args([&header, &url])
        .output()
        .unwrap();
    assert!(curl.status.success(), "{curl:?}");
    assert_eq!(upstream.heads().len(), 1, "{curl:?}");
    other.heads()
}

#[test]
fn curl_takes_the_token_along_unless_the_scope_keeps_it_here() {
    let carries = |heads: &[String], what: &str| {
        assert_eq!(heads.len(), 1, "curl has followed");
        heads[0].to_ascii_lowercase().contains(what)
    };
    // What the documents say: without `redirects` the header of our own is carried, and `Authorization` is not.
    assert!(carries(&followed(None, "x-breakglass-token: "), "x-breakglass-token: ey"));
    assert!(!carries(&followed(Some("any"), "authorization: Bearer "), "authorization"));
    for header in ["x-breakglass-token: ", "authorization: Bearer "] {
        assert!(followed(Some("same_authority"), header).is_empty(), "nothing leaves");
    }
}
