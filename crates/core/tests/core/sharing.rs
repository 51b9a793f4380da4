//! One VM polls for all of a proxy, and no value on the board makes any of them believe less.

use std::rc::Rc;

use breakglass_core::calls::Call;
use breakglass_core::instant::Instant;
use breakglass_core::sharing::Board;
use breakglass_core::step::Step;
use breakglass_core::worker::{IDLE_TICK, LEAD_TICK, TICK as TICK_PERIOD};
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Shelf, Stage, assert_permitted, assert_refused, claims, feeding_config,
    fetching_config, test, with,
};

const TICK: u64 = 25;

fn token(jti: &str) -> String {
    Key::new(1).sign(&with(claims(), json!({"jti": jti})))
}

fn answer(epoch: u64, revoked: &[&str], reset: bool) -> Value {
    let revoked: Vec<_> = revoked.iter().map(|jti| json!({"jti": jti, "exp": NOW + 800})).collect();
    json!({"epoch": epoch, "revoked": revoked, "reset": reset, "feed": "f1"})
}

/// VMs of one proxy that have all asked once, and the poll of the first, which leads.
fn proxy(vms: u8) -> (Vec<Stage>, Call) {
    let board = Rc::default();
    let config = feeding_config();
    let mut vms: Vec<_> = (1..=vms).map(|number| Stage::beside(&config, number, &board)).collect();
    for vm in &mut vms {
        let call = vm.call();
        vm.answer(&call, 200, &answer(7, &[], true));
    }
    for _ in 0..2 {
        assert!(tick(&mut vms).is_empty());
    }
    let mut calls = tick(&mut vms);
    assert_eq!(calls.len(), 1, "one VM asks for all");
    let (leader, call) = calls.remove(0);
    assert_eq!(leader, 0, "the first that came leads");
    (vms, call)
}

/// A tick of each, one after the other, and the calls that they make.
fn tick(vms: &mut [Stage]) -> Vec<(usize, Call)> {
    let mut made = Vec::new();
    for (index, vm) in vms.iter_mut().enumerate() {
        let tick = vm.tick();
        assert!(tick.steps.is_empty());
        made.extend(tick.calls.into_iter().map(|call| (index, call)));
        vm.wait_millis(TICK);
    }
    made
}

fn ticks(vms: &mut [Stage], millis: u64) -> Vec<(usize, Call)> {
    (0..millis / TICK).flat_map(|_| tick(vms)).collect()
}

fn key(board: &Shelf, prefix: &str) -> String {
    board.key(prefix).unwrap()
}

#[test]
fn what_one_learns_the_others_know_at_their_next_tick() {
    let (mut vms, call) = proxy(3);
    for vm in &mut vms {
        assert_permitted(&vm.request(1, &Request::under(&token("grant-1"))));
    }
    assert_eq!(vms[0].answer(&call, 200, &answer(8, &["grant-1"], false)).len(), 1);
    assert_eq!(vms[0].worker.period(vms[0].now).as_millis(), 1, "what is new is shared at once");
    assert!(vms[0].tick().calls.is_empty(), "the next poll waits for the others");
    for vm in &mut vms[1..] {
        let steps = vm.tick().steps;
        let [(1, step)] = &steps[..] else { panic!("{steps:?}") };
        assert_refused(step, "revoked");
        assert_eq!(vm.logged(1).unwrap()["epoch"], 8);
        assert_refused(&vm.request(2, &Request::under(&token("grant-1"))), "revoked");
        assert!(vm.tick().steps.is_empty(), "once");
    }
}

#[test]
fn others_are_as_fresh_as_the_one_that_polls() {
    let (mut vms, mut call) = proxy(2);
    for _ in 0..10 {
        let calls = ticks(&mut vms, 4_000);
        assert!(calls.is_empty(), "{calls:?}");
        vms[0].answer(&call, 200, &answer(7, &[], false));
        let mut calls = ticks(&mut vms, 125);
        assert_eq!(calls.len(), 1);
        call = calls.remove(0).1;
    }
    assert_permitted(&vms[1].request(1, &Request::under(&token("grant-1"))));
}

#[test]
fn another_takes_over_at_once_from_one_that_ends() {
    let (mut vms, _) = proxy(3);
    let mut gone = vms.remove(0);
    // One that does not poll has nothing to give up.
    assert!(vms[1].end());
    assert!(ticks(&mut vms, 100).is_empty());
    assert!(gone.end());
    assert_eq!(tick(&mut vms).len(), 1, "one VM asks for all");
}

