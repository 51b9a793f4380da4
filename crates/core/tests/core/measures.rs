//! What is measured: how long calls take, when the feed and keys were fresh, what all VMs hold together, and which chains
//! take the place of others.

use std::rc::Rc;

use breakglass_core::GaugeChange::{self, Declare, Set};
use breakglass_core::worker::Tick;
use serde_json::json;

use crate::support::{
    Key, NOW, Request, Shelf, Stage, alerting, asking_config, assert_permitted, claims, config,
    feeding_config, fetching_config, test,
};

fn gauge(tick: &Tick, name: &str) -> Option<GaugeChange> {
    let name = format!("breakglass.{name}");
    tick.gauges.iter().find(|(gauge, _)| *gauge == name).map(|(_, change)| *change)
}

fn token() -> String {
    Key::new(1).sign(&claims())
}

/// VMs of one proxy that know from the feed what is revoked.
fn proxy() -> (Stage, Stage) {
    let board: Rc<Shelf> = Rc::default();
    let [mut first, mut second] = [1, 2].map(|id| Stage::beside(&feeding_config(), id, &board));
    for vm in [&mut first, &mut second] {
        let call = vm.call();
        vm.answer(&call, 200, &json!({"epoch": 7, "revoked": [], "reset": true, "feed": "f1"}));
        vm.tick();
    }
    (first, second)
}

#[test]
fn a_call_that_ends_has_taken_its_time_and_one_that_was_not_sent_none() {
    let mut stage = Stage::new(&fetching_config());
    let call = stage.call();
    stage.wait_millis(120);
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_eq!(stage.tick().durations, [("breakglass.callout_ms.purpose.jwks".to_owned(), 120)]);
    assert!(stage.tick().durations.is_empty(), "handed over once");
    let mut stage = Stage::new(&asking_config());
    let _ = stage.request(1, &Request::under(&token()));
    let call = stage.call();
    stage.wait_millis(70);
    stage.fail(&call);
    let name = "breakglass.callout_ms.purpose.introspection".to_owned();
    assert_eq!(stage.tick().durations, [(name, 70)]);
}

#[test]
fn the_feed_is_as_fresh_as_the_question_that_was_answered() {
    let mut stage = Stage::new(&feeding_config());
    let tick = stage.tick();
    assert_eq!(gauge(&tick, "feed_fresh_timestamp_seconds"), Some(Declare));
    assert!(matches!(gauge(&tick, "feed_max_staleness_seconds"), Some(Set(1..))));
    assert_eq!(gauge(&tick, "keys_fresh_timestamp_seconds"), None, "its keys are inline");
    let call = &tick.calls[0];
    stage.wait_millis(3_000);
    stage.answer(call, 200, &json!({"epoch": 7, "revoked": [], "reset": true}));
    assert_eq!(gauge(&stage.tick(), "feed_fresh_timestamp_seconds"), Some(Set(NOW)));
    // Nor does a poll that fails make it fresher.
    stage.wait_millis(3_000);
    let call = stage.call();
    stage.fail(&call);
    assert_eq!(gauge(&stage.tick(), "feed_fresh_timestamp_seconds"), None);
}

#[test]
fn keys_are_as_fresh_as_the_last_fetch_that_brought_some() {
    let mut stage = Stage::new(&fetching_config());
    let tick = stage.tick();
    assert_eq!(gauge(&tick, "keys_fresh_timestamp_seconds"), Some(Declare));
    stage.answer(&tick.calls[0], 503, &json!({}));
    assert_eq!(gauge(&stage.tick(), "keys_fresh_timestamp_seconds"), Some(Set(0)), "none came");
    stage.wait_millis(2_000);
    let call = stage.call();
    stage.answer(&call, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_eq!(gauge(&stage.tick(), "keys_fresh_timestamp_seconds"), Some(Set(NOW + 2)));
}

#[test]
fn live_streams_are_those_of_all_vms_and_not_of_one_that_is_gone() {
    let (mut first, mut second) = proxy();
    assert_permitted(&first.request(1, &Request::under(&token())));
    assert_permitted(&first.request(2, &Request::under(&token())));
    assert_permitted(&second.request(1, &Request::under(&token())));
    let live = |stage: &mut Stage, millis| {
        stage.wait_millis(millis);
        gauge(&stage.tick(), "live_streams")
    };
    assert_eq!(live(&mut first, 1_000), Some(Set(2)));
    assert_eq!(live(&mut second, 1_000), Some(Set(3)));
    second.logged(1);
    assert_eq!(live(&mut second, 500), None, "not twice in a second");
    assert_eq!(live(&mut second, 500), Some(Set(2)));
    // The first VM crashes: what it had is not renewed.
    drop(first);
    assert_eq!(live(&mut second, 20_000), Some(Set(2)));
    assert_eq!(live(&mut second, 20_000), Some(Set(0)));
}

#[test]
fn an_idle_worker_says_within_a_second_that_it_has_no_stream_any_more() {
    let (mut vm, _) = proxy();
    assert_permitted(&vm.request(1, &Request::under(&token())));
    vm.wait_millis(1_000);
    vm.tick();
    vm.logged(1);
    assert!(vm.worker.period(vm.now).as_millis() <= 1_000);
}

#[test]
fn alerts_that_wait_are_measured_until_they_have_arrived() {
    let mut stage = Stage::new(&alerting(feeding_config()));
    let bytes = |stage: &mut Stage| {
        stage.wait_millis(1_000);
        let tick = stage.tick();
        (gauge(&tick, "alert_queue_bytes"), tick.calls)
    };
    let (waiting, calls) = bytes(&mut stage);
    assert_eq!(waiting, Some(Set(0)));
    stage.answer(&calls[0], 200, &json!({"epoch": 7, "revoked": [], "reset": true}));
    assert_permitted(&stage.request(1, &Request::under(&token())));
    let (waiting, calls) = bytes(&mut stage);
    assert!(matches!(waiting, Some(Set(1..))), "{waiting:?}");
    let report = calls.into_iter().find(|call| !call.body.is_empty()).unwrap();
    stage.answer(&report, 200, &json!({"accepted": 1, "dropped": 0}));
    assert_eq!(bytes(&mut stage).0, Some(Set(0)));
}

#[test]
fn a_chain_that_takes_the_place_of_another_is_counted_and_the_first_ones_are_not() {
    let restarted = ("breakglass.chain.result.restarted".to_owned(), 1);
    let board: Rc<Shelf> = Rc::default();
    let begins = |id, millis| {
        let mut stage = Stage::beside(&feeding_config(), id, &board);
        stage.wait_millis(millis);
        stage.tick().counters.contains(&restarted)
    };
    assert!(!begins(1, 0) && !begins(2, 59_000));
    assert!(begins(3, 61_000));
    let alone = |id, millis| {
        let mut stage = Stage::beside(&config(), id, &Rc::default());
        stage.wait_millis(millis);
        stage.tick().counters.contains(&restarted)
    };
    assert!(!alone(1, 0) && !alone(2, 61_000), "another process");
}
