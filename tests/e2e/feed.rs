//! The feed of revocations: nobody is asked while it is fresh, and what runs under a revoked or
//! expired grant is cut.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::{FEED, INTROSPECTION, Reply};
use breakglass_tests::client::get;
use breakglass_tests::gate::{Gate, Plan};
use breakglass_tests::live::TRICKLING;
use breakglass_tests::relay::Relay;
use breakglass_tests::service::Service;
use breakglass_tests::tokens::now;
use breakglass_tests::upstream::HANGING;
use breakglass_tests::wait::{timed, until};
use serde_json::{Value, json};

/// What a cut may take here: a poll every 100 ms, because the stand-in does not hang, the cut itself,
/// Envoy's `delayed_close_timeout` of 100 ms, and a busy machine. (The promise is kept in `cuts.rs`.)
const CUT: Duration = Duration::from_millis(750);

fn feed() -> Value {
    json!({"cluster": "approvals", "authority": "approvals.internal", "path": FEED})
}

fn news(epoch: u64, revoked: &[&str]) -> Reply {
    let revoked: Vec<_> =
        revoked.iter().map(|jti| json!({"jti": jti, "exp": now() + 600})).collect();
    Reply::json(&json!({"epoch": epoch, "revoked": revoked, "reset": epoch == 0, "feed": "f"}))
}

/// A gate that follows a feed on which nothing has happened yet.
fn gate() -> Gate {
    let gate =
        Plan::standard().set("/revocation/feed", feed()).approvals(FEED, news(0, &[])).start();
    until("the feed to be known", || {
        let polls = gate.approvals.calls(FEED);
        polls.iter().any(|poll| poll.path.contains("after=0")).then_some(())
    });
    // The main thread's VM may have been first: the worker's is known by what it decides.
    until("the worker to know the feed", || {
        let _ = gate.send(&get("/v1/orders").token(gate.mint().sign()));
        let source = |record: &breakglass_tests::record::Record| {
            record.audit().is_some_and(|audit| audit.text_of("revocation_source") == Some("feed"))
        };
        gate.envoy.records().iter().any(source).then_some(())
    });
    gate
}

#[test]
fn nobody_is_asked_about_a_request_while_the_feed_is_fresh() {
    let gate = gate();
    let asked = gate.approvals.calls(INTROSPECTION).len();
    for _ in 0..20 {
        let audit = gate.allows(&get("/v1/orders").token(gate.mint().sign())).audit;
        assert_eq!(audit.text_of("revocation_source"), Some("feed"));
        assert_eq!(*audit.of("epoch"), 0);
        assert!(audit.of("epoch_age_ms").as_u64().is_some_and(|age| age < 1_000), "{}", audit.text);
    }
    assert_eq!(gate.approvals.calls(INTROSPECTION).len(), asked);
}

#[test]
fn a_poll_says_who_asks_from_where_on_and_for_how_long() {
    let gate = gate();
    let polls = gate.approvals.calls(FEED);
    assert!(polls.iter().any(|poll| poll.path == format!("{FEED}?wait=4s&node=gate-test")));
    let next = format!("{FEED}?wait=4s&node=gate-test&after=0&feed=f");
    assert!(polls.iter().any(|poll| poll.path == next), "{polls:?}");
    let header = |name: &str| polls[0].headers.get(name).cloned().unwrap_or_default();
    assert_eq!(
        header("authorization"),
        format!("Bearer {}", breakglass_tests::policy::PROXY_TOKEN)
    );
}

#[test]
fn a_grant_that_the_feed_revokes_is_refused_and_another_is_not() {
    let gate = gate();
    let (revoked, other) = (gate.mint(), gate.mint());
    gate.allows(&get("/v1/orders").token(revoked.sign()));
    gate.approvals.reply(FEED, news(1, &[revoked.grant()]));
    until("the revocation to be known", || {
        (gate.send(&get("/v1/orders").token(revoked.sign())).status == 401).then_some(())
    });
    let refused = gate.refuses(&get("/v1/orders").token(revoked.sign()), 401, "revoked");
    assert_eq!(refused.audit.text_of("revocation_source"), Some("feed"));
    assert_eq!(*refused.audit.of("epoch"), 1);
    gate.allows(&get("/v1/orders").token(other.sign()));
}

#[test]
fn a_request_that_has_no_answer_yet_is_cut_with_a_clean_refusal() {
    let gate = gate();
    let token = gate.mint();
    let request = get(format!("/v1/orders{HANGING}")).token(token.sign());
    let (answer, took) = thread::scope(|scope| {
        let waiting = scope.spawn(|| timed(|| gate.send(&request)));
        until("the upstream to hang", || gate.upstream.saw(&request.id));
        gate.approvals.reply(FEED, news(1, &[token.grant()]));
        waiting.join().unwrap()
    });
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("revoked")));
    assert!(took < CUT, "{took:?}");
    assert_cut(&gate, &request.id, "revoked", 401);
    gate.still_serves();
}

#[test]
fn a_download_is_cut_when_its_grant_is_revoked_and_another_goes_on() {
    let gate = gate();
    let (revoked, other) = (gate.mint(), gate.mint());
    let request = get(format!("/v1/orders{TRICKLING}")).token(revoked.sign());
    let other = get(format!("/v1/orders{TRICKLING}")).token(other.sign());
    let mut cut = gate.begin(&request);
    let mut goes_on = gate.begin(&other);
    gate.approvals.reply(FEED, news(1, &[revoked.grant()]));
    // The end is a reset or an end of file, whichever the client sees first.
    let (_, took) = timed(|| cut.read_to_end(&mut Vec::new()));
    assert!(took < CUT, "{took:?}");
    assert_cut(&gate, &request.id, "revoked", 200);
    let mut more = [0; 64];
    goes_on.read_exact(&mut more).unwrap();
    gate.still_serves();
}

