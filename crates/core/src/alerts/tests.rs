//! What is in a report, and that it is made when it is due. Which decision causes which alert is tested from outside
//! (`tests/core/alerts.rs`).

use serde_json::{Value, json};

use super::*;
use crate::testing::{jwk, test};

const NOW: Instant = Instant::from_seconds(1_800_000_000);

fn config() -> Config {
    let config = json!({
        "issuers": [{"issuer": "https://a.example", "audiences": ["a"],
            "jwks": {"inline": {"keys": [jwk(1)]}}}],
        "scopes": [{"name": "a", "methods": ["GET"], "paths": ["/"]}],
        "alerts": {"cluster": "a", "authority": "a", "path": "/alerts"},
        "revocation": {"on_unavailable": "allow"}});
    Config::parse(config.to_string().as_bytes(), &|_| None).unwrap()
}

fn alerts() -> Box<Alerts> {
    Alerts::new(&config(), [1; 16], NOW).unwrap()
}

/// The report without its id, and the number in that.
fn numbered(alerts: &mut Alerts, now: Instant) -> Option<(Value, u64)> {
    let process = || Some("p".to_owned());
    let body = alerts.begin(Some("edge-1"), process, now)?;
    let mut report: Value = serde_json::from_str(&body).unwrap();
    let id = report.as_object_mut().unwrap().remove("report").unwrap();
    assert_eq!(id["sender"].as_str().unwrap().len(), 32);
    Some((report, id["number"].as_u64().unwrap()))
}

fn begin(alerts: &mut Alerts, now: Instant) -> Option<Value> {
    Some(numbered(alerts, now)?.0)
}

const OK: Answer<'_> = Answer::Response { status: 200, body: br#"{"accepted":1,"dropped":0}"# };
const BAD: Answer<'_> = Answer::Response { status: 400, body: b"{}" };

fn key(about: u64) -> Key {
    Key { kind: AlertKind::Cut, about }
}

fn cause(alerts: &mut Alerts, about: u64, now: Instant) {
    alerts.table.cause(key(about), (1, now), now, |at| described::Alert::new(AlertKind::Cut, at));
}

#[test]
fn without_a_place_there_are_no_alerts() {
    let mut config = config();
    config.alerts = None;
    assert!(Alerts::new(&config, [1; 16], NOW).is_none());
}

#[test]
fn a_report_says_who_makes_it_and_what_was_dropped() {
    let mut alerts = alerts();
    assert_eq!((begin(&mut alerts, NOW), alerts.next()), (None, None));
    cause(&mut alerts, 1, NOW);
    assert!(alerts.next().unwrap() <= NOW);
    let at = NOW.rfc3339();
    let expected = json!({"node": "edge-1", "process": "p", "dropped": 0,
        "alerts": [{"kind": "cut", "first": at, "last": at, "count": 1}]});
    assert_eq!(begin(&mut alerts, NOW), Some(expected));
    assert_eq!((begin(&mut alerts, NOW), alerts.next()), (None, None), "it is under way");
    assert_eq!(alerts.answered(&OK, NOW), Arrival::Arrived);
    assert_eq!(alerts.take_counts(), AlertCounts { sent: 1, suppressed: 0, dropped: 0 });
}

#[test]
fn a_report_that_may_have_arrived_is_made_again_as_it_was() {
    let mut alerts = alerts();
    cause(&mut alerts, 1, NOW);
    let first = numbered(&mut alerts, NOW).unwrap();
    // The same kind and grant, and another one, while it is not known whether it arrived.
    cause(&mut alerts, 1, NOW);
    assert_eq!(alerts.answered(&Answer::TimedOut, NOW), Arrival::Failed);
    cause(&mut alerts, 2, NOW);
    assert_eq!(alerts.next(), Some(alerts.delivery.earliest()));
    let again = NOW.after(Duration::from_secs(1));
    assert_eq!(numbered(&mut alerts, again), Some(first));
    alerts.answered(&OK, again);
    let next = again.after(Duration::from_secs(1));
    let (report, number) = numbered(&mut alerts, next).unwrap();
    assert_eq!((number, report["alerts"].as_array().unwrap().len()), (2, 1));
    alerts.answered(&OK, next);
    // What came of the first one meanwhile is told when its minute is over.
    let later = next.after(Duration::from_secs(60));
    let (report, _) = numbered(&mut alerts, later).unwrap();
    assert_eq!(report["alerts"][0]["count"], 1);
    alerts.answered(&OK, later);
    assert_eq!(alerts.take_counts(), AlertCounts { sent: 3, suppressed: 0, dropped: 0 });
}

#[test]
fn the_one_that_is_refused_is_found_and_dropped_and_the_others_arrive() {
    let mut alerts = alerts();
    for about in 0..9 {
        cause(&mut alerts, about, NOW);
    }
    let (mut now, mut arrived, mut calls) = (NOW, 0, 0);
    while let Some(next) = alerts.next() {
        now = now.max(next);
        let holds_poison = alerts.table.has_due() && {
            // The service refuses each report with the sixth alert.
            let batch = alerts.table.take(alerts.delivery.may_send(now).unwrap());
            let has = batch.iter().any(|(key, _)| key.about == 5);
            alerts.table.refused(batch);
            has
        };
        let Some(report) = begin(&mut alerts, now) else { break };
        calls += 1;
        let count = report["alerts"].as_array().unwrap().len();
        match alerts.answered(if holds_poison { &BAD } else { &OK }, now) {
            Arrival::Arrived => arrived += count,
            Arrival::Refused => assert!(holds_poison),
            Arrival::Failed => panic!("{report}"),
        }
        assert!(calls < 20);
    }
    assert_eq!(arrived, 8);
    assert_eq!(alerts.take_counts().dropped, 1);
}

#[test]
fn at_its_end_everything_is_told_at_once_and_it_is_over_when_that_has_arrived() {
    let mut alerts = alerts();
    cause(&mut alerts, 1, NOW);
    begin(&mut alerts, NOW);
    alerts.answered(&OK, NOW);
    cause(&mut alerts, 1, NOW);
    let now = NOW.after(Duration::from_secs(1));
    assert_eq!(begin(&mut alerts, now), None);
    assert!(!alerts.end(now));
    assert!(begin(&mut alerts, now).is_some() && !alerts.is_over(now));
    alerts.answered(&Answer::TimedOut, now);
    assert!(!alerts.is_over(now), "it is made again");
    let again = now.after(Duration::from_secs(1));
    assert!(begin(&mut alerts, again).is_some());
    alerts.answered(&OK, again);
    assert!(alerts.is_over(again));
    // One that cannot be told does not keep the worker.
    cause(&mut alerts, 2, now);
    assert!(!alerts.is_over(now.after(Duration::from_secs(59))));
    assert!(alerts.is_over(now.after(Duration::from_secs(60))));
    assert!(alerts.is_over(NOW), "the clock was set back");
}
