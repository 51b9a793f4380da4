//! Deadlines and streams go together.

use super::*;
use crate::audit::{Decision, Ruled};
use crate::config::Config;
use crate::reason::{AllowReason, Reason};
use crate::testing::test;

const CONFIG: &[u8] = br#"{"issuers": [{"issuer": "https://a.example", "audiences": ["a"],
    "jwks": {"remote": {"cluster": "a", "authority": "a", "path": "/"}}}],
    "scopes": [{"name": "a", "methods": ["GET"], "paths": ["/"]}],
    "revocation": {"on_unavailable": "allow"}}"#;

fn at(seconds: u64) -> Instant {
    Instant::from_seconds(seconds)
}

fn decided(arrived: u64) -> Decided {
    let config = Config::parse(CONFIG, &|_| None).unwrap();
    let ruled = Ruled {
        arrived: at(arrived),
        decision: Decision::Allow,
        reason: Reason::Allowed(AllowReason::Permit),
        token: None,
        scope: None,
        rule: None,
        standing: None,
        facts: Facts::default(),
    };
    Decided::new(ruled, &config)
}

fn running(arrived: u64, end: Option<u64>) -> Running {
    let end = end.map(|end| (at(end), DenyReason::TokenExpired));
    Running { decided: decided(arrived), end, traffic: Rc::default(), past: Past::default() }
}

fn waiting(void_at: Option<u64>) -> Waiting {
    Waiting {
        arrived: at(0),
        token: Token::Nothing,
        facts: Facts::default(),
        certificate: None,
        answers: Answers::default(),
        traffic: Rc::default(),
        kept: Headers::default(),
        void_at: void_at.map(at),
    }
}

fn streams() -> Streams {
    Streams::new(Duration::from_secs(60))
}

fn due(streams: &mut Streams, now: u64) -> Vec<StreamId> {
    std::iter::from_fn(|| streams.pop_due(at(now))).collect()
}

#[test]
fn deadlines_come_soonest_first_and_each_once() {
    let mut streams = streams();
    streams.run(1, running(0, Some(300)));
    streams.run(2, running(0, Some(100)));
    streams.wait(3, waiting(Some(200)));
    streams.run(4, running(0, None));
    assert!(due(&mut streams, 99).is_empty());
    assert_eq!(due(&mut streams, 200), [2, 3]);
    assert_eq!(due(&mut streams, 1_000), [1]);
    assert!(streams.contains(1) && streams.contains(4));
}

#[test]
fn an_end_moves_and_the_one_before_counts_no_more() {
    let mut streams = streams();
    streams.run(1, running(0, Some(300)));
    streams.end_at(1, (at(100), DenyReason::MaxStream));
    assert_eq!(streams.running(1).unwrap().end, Some((at(100), DenyReason::MaxStream)));
    assert_eq!(due(&mut streams, 100), [1]);
    streams.end_at(1, (at(400), DenyReason::TokenExpired));
    assert!(due(&mut streams, 399).is_empty());
    assert_eq!(due(&mut streams, 400), [1]);
}

#[test]
fn what_was_not_permitted_or_waits_gets_no_end() {
    let mut streams = streams();
    streams.run(1, running(0, None));
    streams.wait(2, waiting(None));
    for stream in [1, 2, 3] {
        streams.end_at(stream, (at(100), DenyReason::Revoked));
    }
    assert_eq!(streams.running(1).unwrap().end, None);
    assert!(due(&mut streams, 1_000).is_empty());
    assert!(streams.take_permitted(1).is_none() && streams.take_permitted(2).is_none());
    assert!(streams.contains(1) && streams.contains(2));
}

#[test]
fn what_is_taken_or_replaced_leaves_nothing_behind() {
    let mut streams = streams();
    streams.wait(1, waiting(Some(50)));
    streams.run(1, running(0, Some(300)));
    assert!(streams.take_waiting(1).is_none());
    assert!(streams.take_permitted(1).is_some());
    streams.wait(2, waiting(Some(50)));
    assert!(streams.take_waiting(2).is_some());
    assert!(streams.is_empty());
    assert_eq!((due(&mut streams, 1_000), streams.pop_start(at(1_000))), (vec![], None));
}

#[test]
fn only_what_is_permitted_leaves_a_record_while_it_runs() {
    let mut streams = streams();
    streams.run(1, running(10, Some(300)));
    streams.run(2, running(5, Some(300)));
    streams.run(3, running(0, None));
    assert_eq!(streams.pop_start(at(64)), None);
    assert_eq!(streams.pop_start(at(65)), Some(2));
    assert_eq!(streams.pop_start(at(65)), None);
    assert_eq!((streams.pop_start(at(70)), streams.pop_start(at(999))), (Some(1), None));
}
