//! A thousand at once: what is decided for all of them in one go ends none of the others, and leaves
//! the VM alive.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{INTROSPECTION, KEYS, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::keys::{Key, jwks};
use breakglass_tests::live::{Connection, Kind, Live};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::{Mint, since_1970};
use breakglass_tests::wait::until;
use serde_json::json;

use crate::cuts::{SCOPES, assert_cut, following, one_of_each};

/// How many streams end at once, and how many of them have a connection of their own.
const MANY: usize = 1_000;
const ALONE: usize = 100;
/// Streams on a connection that is shared.
const TOGETHER: usize = 100;

#[test]
fn a_thousand_streams_under_one_grant_end_in_one_go_and_no_other_does() {
    let service = Service::start();
    let gate = following(&service);
    let to = gate.envoy.address();
    let (grant, token) = service.grant(&SCOPES, "10m");
    let (_, other) = service.grant(&SCOPES, "10m");
    let others = one_of_each(&gate, &other);
    let connections: Vec<_> =
        (0..(MANY - ALONE) / TOGETHER).map(|_| Connection::open(to)).collect();
    // A stream of another grant on a connection on which all others end.
    let neighbour = Live::share(&connections[0], Kind::Http2, &other).begun();
    let mut streams: Vec<_> = connections
        .iter()
        .flat_map(|connection| (0..TOGETHER).map(|_| Live::share(connection, Kind::Quiet, &token)))
        .collect();
    streams.extend((0..ALONE).map(|_| Live::begin(Kind::Download, to, &token)));
    let streams: Vec<_> = streams.into_iter().map(Live::begun).collect();
    assert_eq!(streams.len(), MANY);
    let from = since_1970();
    service.revoke(&grant);
    let mut took: Vec<_> =
        streams.iter().map(|stream| stream.ended().at.checked_sub(from).unwrap()).collect();
    took.sort();
    println!(
        "{MANY} streams ended: half after {:?}, all after {:?}",
        took[MANY / 2],
        took[MANY - 1]
    );
    assert!(took[MANY - 1] < Duration::from_secs(1), "{:?}", took[MANY - 1]);
    let cut: BTreeMap<_, _> = until("a record for each", || {
        let records = gate.envoy.records().into_iter();
        let cut: Vec<_> = records
            .filter(|record| {
                record.audit().is_some_and(|audit| audit.text_of("decision") == Some("cut"))
            })
            .map(|record| (record.request_id().unwrap().to_owned(), record))
            .collect();
        assert!(cut.len() <= MANY, "more records than streams");
        (cut.len() == MANY).then(|| cut.into_iter().collect())
    });
    for stream in &streams {
        assert_cut(&cut[&stream.id], "revoked", 200);
        assert_eq!(cut[&stream.id].audit().unwrap().text_of("grant"), Some(&*grant));
    }
    neighbour.goes_on();
    others.iter().for_each(Live::goes_on);
    gate.counts("cut", "revoked", MANY as u64);
    gate.allows(&get("/v1/orders").token(&other));
    gate.has_its_first_vms();
}

/// How long the thousand wait for the one answer: all of them must have come by then.
const LATE: Duration = Duration::from_secs(2);

fn ask_at_once(gate: &Gate, token: impl Fn() -> String) -> Vec<u16> {
    let tokens: Vec<_> = (0..MANY).map(|_| token()).collect();
    // Over several connections: a single one was reset once, on a busy machine, for a cause of its own.
    thread::scope(|scope| {
        let ask = |tokens| move || Connection::open(gate.envoy.address()).ask(tokens);
        let clients: Vec<_> = tokens.chunks(100).map(|tokens| scope.spawn(ask(tokens))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn a_thousand_requests_that_wait_for_one_answer_go_on_in_one_go() {
    let gate = Plan::standard()
        .set("/revocation/introspection/timeout", json!("10s"))
        .approvals(INTROSPECTION, Reply::json(&json!({"active": true})).late(LATE))
        .alone()
        .start();
    let token = gate.mint().sign();
    let statuses = ask_at_once(&gate, || token.clone());
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 1);
    gate.counts("allow", "permit", MANY as u64);
    gate.has_its_first_vms();
}

#[test]
fn a_thousand_tokens_with_a_key_that_nobody_knows_are_refused_in_one_go() {
    let gate = Plan::standard()
        .remote_keys_only("300s")
        .set("/issuers/0/jwks/remote/timeout", json!("10s"))
        .alone()
        .start();
    gate.still_serves();
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&gate.key])).late(LATE));
    let unknown = Key::es256("key-of-mallory");
    let statuses = ask_at_once(&gate, || Mint::new(&unknown).sign());
    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    gate.approvals.reply(KEYS, Reply::json(&jwks(&[&gate.key])));
    gate.counts("deny", "key_unknown", MANY as u64);
    gate.still_serves();
}
