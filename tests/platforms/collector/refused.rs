//! A collector that is not there, or does not take what it is sent: as docs/notifications.md says.

use breakglass_tests::ports::free_port;

use crate::collector::{Collector, Pipeline, TOKEN};
use crate::told::Told;

/// What was asked for arrives at this collector, once, after attempts that failed.
fn arrives(told: &Told, collector: &Collector, request: &str) {
    let records = collector.until_decoded(1);
    assert_eq!(records[0].attribute("breakglass.request"), request);
    let delivery = told.until_newest("delivered");
    assert!(delivery["attempts"].as_i64() > Some(1), "{delivery}");
    assert_eq!(collector.records().len(), 1);
    assert_eq!(told.listed()["sinks"][0]["dead"], 0);
}

#[test]
fn a_token_that_the_collector_does_not_know_is_waited_for() {
    let port = free_port();
    let collector = Collector::start(port, Pipeline::Writes);
    let told = Told::with("wrong", &format!("127.0.0.1:{port}/v1/logs"));
    let request = told.asks("orders are stuck", "INC-7");
    let cause = told.until_failed();
    assert!(cause.starts_with("expected a status 2xx, got 401"), "{cause}");
    assert!(collector.records().is_empty());
    told.replace_token(TOKEN);
    arrives(&told, &collector, &request);
}

#[test]
fn a_wrong_path_is_waited_for_until_the_configuration_has_the_right_one() {
    let port = free_port();
    let collector = Collector::start(port, Pipeline::Writes);
    let told = Told::with(TOKEN, &format!("127.0.0.1:{port}/v1/log"));
    let request = told.asks("orders are stuck", "INC-7");
    let cause = told.until_failed();
    assert!(cause.starts_with("expected a status 2xx, got 404"), "{cause}");
    told.service.reconfigure("/v1/log\"", "/v1/logs\"");
    arrives(&told, &collector, &request);
}

#[test]
fn a_collector_that_is_down_gets_what_happened_when_it_is_back() {
    let port = free_port();
    let told = Told::at(port);
    let request = told.asks("orders are stuck", "INC-7");
    told.until_failed();
    arrives(&told, &Collector::start(port, Pipeline::Writes), &request);
}

#[test]
fn a_collector_whose_queue_is_full_is_tried_again() {
    let port = free_port();
    let full = Collector::start(port, Pipeline::RefusesForNow);
    let told = Told::at(port);
    let request = told.asks("orders are stuck", "INC-7");
    let cause = told.until_failed();
    assert!(cause.starts_with("expected a status 2xx, got 503"), "{cause}");
    drop(full);
    arrives(&told, &Collector::start(port, Pipeline::Writes), &request);
}

#[test]
fn what_the_collector_will_never_take_is_a_dead_letter_at_once() {
    let port = free_port();
    let _collector = Collector::start(port, Pipeline::RefusesForGood);
    let told = Told::at(port);
    told.asks("orders are stuck", "INC-7");
    let delivery = told.until_newest("dead");
    assert_eq!(delivery["attempts"], 1, "{delivery}");
    let outcome = delivery["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("expected a status 2xx, got 500"), "{outcome}");
}