#[test]
fn another_takes_over_from_one_that_is_gone() {
    let (mut vms, _call) = proxy(3);
    let mut left = vms.split_off(1);
    let calls = ticks(&mut left, 5_975);
    assert!(calls.is_empty(), "{calls:?}");
    let calls = ticks(&mut left, 100);
    assert_eq!(calls.len(), 1, "one of them, after six seconds");
    let (leader, call) = &calls[0];
    left[*leader].answer(call, 200, &answer(8, &["grant-1"], false));
    assert!(ticks(&mut left, 50).is_empty());
    for vm in &mut left {
        assert_refused(&vm.request(1, &Request::under(&token("grant-1"))), "revoked");
    }
}

#[test]
fn one_that_comes_later_asks_once_and_then_follows() {
    let (mut vms, call) = proxy(1);
    let mut late = Stage::beside(&feeding_config(), 9, &vms[0].board);
    late.now = vms[0].now;
    let first = late.call();
    late.answer(&first, 200, &answer(7, &[], true));
    vms[0].answer(&call, 200, &answer(8, &["grant-1"], false));
    vms[0].tick();
    late.tick();
    assert_refused(&late.request(1, &Request::under(&token("grant-1"))), "revoked");
}

#[test]
fn one_without_requests_looks_before_it_judges_the_next() {
    let (mut vms, call) = proxy(2);
    let [leader, idle] = &mut vms[..] else { panic!() };
    assert_eq!(leader.worker.period(leader.now), LEAD_TICK, "it has asked, and waits");
    assert_eq!(idle.worker.period(idle.now), IDLE_TICK);
    leader.answer(&call, 200, &answer(8, &["grant-1"], false));
    leader.tick();
    assert_eq!(leader.worker.period(leader.now), TICK_PERIOD, "nobody asks until it does");
    idle.wait_millis(100);
    let step = idle.request(1, &Request::under(&token("grant-1")));
    assert_refused(&step, "revoked");
    assert_eq!(idle.worker.period(idle.now), TICK_PERIOD, "it has a request");
    assert_eq!(idle.logged(1).unwrap()["epoch"], 8);
    assert_eq!(idle.worker.period(idle.now), IDLE_TICK);
    // A request that waits for an answer has its ticks too.
    let fetching = with(feeding_config(), fetching_config());
    let mut waiting = Stage::new(&fetching);
    assert!(matches!(waiting.request(1, &Request::under(&token("grant-1"))), Step::Wait));
    waiting.tick();
    assert_eq!(waiting.worker.period(waiting.now), TICK_PERIOD);
}

/// One that has slept while another one learnt of one revocation, and then of so many that the first is no longer
/// shared.
fn asleep() -> Stage {
    let (mut vms, call) = proxy(2);
    let mut asleep = vms.pop().unwrap();
    vms[0].answer(&call, 200, &answer(8, &["grant-8"], false));
    let call = ticks(&mut vms, 100).remove(0).1;
    let others: Vec<_> = (0..4096).map(|number| format!("other-{number}")).collect();
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    vms[0].answer(&call, 200, &answer(9, &others, false));
    ticks(&mut vms, 100);
    asleep.now = vms[0].now;
    asleep
}

#[test]
fn one_that_finds_a_gap_when_a_request_comes_asks_at_once() {
    let mut asleep = asleep();
    let _ = asleep.request(1, &Request::under(&token("grant-8")));
    assert_eq!(asleep.worker.period(asleep.now).as_millis(), 1);
    let call = asleep.call();
    let steps = asleep.answer(&call, 200, &answer(9, &["grant-8", "other-1"], false));
    let [(1, step)] = &steps[..] else { panic!("{steps:?}") };
    assert_refused(step, "revoked");
}

#[test]
fn one_that_did_not_look_for_long_asks_for_itself() {
    let mut asleep = asleep();
    assert_permitted(&asleep.request(1, &Request::under(&token("grant-8"))));
    let call = asleep.call();
    let path = &call.headers.iter().find(|(name, _)| *name == ":path").unwrap().1;
    assert!(path.ends_with("&after=7&feed=f1"), "{path}");
}

#[test]
fn what_is_shared_has_no_gap_when_another_goes_on() {
    let (mut vms, call) = proxy(3);
    // The second learns 8 from the first, and leads from then on; the third sleeps through 8.
    vms[0].answer(&call, 200, &answer(8, &["grant-8"], false));
    vms[0].tick();
    vms[1].now = vms[1].now.after(std::time::Duration::from_millis(6_100));
    let call = vms[1].call();
    vms[1].answer(&call, 200, &answer(9, &["grant-9"], false));
    vms[1].tick();
    vms[2].now = vms[1].now;
    let call = vms[2].call();
    vms[2].answer(&call, 200, &answer(9, &["grant-8", "grant-9"], false));
    for grant in ["grant-8", "grant-9"] {
        assert_refused(&vms[2].request(1, &Request::under(&token(grant))), "revoked");
    }
}