#[test]
fn a_download_is_cut_when_its_grant_ends() {
    let gate = Plan::standard().set("/clock_skew", json!("0s")).start();
    let token = gate.mint().issued(597, 600);
    let request = get(format!("/v1/orders{TRICKLING}"))
        .token(token.sign())
        .header("x-envoy-upstream-stream-duration-ms", "86400000");
    let (_, took) = timed(|| gate.begin(&request).read_to_end(&mut Vec::new()));
    assert!(took < Duration::from_secs(3) + CUT, "{took:?}");
    assert_cut(&gate, &request.id, "token_expired", 200);
    gate.still_serves();
}

#[test]
fn a_request_that_has_no_answer_yet_ends_when_its_grant_does() {
    let gate = Plan::standard().set("/clock_skew", json!("0s")).start();
    let request = get(format!("/v1/orders{HANGING}")).token(gate.mint().issued(597, 600).sign());
    let (answer, took) = timed(|| gate.send(&request));
    assert_eq!((answer.status, &answer.json()["reason"]), (401, &json!("token_expired")));
    assert!(took < Duration::from_secs(3) + CUT, "{took:?}");
    assert_cut(&gate, &request.id, "token_expired", 401);
}

#[test]
fn a_feed_that_is_down_leaves_it_to_introspection() {
    let gate = Plan::standard()
        .set("/revocation/feed", feed())
        .set("/revocation/max_staleness", json!("1s"))
        .approvals(FEED, Reply::status(503, "{}"))
        .start();
    let audit = gate.allows_introspected(&get("/v1/orders").token(gate.mint().sign())).audit;
    assert_eq!(audit.text_of("revocation_source"), Some("introspection"));
    assert_eq!(*audit.of("epoch"), Value::Null);
}

#[test]
fn a_feed_that_goes_silent_is_stale_in_time_and_recovers_by_itself() {
    let mut plan = Plan::standard()
        .set("/revocation/feed", feed())
        .set("/revocation/max_staleness", json!("1s"))
        .approvals(FEED, news(0, &[]));
    plan = plan.filter(|filter| {
        filter["revocation"].as_object_mut().unwrap().remove("introspection");
    });
    let gate = plan.start();
    let request = || get("/v1/orders").token(gate.mint().sign());
    until("the feed to be known", || (gate.send(&request()).status == 200).then_some(()));
    gate.approvals.reply(FEED, Reply::Never);
    until("the feed to be stale", || (gate.send(&request()).status == 503).then_some(()));
    gate.refuses(&request(), 503, "revocation_unknown");
    gate.approvals.reply(FEED, news(0, &[]));
    let (_, took) = timed(|| {
        until("the feed to be back", || (gate.send(&request()).status == 200).then_some(()));
    });
    assert!(took < Duration::from_secs(7), "{took:?}");
}

/// A backup is restored while the proxy cannot reach the service, and the epoch that it knows is given again.
#[test]
fn an_epoch_that_a_restored_service_gives_again_hides_no_revocation() {
    let mut service = Service::start();
    let relay = Relay::start(service.address());
    let gate = Plan::following(&service, "4s").through(relay.address()).workers(2).start();
    let grants: Vec<(String, String)> =
        (0..4).map(|_| service.grant(&["orders:read"], "10m")).collect();
    let status = |index: usize| gate.send(&get("/v1/orders/17").token(&grants[index].1)).status;
    until("the workers to know the feed", || (0..8).all(|_| status(3) == 200).then_some(()));
    service.revoke(&grants[0].0);
    service.kill();
    let backup = service.database().with_extension("backup");
    let files = ["", "-wal"];
    let file = |base: &Path, suffix: &str| PathBuf::from(format!("{}{suffix}", base.display()));
    for suffix in files {
        let _ = fs::copy(file(&service.database(), suffix), file(&backup, suffix));
    }
    service.start_again();
    service.revoke(&grants[1].0);
    until("the revocation to be known", || (0..8).all(|_| status(1) == 401).then_some(()));
    relay.lose_packets();
    service.kill();
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(file(&service.database(), suffix));
        let _ = fs::copy(file(&backup, suffix), file(&service.database(), suffix));
    }
    service.start_again();
    // Epoch 2 once more.
    service.revoke(&grants[2].0);
    relay.deliver_packets();
    until("what was revoked under the same number", || {
        (0..8).all(|_| status(2) == 401).then_some(())
    });
    gate.refuses(&get("/v1/orders/17").token(&grants[2].1), 401, "revoked");
    gate.refuses(&get("/v1/orders/17").token(&grants[0].1), 401, "revoked");
    gate.refuses(&get("/v1/orders/17").token(&grants[1].1), 401, "revoked");
    gate.allows(&get("/v1/orders/17").token(&grants[3].1));
}

/// Asserts what the access log says of a request that was allowed and then cut.
fn assert_cut(gate: &Gate, id: &str, reason: &str, status: u64) {
    let record = gate.envoy.record(id);
    let audit = record.audit().unwrap();
    assert!(audit.is_complete(), "{}", audit.text);
    assert_eq!(audit.text_of("decision"), Some("cut"), "{}", audit.text);
    assert_eq!(audit.text_of("reason"), Some(reason));
    assert_eq!(*audit.of("status"), status);
    assert_eq!(record.details(), format!("breakglass_{reason}"));
}
