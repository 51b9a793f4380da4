//! Envoy itself is at fault: its workers have no time, or its clock is wrong.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use breakglass_tests::approvals::FEED;
use breakglass_tests::client::get;
use breakglass_tests::gate::Plan;
use breakglass_tests::keys::Key;
use breakglass_tests::live::{Connection, Kind, Live};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::{Mint, since_1970};
use breakglass_tests::wait::until;
use serde_json::json;

use super::{Revoked, ask, is_permit, news, until_it_is};

/// How long a revocation may take on a worker that has more to do than it can.
const BUSY: Duration = Duration::from_secs(2);

#[test]
fn workers_that_have_no_time() {
    let service = Service::start();
    let gate = Plan::following(&service, "10s").workers(2).start();
    let (_, good) = service.grant(&["orders:read"], "10m");
    let (grant, token) = service.grant(&["orders:read"], "10m");
    until_it_is(&gate, &good, "permit");
    let to = gate.envoy.address();
    let streams: Vec<_> = (0..8).map(|_| Live::begin(Kind::Download, to, &token)).collect();
    // Tokens that cost a signature check each: of a key that is ours by name only.
    let kid = service.get("/.well-known/jwks.json").json()["keys"][0]["kid"].clone();
    let forged = Key::es256(kid.as_str().unwrap());
    let (over, checked) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tokens: Vec<_> = (0..50).map(|_| Mint::new(&forged).sign()).collect();
                while !over.load(Ordering::Relaxed) {
                    let statuses = Connection::open(to).ask(&tokens);
                    assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
                    checked.fetch_add(50, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        let from = since_1970();
        service.revoke(&grant);
        let mut known_for = None;
        let last_permit = until("the revocation to be known everywhere", || {
            let statuses = Connection::open(to).ask(&vec![token.clone(); 4]);
            let now = since_1970().saturating_sub(from);
            if statuses.contains(&200) {
                known_for = None;
                return None;
            }
            let since = *known_for.get_or_insert(now);
            (now.saturating_sub(since) > Duration::from_secs(1)).then_some(since)
        });
        println!("workers busy: no request was let through {last_permit:?} after the revocation");
        let cuts = streams.iter().map(|stream| stream.ended().at.saturating_sub(from));
        let cut = cuts.max().unwrap();
        println!("workers busy: all streams were cut {cut:?} after the revocation");
        over.store(true, Ordering::Relaxed);
        assert!(last_permit < BUSY, "{last_permit:?}");
        assert!(cut < BUSY, "{cut:?}");
    });
    println!("workers busy: meanwhile {} signatures were checked", checked.into_inner());
    gate.refuses(&get("/v1/orders").token(&token), 401, "revoked");
    gate.allows(&get("/v1/orders").token(&good));
    gate.has_its_first_vms();
}

/// How long after the clock was set all is known again: a poll, which hangs for 800 ms here, and a
/// retry.
const CLOCK: Duration = Duration::from_secs(4);

/// How long a poll hangs that brings no news.
const HANGS: Duration = Duration::from_millis(700);

#[test]
fn a_clock_that_is_set_forward_and_back() {
    let gate = Plan::standard()
        .own_clock()
        .following_feed("2s")
        .asking_nobody()
        .set("/clock_skew", json!("5s"))
        .approvals(FEED, news(0, &[]).late(HANGS))
        .start();
    // Good at each of the times that the clock will show.
    let always = || gate.mint().issued(120, 900);
    let token = always();
    until_it_is(&gate, &token.sign(), "permit");
    gate.approvals.reply(FEED, news(5, &[token.grant()]).late(HANGS));
    let revoked = Revoked(token.sign());
    until_it_is(&gate, &revoked.0, "revoked");
    let to = gate.envoy.address();
    let lasting = Live::begin(Kind::Download, to, &always().sign());
    let ending = gate.mint().issued(120, 150).sign();
    let short = Live::begin(Kind::Download, to, &ending);
    let issued_now = gate.mint().sign();
    assert_eq!(ask(&gate, &issued_now), "permit");

    for (what, seconds) in [("a minute forward", 60), ("back", 0), ("a minute back", -60)] {
        let from = since_1970();
        gate.envoy.set_clock(seconds);
        let said = until("the feed to be fresh", || {
            revoked.still(&gate);
            let reason = ask(&gate, &always().sign());
            assert!(is_permit(&reason) || reason == "revocation_unknown", "{reason}");
            // Fresh is what is known by a question that was sent after the clock was set.
            let passed = since_1970().saturating_sub(from);
            (is_permit(&reason) && passed > Duration::from_millis(100)).then_some(reason)
        });
        let took = since_1970().saturating_sub(from);
        println!("clock {what}: {said} after {took:?}");
        assert!(took < CLOCK, "{took:?}");
        match seconds {
            60 => {
                let cut = short.ended().at.saturating_sub(from);
                println!("clock {what}: what had ended by it was cut after {cut:?}");
                assert!(cut < Duration::from_millis(500), "{cut:?}");
                assert_eq!(ask(&gate, &ending), "token_expired");
            }
            0 => assert_eq!(ask(&gate, &issued_now), "permit"),
            _ => assert_eq!(ask(&gate, &issued_now), "token_not_yet_valid"),
        }
        lasting.goes_on();
    }
    gate.envoy.set_clock(0);
    until_it_is(&gate, &issued_now, "permit");
    revoked.still(&gate);
    gate.has_its_first_vms();
}
