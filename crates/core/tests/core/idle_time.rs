//! How seldom time passes for a worker without requests, and that what is due is not late for it.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use std::time::Duration;

use breakglass_core::worker::IDLE_TICK;
use serde_json::json;

use crate::support::{
    Key, Request, Shelf, Stage, assert_permitted, claims, config, fetching_config,
    reporting_config, test,
};

/// Time passes when the worker says, until this much has.
fn rest(vm: &mut Stage, time: Duration) -> usize {
    let end = vm.now.after(time);
    let mut ticks = 0;
    while vm.now < end {
        vm.now = vm.now.after(vm.worker.period(vm.now));
        let board = vm.board.clone();
        let tick = vm.worker.tick(&*board, vm.now);
        for call in tick.calls {
            vm.answer(&call, 200, &json!({}));
        }
        ticks += 1;
    }
    ticks
}

fn use_once(vm: &mut Stage) {
    assert_permitted(&vm.request(1, &Request::under(&Key::new(1).sign(&claims()))));
    vm.logged(1).unwrap();
}

#[test]
fn a_worker_that_has_nothing_to_do_rests() {
    let mut vm = Stage::new(&config());
    use_once(&mut vm);
    assert_eq!(vm.worker.period(vm.now), IDLE_TICK, "heads are not reported, so nothing is due");
    let ticks = rest(&mut vm, Duration::from_secs(60));
    assert!(ticks <= 6, "{ticks}");
}

#[test]
fn a_record_is_reported_in_time_and_then_it_rests() {
    let mut vm = Stage::new(&reporting_config());
    for _ in 0..4 {
        use_once(&mut vm);
        let (at, mut reported) = (vm.now, None);
        while reported.is_none() && vm.now.since(at) < Duration::from_secs(20) {
            vm.now = vm.now.after(vm.worker.period(vm.now));
            let tick = vm.tick();
            for call in tick.calls {
                reported = Some(vm.now.since(at));
                vm.answer(&call, 200, &json!({}));
            }
        }
        // Four seconds after the one before.
        assert!(reported.unwrap() < Duration::from_millis(4_100), "{reported:?}");
        let ticks = rest(&mut vm, Duration::from_millis(900));
        assert_eq!(ticks, 1);
    }
    let ticks = rest(&mut vm, Duration::from_secs(60));
    assert!(ticks <= 20, "{ticks}");
}

#[test]
fn a_report_that_failed_is_made_again_after_a_second() {
    let mut vm = Stage::new(&reporting_config());
    use_once(&mut vm);
    let call = vm.call();
    vm.fail(&call);
    assert_eq!(vm.worker.period(vm.now), Duration::from_secs(1));
    // Where the clock was set back it is no later than any tick.
    vm.now = vm.now.before(Duration::from_secs(3600));
    assert_eq!(vm.worker.period(vm.now), IDLE_TICK);
}

#[test]
fn keys_that_did_not_come_are_fetched_again_after_a_second() {
    let mut vm = Stage::new(&fetching_config());
    let call = vm.call();
    assert_eq!(vm.worker.period(vm.now), IDLE_TICK, "it waits for the answer");
    vm.fail(&call);
    assert_eq!(vm.worker.period(vm.now), Duration::from_secs(1));
    vm.wait_millis(1_000);
    let again = vm.call();
    vm.answer(&again, 200, &json!({"keys": [Key::new(1).jwk()]}));
    assert_eq!(vm.worker.period(vm.now), IDLE_TICK);
}

#[test]
fn what_came_of_a_report_for_all_is_told_at_once() {
    let shelf = std::rc::Rc::<Shelf>::default();
    let mut vms: Vec<Stage> =
        (1..=2).map(|vm| Stage::beside(&reporting_config(), vm, &shelf)).collect();
    for vm in &mut vms {
        use_once(vm);
        let own = vm.call();
        vm.answer(&own, 200, &json!({}));
    }
    // The next round, and one of them reports for both.
    let mut shared = None;
    for _ in 0..40 {
        for vm in &mut vms {
            vm.now = vm.now.after(IDLE_TICK);
            let tick = vm.tick();
            if let Some(call) = tick.calls.into_iter().next() {
                vm.answer(&call, 200, &json!({}));
                shared = Some(vm.worker.period(vm.now));
                let soon = vm.now.after(vm.worker.period(vm.now));
                vm.now = soon;
                vm.tick();
                assert_eq!(vm.worker.period(vm.now), IDLE_TICK, "it is told");
                break;
            }
        }
        if shared.is_some() {
            break;
        }
    }
    assert_eq!(shared, Some(Duration::from_millis(1)));
}
