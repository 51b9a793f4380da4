//! A board that has not changed is not read again: what costs an idle worker. And whatever changes is seen.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use breakglass_core::audit::Outcome;
use breakglass_core::instant::Instant;
use breakglass_core::sharing::{Board, Written};
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Shelf, Stage, assert_permitted, claims, reporting_config, test, with,
};

/// What passes between two ticks: others have requests, or a worker leads.
const STEP: Duration = Duration::from_secs(2);

/// A board that tells whether the id of the process was read: each look does that that is not over at once.
struct Counting<'b> {
    shelf: &'b Shelf,
    looked: Cell<bool>,
    writes: Cell<usize>,
}

impl<'b> Counting<'b> {
    fn on(shelf: &'b Shelf) -> Counting<'b> {
        Counting { shelf, looked: Cell::new(false), writes: Cell::new(0) }
    }
}

impl Board for Counting<'_> {
    fn read(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.looked.set(self.looked.get() || key.starts_with("breakglass.process."));
        self.shelf.read(key)
    }

    fn write(&self, key: &str, value: &[u8], expected: Option<u32>) -> Written {
        self.writes.set(self.writes.get() + 1);
        self.shelf.write(key, value, expected)
    }
}

/// The VMs of an Envoy that is idle: each has a chain of which the service knows all.
struct Idle {
    vms: Vec<Stage>,
    shelf: Rc<Shelf>,
}

/// What a tick of each did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    /// How many of them had to look closer.
    looks: usize,
    writes: usize,
    /// The chains that were reported.
    reported: Vec<String>,
}

impl Idle {
    fn start(vms: u8) -> Idle {
        let shelf: Rc<Shelf> = Rc::default();
        let vms = (1..=vms).map(|vm| Stage::beside(&reporting_config(), vm, &shelf)).collect();
        let mut idle = Idle { vms, shelf };
        for vm in 0..idle.vms.len() {
            idle.record(vm);
        }
        idle
    }

    /// One where the heads of this round have been reported, and nothing is to be done for a while.
    fn quiet(vms: u8) -> Idle {
        let mut idle = Idle::start(vms);
        let count = usize::from(vms);
        assert_eq!(idle.tick().reported.len(), count, "each its own, which is new");
        idle.until(|done| done.reported.len() == count, 80);
        idle.until(|done| *done == Done::default(), 10);
        idle
    }

    /// Ticks until this is so.
    fn until(&mut self, is_so: impl Fn(&Done) -> bool, ticks: usize) -> Done {
        for _ in 0..ticks {
            let done = self.tick();
            if is_so(&done) {
                return done;
            }
        }
        panic!("not within {ticks} ticks");
    }

    /// The chains that are reported within so many ticks.
    fn reported(&mut self, ticks: usize) -> BTreeSet<String> {
        (0..ticks).flat_map(|_| self.tick().reported).collect()
    }

    /// A record in the chain of one. The chain.
    fn record(&mut self, vm: usize) -> String {
        let stage = &mut self.vms[vm];
        let token =
            Key::new(1).sign(&with(claims(), json!({"exp": stage.now.as_millis() / 1000 + 800})));
        assert_permitted(&stage.request(1, &Request::under(&token)));
        let record = stage.worker.logged(1, Outcome::default, stage.now).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        record["chain"].as_str().unwrap().to_owned()
    }

    fn tick(&mut self) -> Done {
        let mut done = Done::default();
        for vm in &mut self.vms {
            vm.now = vm.now.after(STEP);
            let board = Counting::on(&self.shelf);
            let tick = vm.worker.tick(&board, vm.now);
            done.looks += usize::from(board.looked.get());
            done.writes += board.writes.get();
            for call in tick.calls {
                let body: Value = serde_json::from_slice(&call.body).unwrap();
                let heads = body["heads"].as_array().unwrap();
                done.reported
                    .extend(heads.iter().map(|head| head["chain"].as_str().unwrap().to_owned()));
                vm.answer(&call, 200, &json!({}));
            }
        }
        done
    }

