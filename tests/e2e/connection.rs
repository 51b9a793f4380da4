//! `Connection` from client to upstream: a client that upgrades does not make the next hop remove what the filter says
//! of the grant.

use std::io::BufReader;

use breakglass_tests::bootstrap::Settings;
use breakglass_tests::client::{Answer, Request, connect, get};
use breakglass_tests::envoy::Envoy;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::SOCKET;
use breakglass_tests::upstream::{Seen, Upstream};
use std::io::Write as _;
use tempfile::TempDir;

/// An upgrade with this `connection`.
fn upgrade(connection: &str) -> Request {
    get(format!("/v1/orders{SOCKET}"))
        .header("connection", connection)
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The status, and what the upstream saw.
fn switch(gate: &Gate, upstream: &Upstream, request: &Request) -> (u16, Option<Seen>) {
    let mut client = connect(gate.envoy.address());
    client.write_all(&request.bytes()).unwrap();
    let answer = Answer::read(&mut BufReader::new(&client), "HEAD").unwrap();
    (answer.status, upstream.saw(&request.id))
}

/// What a client may list there to its own advantage.
const LISTED: [&str; 6] = [
    "Upgrade, x-breakglass-subject",
    "x-breakglass-subject, X-Breakglass-Grant, Upgrade",
    "keep-alive, Upgrade, x-breakglass-grant",
    "Upgrade, x_breakglass_subject",
    "Upgrade, x-breakglass-token",
    "Upgrade, authorization, x-breakglass-subject",
];

#[test]
fn what_a_client_lists_of_ours_does_not_reach_the_next_hop() {
    let sources = serde_json::json!([{"header": "x-breakglass-token"},
        {"header": "authorization", "scheme": "Bearer"}]);
    let gate = Plan::standard().set("/token_sources", sources).start();
    for listed in LISTED {
        let token = gate.mint();
        let request = upgrade(listed).token(token.sign());
        let (status, seen) = switch(&gate, &gate.upstream, &request);
        assert_eq!(status, 101, "{listed}");
        let seen = seen.unwrap();
        assert_eq!(seen.header("x-breakglass-grant"), Some(token.grant()), "{listed}");
        assert_eq!(seen.header("x-breakglass-subject"), Some("alice@example.com"));
        let wanted = if listed.contains("keep-alive") { "keep-alive, Upgrade" } else { "Upgrade" };
        assert_eq!(seen.header("connection"), Some(wanted), "{listed}");
    }
    gate.still_serves();
}

#[test]
fn an_envoy_behind_the_gate_hands_the_identity_on() {
    let upstream = Upstream::start();
    let directory = TempDir::new().unwrap();
    let next = Envoy::start(Settings::new(None, upstream.address(), upstream.address()), directory);
    let gate = Plan::standard().before(next.address()).start();
    for listed in LISTED {
        let token = gate.mint();
        let (status, seen) = switch(&gate, &upstream, &upgrade(listed).token(token.sign()));
        assert_eq!(status, 101, "{listed}");
        let seen = seen.unwrap();
        assert_eq!(seen.header("x-breakglass-grant"), Some(token.grant()), "{listed}");
        assert_eq!(seen.header("x-breakglass-subject"), Some("alice@example.com"), "{listed}");
    }
}

#[test]
fn a_request_without_an_upgrade_has_no_connection_of_the_clients() {
    let gate = Gate::standard();
    for listed in ["x-breakglass-subject", "close, x-breakglass-grant", "keep-alive"] {
        let request = get("/v1/orders").token(gate.mint().sign()).header("connection", listed);
        let allowed = gate.allows(&request);
        assert_eq!(allowed.seen.header("x-breakglass-subject"), Some("alice@example.com"));
        assert_eq!(allowed.seen.header("connection"), None, "{listed}");
    }
    // What is not ours stays the client's.
    let (status, seen) = switch(&gate, &gate.upstream, &upgrade("Upgrade, x-breakglass-subject"));
    assert_eq!(status, 101);
    assert_eq!(seen.unwrap().header("x-breakglass-subject"), None);
    gate.still_serves();
}
