//! Revocation by introspection: what the service says decides, and is asked for once.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{INTROSPECTION, Reply};
use breakglass_tests::client::{Answer, connect, get};
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::policy::{PROXY_TOKEN, SUBJECT};
use breakglass_tests::wait::until;
use serde_json::json;

fn active(active: bool) -> Reply {
    Reply::json(&json!({"active": active}))
}

#[test]
fn refuses_a_token_that_the_service_calls_inactive() {
    let gate = Gate::standard();
    gate.allows(&get("/v1/orders").token(gate.mint().sign()));
    gate.approvals.reply(INTROSPECTION, active(false));
    let token = gate.mint();
    let refused = gate.refuses(&get("/v1/orders").token(token.sign()), 401, "revoked");
    assert_eq!(refused.audit.text_of("grant"), Some(token.grant()));
    assert_eq!(refused.audit.text_of("subject"), Some(SUBJECT));
}

#[test]
fn asks_as_rfc_7662_says_with_its_own_credential() {
    let gate = Gate::standard();
    let token = gate.mint().sign();
    gate.allows(&get("/v1/orders").token(&token));
    let calls = gate.approvals.calls(INTROSPECTION);
    let [call] = &calls[..] else { panic!("one call, not {calls:?}") };
    assert_eq!(call.method, "POST");
    assert_eq!(call.body, format!("token={token}&token_type_hint=access_token"));
    let header = |name: &str| call.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(header("authorization"), Some(&*format!("Bearer {PROXY_TOKEN}")));
    assert_eq!(header("host"), Some("approvals.internal"));
}

#[test]
fn asks_once_for_a_token_while_the_answer_is_fresh_and_again_when_it_is_not() {
    let gate = Plan::standard().set("/revocation/introspection/cache", json!("1s")).start();
    let token = gate.mint().sign();
    let request = || get("/v1/orders").token(&token);
    for _ in 0..3 {
        gate.allows(&request());
    }
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 1);
    gate.approvals.reply(INTROSPECTION, active(false));
    until("the answer to be stale", || (gate.send(&request()).status == 401).then_some(()));
    gate.refuses(&request(), 401, "revoked");
}

#[test]
fn asks_nothing_about_a_token_that_is_refused_anyway() {
    let gate = Gate::standard();
    gate.refuses(
        &get("/v1/orders").token(gate.mint().issued(700, 600).sign()),
        401,
        "token_expired",
    );
    gate.refuses(&get("/v1/invoices").token(gate.mint().sign()), 403, "out_of_scope");
    gate.refuses(
        &get("/needs/role").token(gate.mint().scope("needs:role").sign()),
        403,
        "role_missing",
    );
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 0);
}

/// Sends the same token from many connections at once.
fn at_once(gate: &Gate, token: &str, clients: usize) -> Vec<Answer> {
    let start = Barrier::new(clients);
    thread::scope(|scope| {
        let client = || {
            start.wait();
            gate.send(&get("/v1/orders").token(token))
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn concurrent_questions_about_one_token_share_one_call() {
    let gate = Plan::standard()
        .set("/revocation/introspection/timeout", json!("5s"))
        .approvals(INTROSPECTION, active(true).late(Duration::from_millis(300)))
        .alone()
        .start();
    let answers = at_once(&gate, &gate.mint().sign(), 50);
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 1);
    gate.counts("allow", "permit", 50);
}

#[test]
fn concurrent_questions_share_a_refusal_too() {
    let gate = Plan::standard()
        .set("/revocation/introspection/timeout", json!("5s"))
        .approvals(INTROSPECTION, active(false).late(Duration::from_millis(300)))
        .alone()
        .start();
    let answers = at_once(&gate, &gate.mint().sign(), 20);
    assert!(answers.iter().all(|answer| answer.status == 401), "{answers:?}");
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), 1);
    gate.counts("deny", "revoked", 20);
}

#[test]
fn a_client_that_goes_away_while_it_waits_leaves_the_others_their_answer() {
    let gate = Plan::standard()
        .set("/revocation/introspection/timeout", json!("5s"))
        .approvals(INTROSPECTION, active(true).late(Duration::from_millis(500)))
        .alone()
        .start();
    let token = gate.mint().sign();
    let gone = get("/v1/orders").token(&token);
    let mut connection = connect(gate.envoy.address());
    std::io::Write::write_all(&mut connection, &gone.bytes()).unwrap();
    until("the question", || gate.approvals.calls(INTROSPECTION).first().cloned());
    // The first one asked and goes; the second one waits for the same answer.
    thread::scope(|scope| {
        let second = scope.spawn(|| gate.send(&get("/v1/orders").token(&token)));
        drop(connection);
        assert_eq!(second.join().unwrap().status, 200);
    });
    assert!(gate.upstream.saw(&gone.id).is_none());
    let record = gate.envoy.record(&gone.id);
    assert_ne!(record.decision(), Some("allow"), "{}", record.line());
    let audit = record.audit().unwrap();
    assert_eq!(audit.text_of("decision"), Some("deny"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some("client_gone"), "{}", audit.text);
    gate.counts("deny", "client_gone", 1);
    gate.still_serves();
}

#[test]
fn many_clients_that_go_away_while_they_wait_leave_nothing_behind() {
    let gate = Plan::standard()
        .set("/revocation/introspection/timeout", json!("1s"))
        .approvals(INTROSPECTION, Reply::Never)
        .alone()
        .start();
    let ask = || {
        let request = get("/v1/orders").token(gate.mint().sign());
        let mut connection = connect(gate.envoy.address());
        std::io::Write::write_all(&mut connection, &request.bytes()).unwrap();
        connection
    };
    let clients: Vec<_> = (0..50).map(|_| ask()).collect();
    until("the questions", || (gate.approvals.calls(INTROSPECTION).len() == 50).then_some(()));
    drop(clients);
    until("the streams to end", || {
        (gate.envoy.stats().of("http.gate.downstream_rq_active") == 0).then_some(())
    });
    gate.approvals.reply(INTROSPECTION, active(true));
    gate.still_serves();
}
