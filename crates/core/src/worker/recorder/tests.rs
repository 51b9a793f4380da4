//! Heads are reported when they are due, in parts that are taken, and the end of a chain is said.

use std::rc::Rc;

use serde_json::{Value, json};

use super::*;
use crate::audit::Ruled;
use crate::caller::Caller;
use crate::calls::{Answer, Calls};
use crate::reason::AllowReason;
use crate::request::Facts;
use crate::sharing::Process;
use crate::testing::{FakeBoard, jwk, test, token};
use crate::token::KeyRing;

/// When the tests happen, in seconds.
const NOW: u64 = 1_800_000_000;

fn config(changes: &Value) -> Config {
    let mut config = json!({
        "issuers": [{"issuer": "https://a.example", "audiences": ["a"],
            "jwks": {"inline": {"keys": [jwk(1)]}}}],
        "scopes": [{"name": "a", "methods": ["GET"], "paths": ["/"]}],
        "audit": {"heads": {"cluster": "a", "authority": "a", "path": "/heads"}},
        "revocation": {"on_unavailable": "allow", "credential": {"env": "TOKEN"}}});
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    Config::parse(config.to_string().as_bytes(), &|_| Some("secret".to_owned())).unwrap()
}

/// A recorder, and what it is used with.
struct Vm {
    config: Config,
    identity: Identity,
    recorder: Recorder,
    process: Option<Process>,
    board: Rc<FakeBoard>,
    now: Instant,
}

impl Vm {
    fn new(changes: &Value) -> Vm {
        Vm::beside(changes, 1, &Rc::default())
    }

    fn beside(changes: &Value, number: u8, board: &Rc<FakeBoard>) -> Vm {
        let config = config(changes);
        let node = Some("edge-1".to_owned());
        let identity = Identity { node, id: [number; 16], version: "1.2.3", digest: None };
        let now = Instant::from_seconds(NOW);
        Vm {
            recorder: Recorder::new(&config, &identity, now),
            process: Process::new(&config, identity.id),
            config,
            identity,
            board: Rc::clone(board),
            now,
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    /// A request under a grant is let through and logged: the records.
    fn request(&mut self, stream: StreamId, jti: &str) -> [Value; 3] {
        let (_, token) = token(&self.config, 1, jti, NOW - 100);
        let ruled = Ruled {
            arrived: self.now,
            decision: Decision::Allow,
            reason: Reason::Allowed(AllowReason::Permit),
            token: Some(token),
            scope: None,
            rule: None,
            standing: None,
            facts: Facts::default(),
        };
        let decided = Decided::new(ruled, &self.config);
        let first = self.recorder.decided(stream, &decided);
        let (start, link) = self.recorder.started(stream, &decided, self.now);
        let end = End {
            outcome: crate::audit::Outcome::default(),
            traffic: &crate::bodies::Traffic::default(),
            until_revoked: None,
            logged: self.now,
        };
        let last = self.recorder.logged(stream, &decided, &end, link);
        [first, start, last].map(|record| serde_json::from_str(&record).unwrap())
    }

    /// What is put into the queue of calls: the reports, although the ones before are on their way.
    fn calls(&mut self, work: impl FnOnce(&mut Vm, &mut Calls)) -> Vec<Value> {
        let mut calls = Calls::default();
        work(self, &mut calls);
        let keys = KeyRing::new(&self.config);
        let caller = Caller::new(&self.identity, None, &self.config, &keys);
        let calls = calls.send(&self.config, &caller, |_| false, self.now);
        calls.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
    }

    /// The reports of one tick.
    fn report(&mut self) -> Vec<Value> {
        self.calls(|vm, calls| vm.recorder.report(&*vm.board, &mut vm.process, calls, vm.now))
    }

    /// The same after its end.
    fn report_end(&mut self) -> Vec<Value> {
        self.calls(|vm, calls| vm.recorder.report_end(&*vm.board, &mut vm.process, calls, vm.now))
    }

    /// A report of its own head is answered: the reports that follow at once.
    fn answer(&mut self, status: u16) -> Vec<Value> {
        let answer = Answer::Response { status, body: b"{}" };
        self.calls(|vm, calls| {
            vm.recorder.learn_of_report(&answer, calls, vm.now);
        })
    }

    fn end(&mut self) -> bool {
        self.recorder.end(&*self.board, self.now)
    }

    fn count(&mut self, name: &str) -> u64 {
        let counters = self.recorder.take_counters();
        counters.iter().find(|(counter, _)| counter == name).map_or(0, |(_, count)| *count)
    }
}

fn grants(report: &Value) -> usize {
    report["heads"][0]["grants"].as_object().unwrap().len()
}

#[test]
fn only_the_first_record_is_no_link() {
    let mut vm = Vm::new(&json!({}));
    let [first, start, last] = vm.request(1, "grant-1");
    assert_eq!((&first["seq"], &first["hash"]), (&Value::Null, &Value::Null));
    assert_eq!((&start["seq"], &start["grant_seq"]), (&json!(1), &json!(1)));
    assert_eq!((&last["seq"], &last["prev"]), (&json!(2), &start["hash"]));
    assert_eq!((&last["start"]["seq"], &last["start"]["hash"]), (&json!(1), &start["hash"]));
    assert!([first, start, last].iter().all(|record| record["node"] == "edge-1"));
}

#[test]
fn what_is_counted_is_handed_over_once() {
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    vm.request(2, "grant-1");
    vm.recorder.count_call("feed", "ok");
    let (permits, calls) =
        ("breakglass.decision.allow.reason.permit".to_owned(), "breakglass.feed.result.ok");
    assert_eq!(vm.recorder.take_counters(), [(permits, 2), (calls.to_owned(), 1)]);
    assert!(vm.recorder.take_counters().is_empty());
}

#[test]
fn a_head_is_reported_when_it_is_new_and_once_while_it_is_on_its_way() {
    let mut vm = Vm::new(&json!({}));
    assert_eq!((vm.report(), vm.recorder.next_report()), (vec![], None));
    vm.request(1, "grant-1");
    assert_eq!(vm.recorder.next_report(), Some(vm.now));
    let reports = vm.report();
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&report["node"], &report["heads"][0]["seq"]), (&json!("edge-1"), &json!(2)));
    assert_eq!(report["heads"][0]["grants"], json!({"grant-1": 2}));
    assert_eq!(report["process"].as_str().map(str::len), Some(32));
    vm.request(2, "grant-1");
    vm.wait(10);
    assert_eq!((vm.report(), vm.recorder.next_report()), (vec![], None), "one is on its way");
    assert!(vm.answer(200).is_empty());
    assert_eq!(vm.report()[0]["heads"][0]["seq"], 4);
    assert!(vm.answer(503).is_empty());
    assert!(vm.report().is_empty(), "not again at once");
    vm.wait(1);
    assert_eq!(vm.report()[0]["heads"][0]["seq"], 4);
    assert!(vm.answer(200).is_empty());
    vm.wait(10);
    assert_eq!((vm.report(), vm.recorder.next_report()), (vec![], None), "all is known");
    assert_eq!(vm.count("breakglass.heads.result.failed"), 1);
}