    fn heads(&self) -> (String, Vec<u8>, u32) {
        let key = self.shelf.key("breakglass.heads.").unwrap();
        let (value, version) = self.shelf.read(&key).unwrap();
        (key, value, version)
    }

    /// Puts a value there under a version, as a board may that counts anew.
    fn replace(&self, value: &[u8], version: u32) {
        let (key, ..) = self.heads();
        self.shelf.0.borrow_mut().insert(key, (value.to_vec(), version));
    }
}

#[test]
fn for_most_of_a_round_nothing_is_looked_at_again() {
    let mut idle = Idle::quiet(3);
    let (mut quiet, mut reported) = (0, Vec::new());
    let ticks = 10 * 60 / 2;
    for _ in 0..ticks {
        let done = idle.tick();
        quiet += usize::from(done == Done::default());
        reported.extend(done.reported);
    }
    assert!(quiet > ticks * 6 / 10, "{quiet} of {ticks}");
    assert!((3 * 10..=3 * 12).contains(&reported.len()), "{reported:?}");
}

#[test]
fn what_another_vm_leaves_on_the_board_is_seen() {
    let mut idle = Idle::quiet(3);
    let mut gone = idle.vms.pop().unwrap();
    // It ends with a record that it has not reported, and its VM with it: no tick follows.
    let token = Key::new(1).sign(&claims());
    assert_permitted(&gone.request(9, &Request::under(&token)));
    let chain = gone.logged(9).unwrap()["chain"].as_str().unwrap().to_owned();
    assert!(!gone.end());
    let mut reported = Vec::new();
    for _ in 0..10 {
        reported.extend(idle.tick().reported);
    }
    assert_eq!(reported, [chain], "by another one, once");
}

#[test]
fn a_board_that_was_emptied_is_noticed_whatever_its_version() {
    let mut idle = Idle::quiet(2);
    let (key, value, version) = idle.heads();
    idle.shelf.0.borrow_mut().remove(&key);
    assert_eq!(idle.tick().looks, 2);
    assert_eq!(idle.tick(), Done::default(), "nothing waits for this round");
    // Another value under the number that was seen last, and the value that was seen under another number.
    let mut other = Idle::quiet(1);
    other.record(0);
    let (_, theirs, _) = other.heads();
    assert_ne!(theirs, value);
    for (value, version) in [(&theirs, version), (&value, version), (&value, version + 7)] {
        idle.shelf.0.borrow_mut().insert(key.clone(), (value.clone(), version));
        assert_eq!(idle.tick().looks, 2);
    }
}

#[test]
fn what_is_not_authentic_is_never_taken_for_what_was_seen() {
    let mut idle = Idle::quiet(2);
    let (_, value, version) = idle.heads();
    let code = &value[..32];
    let copied = [code, b"{\"round\":0,\"lead\":null,\"idle\":[],\"ended\":[]}"].concat();
    for garbage in [&copied, &code[..31].to_vec(), &Vec::new(), &vec![0; 300]] {
        idle.replace(garbage, version + 1);
        for _ in 0..3 {
            assert_eq!(idle.tick().looks, 2, "each time anew");
        }
    }
    // The heads are reported all the same.
    assert_eq!(idle.reported(80).len(), 2);
}

#[test]
fn a_new_record_a_new_round_and_a_clock_that_was_set_are_looked_at() {
    let mut idle = Idle::quiet(2);
    idle.record(1);
    assert!(idle.tick().reported.len() == 1, "what is new is reported at once");
    idle.until(|done| *done == Done::default(), 10);
    for vm in &mut idle.vms {
        vm.now = Instant::from_millis(vm.now.as_millis() - 70_000);
    }
    assert_eq!(idle.tick().looks, 2, "the clock was set back");
    idle.until(|done| *done == Done::default(), 10);
    for vm in &mut idle.vms {
        vm.now = Instant::from_millis(vm.now.as_millis() + 60_000);
    }
    assert_eq!(idle.tick().looks, 2, "another round");
    // Two minutes later each has been reported again.
    assert_eq!(idle.reported(80).len(), 2);
}