#[test]
fn an_answer_that_is_overtaken_takes_nothing_back() {
    let (mut vms, call) = proxy(2);
    // The second asks too, and is told more before the first has its answer.
    vms[1].wait_millis(6_100);
    let more = vms[1].call();
    vms[1].answer(&more, 200, &answer(9, &["grant-8", "grant-9"], false));
    vms[1].tick();
    vms[0].tick();
    vms[0].answer(&call, 200, &answer(8, &["grant-8"], false));
    let mut third = Stage::beside(&feeding_config(), 3, &vms[0].board);
    third.now = vms[1].now;
    vms[0].now = vms[1].now;
    vms[0].tick();
    for vm in &mut vms {
        for grant in ["grant-8", "grant-9"] {
            assert_refused(&vm.request(1, &Request::under(&token(grant))), "revoked");
        }
        assert_eq!(vm.logged(1).unwrap()["epoch"], 9);
    }
}

#[test]
fn a_value_that_is_not_ours_teaches_nothing() {
    let (mut vms, call) = proxy(2);
    vms[0].answer(&call, 200, &answer(8, &["grant-1"], false));
    vms[0].tick();
    let board = Rc::clone(&vms[0].board);
    let key = key(&board, "breakglass.feed.");
    let (ours, _) = board.read(&key).unwrap();
    let mut changed = ours.clone();
    let at = changed.windows(7).position(|bytes| bytes == b"grant-1").unwrap();
    changed[at + 6] = b'2';
    for forged in [changed, ours[..40].to_vec(), Vec::new(), vec![0; 32], b"{}".to_vec()] {
        board.put(&key, &forged);
        assert!(vms[1].tick().steps.is_empty());
        assert_permitted(&vms[1].request(1, &Request::under(&token("grant-2"))));
        assert_permitted(&vms[1].request(1, &Request::under(&token("grant-1"))));
    }
}

#[test]
fn an_old_value_takes_nothing_back_and_is_not_fresh() {
    let (mut vms, call) = proxy(2);
    let board = Rc::clone(&vms[0].board);
    let key = key(&board, "breakglass.feed.");
    let (old, _) = board.read(&key).unwrap();
    vms[0].answer(&call, 200, &answer(8, &["grant-1"], false));
    vms[0].tick();
    vms[1].tick();
    for _ in 0..400 {
        board.put(&key, &old);
        let tick = vms[1].tick();
        vms[1].wait_millis(TICK);
        if let [call] = &tick.calls[..] {
            vms[1].answer(call, 200, &answer(8, &[], false));
            assert_permitted(&vms[1].request(2, &Request::under(&token("grant-2"))));
            assert_refused(&vms[1].request(1, &Request::under(&token("grant-1"))), "revoked");
            return;
        }
    }
    panic!("nothing new for ten seconds, and it does not ask for itself");
}

#[test]
fn a_lease_that_is_forged_keeps_nobody_from_asking_in_time() {
    let (vms, _call) = proxy(1);
    let board = Rc::clone(&vms[0].board);
    let lease = key(&board, "breakglass.lease.");
    let mut vm = Stage::beside(&feeding_config(), 2, &board);
    vm.now = vms[0].now;
    let call = vm.call();
    vm.answer(&call, 200, &answer(7, &[], true));
    for _ in 0..9_500 / TICK {
        let until = vm.now.as_millis() + 500;
        board.put(&lease, &[&[7; 16][..], &until.to_le_bytes()].concat());
        if !vm.tick().calls.is_empty() {
            return;
        }
        vm.wait_millis(TICK);
    }
    panic!("it does not ask");
}

#[test]
fn a_lease_from_before_the_clock_was_set_back_does_not_count() {
    let (mut vms, _call) = proxy(2);
    vms[1].now = Instant::from_seconds(NOW - 60);
    vms[1].call();
}

#[test]
fn without_a_credential_nothing_is_shared_and_each_asks() {
    let board = Rc::default();
    let mut config = feeding_config();
    config["revocation"].as_object_mut().unwrap().remove("credential");
    for number in 1..=2 {
        let mut vm = Stage::beside(&config, number, &board);
        for _ in 0..3 {
            let call = vm.call();
            vm.answer(&call, 200, &answer(7, &[], true));
            vm.wait_millis(100);
        }
    }
    assert!(board.0.borrow().is_empty());
}

#[test]
fn two_credentials_or_feeds_do_not_meet() {
    let (vms, _call) = proxy(1);
    let mut config = feeding_config();
    config["revocation"]["feed"]["path"] = json!("/other");
    let mut other = Stage::beside(&config, 2, &vms[0].board);
    for _ in 0..3 {
        let call = other.call();
        other.answer(&call, 200, &answer(7, &[], true));
        other.wait_millis(100);
    }
}