#[test]
fn a_head_that_is_too_large_is_reported_in_smaller_parts() {
    let mut vm = Vm::new(&json!({}));
    for number in 0..30 {
        vm.request(number, &format!("{number:0>250}"));
    }
    let mut report = vm.report();
    let mut refused = 0;
    while grants(&report[0]) == 30 {
        report = vm.answer(413);
        refused += 1;
        assert_eq!(report.len(), 1, "it is tried again at once");
    }
    let mut found = 0;
    while !report.is_empty() {
        assert_eq!(report[0]["heads"][0]["seq"], 60, "the same head");
        found += grants(&report[0]);
        report = vm.answer(200);
    }
    assert_eq!((refused, found), (4, 30));
    assert!(vm.recorder.warning(vm.now).unwrap().contains("413"));
    vm.wait(10);
    assert_eq!((vm.report(), vm.recorder.warning(vm.now)), (vec![], None));
    vm.wait(60);
    assert_eq!(vm.recorder.warning(vm.now), None, "none was too large since");
    assert_eq!(vm.count("breakglass.heads.result.too_large"), 4);
}

#[test]
fn what_is_too_large_in_the_smallest_parts_is_left_for_a_second() {
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    let mut reports = vm.report().len();
    while !vm.answer(413).is_empty() {
        reports += 1;
    }
    assert_eq!(reports, 8);
    assert!(vm.report().is_empty());
    vm.wait(1);
    assert_eq!(vm.report().len(), 1);
}

#[test]
fn it_is_over_when_its_last_head_has_arrived() {
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    vm.report();
    vm.answer(200);
    assert!(!vm.recorder.has_ended());
    assert!(!vm.end() && vm.recorder.has_ended());
    let [_, _, after] = vm.request(2, "grant-1");
    assert_eq!(after["seq"], Value::Null, "no link follows");
    let last = vm.report_end();
    assert_eq!(
        (&last[0]["heads"][0]["seq"], &last[0]["heads"][0]["ended"]),
        (&json!(2), &json!(true))
    );
    vm.wait(1);
    assert!(vm.report_end().is_empty() && !vm.recorder.is_over(vm.now), "it is on its way");
    vm.answer(200);
    assert!(vm.recorder.is_over(vm.now));
}

#[test]
fn it_is_over_after_a_minute_or_where_nothing_is_to_say() {
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    assert!(!vm.end());
    vm.wait(59);
    assert!(!vm.recorder.is_over(vm.now));
    assert!(vm.recorder.is_over(vm.now.after(Duration::from_secs(1))));
    assert!(vm.recorder.is_over(Instant::from_seconds(NOW - 1)), "the clock was set back");
    assert!(Vm::new(&json!({})).end(), "there is no record");
    let mut silent = Vm::new(&json!({"audit": {}}));
    silent.request(1, "grant-1");
    assert_eq!((silent.report(), silent.recorder.next_report()), (vec![], None));
    assert!(silent.end() && !silent.recorder.has_ended(), "nothing is reported");
}

/// The seconds after its end in which another VM reports the last head of one.
fn reported_by_another(vm: &Vm) -> Vec<u64> {
    let mut other = Vm::beside(&json!({}), 2, &vm.board);
    other.now = vm.now;
    let mut reports = || {
        other.wait(1);
        let reports = other.report();
        let [report] = &reports[..] else { return false };
        assert_eq!(report["heads"][0]["ended"], true);
        let answer = Answer::Response { status: 200, body: b"{}" };
        other.recorder.learn_of_shared_report(&answer);
        assert!(other.recorder.has_outcome(), "the others are to be told");
        true
    };
    (1..=60).filter(|_| reports()).collect()
}

#[test]
fn the_last_head_is_left_to_the_other_vms_until_it_has_arrived() {
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    vm.end();
    assert!(matches!(reported_by_another(&vm)[..], [12..=20]));
    let mut vm = Vm::new(&json!({}));
    vm.request(1, "grant-1");
    vm.end();
    vm.report_end();
    vm.answer(200);
    assert!(vm.report_end().is_empty());
    assert!(reported_by_another(&vm).is_empty());
}
