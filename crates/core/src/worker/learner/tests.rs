//! When the feed is asked, and what its answers, those of the issuers, and the other VMs teach.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::caller::Caller;
use crate::testing::{FakeBoard, jwk, test, token};

/// When the tests happen, in seconds.
const NOW: u64 = 1_800_000_000;

/// A configuration; its learners share what they know if there is a credential.
fn config(revocation: &Value) -> Rc<Config> {
    let config = json!({
        "issuers": [{"issuer": "https://a.example", "audiences": ["a"], "jwks": {
            "inline": {"keys": [jwk(1)]},
            "remote": {"cluster": "a", "authority": "a", "path": "/jwks"}}}],
        "scopes": [{"name": "a", "methods": ["GET"], "paths": ["/"]}],
        "revocation": revocation});
    Rc::new(Config::parse(config.to_string().as_bytes(), &|_| Some("secret".to_owned())).unwrap())
}

fn feeding() -> Rc<Config> {
    config(&json!({"feed": {"cluster": "a", "authority": "a", "path": "/feed"},
        "introspection": {"cluster": "a", "authority": "a", "path": "/introspect"},
        "credential": {"env": "TOKEN"}}))
}

/// A learner, and what it is used with.
struct Vm {
    learner: Learner,
    identity: Identity,
    board: Rc<FakeBoard>,
    now: Instant,
}

impl Vm {
    fn new(config: &Rc<Config>) -> Vm {
        Vm::beside(config, 1, &Rc::default())
    }

    fn beside(config: &Rc<Config>, number: u8, board: &Rc<FakeBoard>) -> Vm {
        let node = Some("edge-1".to_owned());
        let identity = Identity { node, id: [number; 16], version: "1.2.3", digest: None };
        let now = Instant::from_seconds(NOW);
        Vm { learner: Learner::new(config, &identity, now), identity, board: Rc::clone(board), now }
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now.after(Duration::from_millis(millis));
    }

    /// The paths of the calls that are put into the queue.
    fn calls(&mut self, work: impl FnOnce(&mut Vm, &mut Calls)) -> Vec<String> {
        let mut calls = Calls::default();
        work(self, &mut calls);
        let config = &self.learner.config;
        let caller = Caller::new(&self.identity, None, config, self.learner.keys());
        let calls = calls.send(config, &caller, |_| false, self.now);
        let headers = calls.into_iter().flat_map(|call| call.headers);
        headers.filter(|(name, _)| *name == ":path").map(|(_, path)| path).collect()
    }

    fn poll(&mut self) -> Vec<String> {
        self.calls(|vm, calls| vm.learner.poll(calls, vm.now))
    }

    /// Whether some grant is known to be revoked that was not.
    fn share(&mut self) -> bool {
        self.learner.share(&*self.board, self.now)
    }

    fn catch_up(&mut self) -> Vec<String> {
        self.calls(|vm, calls| vm.learner.catch_up(&*vm.board, calls, vm.now))
    }

    fn feed(&mut self, status: u16, body: &Value) -> Option<bool> {
        let body = body.to_string();
        let answer = Answer::Response { status, body: body.as_bytes() };
        self.learner.learn_news(&answer, &mut Calls::default(), self.now)
    }

    fn keys(&mut self, keys: &[Value]) -> Result<Option<Vec<String>>, String> {
        let body = json!({"keys": keys}).to_string();
        let answer = Answer::Response { status: 200, body: body.as_bytes() };
        self.learner.learn_keys(0, &answer, self.now)
    }
}

fn news(epoch: u64, revoked: &[&str], reset: bool) -> Value {
    let revoked: Vec<_> = revoked.iter().map(|jti| json!({"jti": jti, "exp": NOW + 800})).collect();
    json!({"epoch": epoch, "revoked": revoked, "reset": reset, "feed": "f1"})
}

/// Two VMs of one proxy that know epoch 7; the first leads.
fn proxy() -> [Vm; 2] {
    let (config, board) = (feeding(), Rc::default());
    let mut vms = [1, 2].map(|number| Vm::beside(&config, number, &board));
    for vm in &mut vms {
        assert!(!vm.share());
        assert_eq!(vm.poll(), ["/feed?wait=4s&node=edge-1"]);
        assert_eq!(vm.feed(200, &news(7, &[], true)), Some(false));
        vm.share();
        vm.wait(1_000);
    }
    vms
}

#[test]
fn polls_only_where_this_vm_leads_or_is_left_behind() {
    let [mut first, mut second] = proxy();
    assert!(first.learner.holds_lease() && !second.learner.holds_lease());
    assert!(first.learner.is_to_poll() && !second.learner.is_to_poll());
    assert_eq!(first.poll(), ["/feed?wait=4s&node=edge-1&after=7&feed=f1"]);
    assert!(!first.learner.is_to_poll() && first.poll().is_empty(), "a poll is under way");
    second.wait(8_000);
    assert!(second.poll().is_empty(), "it knows what the first knows");
    second.wait(1);
    assert_eq!(second.poll().len(), 1, "the first has shared nothing for too long");
}

#[test]
fn without_a_board_of_its_own_each_vm_polls_and_without_a_feed_none() {
    let alone = json!({"feed": {"cluster": "a", "authority": "a", "path": "/feed"}});
    let mut vm = Vm::new(&config(&alone));
    assert!(vm.learner.is_to_poll() && !vm.learner.holds_lease());
    assert_eq!(vm.poll().len(), 1);
    let mut vm = Vm::new(&config(&json!({"on_unavailable": "allow"})));
    assert!(!vm.learner.is_to_poll());
    assert!(vm.poll().is_empty() && vm.catch_up().is_empty());
}

#[test]
fn a_revocation_is_new_once() {
    let [mut first, second] = proxy();
    first.poll();
    assert_eq!(first.feed(200, &news(8, &["grant-1"], false)), Some(true));
    assert!(first.learner.is_revoked("grant-1") && !second.learner.is_revoked("grant-1"));
    first.wait(100);
    first.poll();
    assert_eq!(first.feed(200, &news(9, &["grant-1"], false)), Some(false));
}

#[test]
fn what_one_vm_learns_the_others_learn_once() {
    let [mut first, mut second] = proxy();
    first.poll();
    assert!(!first.learner.has_news());
    first.feed(200, &news(8, &["grant-1"], false));
    assert!(first.learner.has_news(), "the others are to be told");
    assert!(!first.share() && !first.learner.has_news());
    assert!(second.share() && second.learner.is_revoked("grant-1"));
    assert!(!second.share(), "once");
    assert_eq!(second.learner.of_feed(second.now).epoch, Some(8));
    second.wait(8_000);
    assert!(second.poll().is_empty(), "it is as fresh as the first");
}

#[test]
fn a_worker_without_requests_looks_once_in_a_tick() {
    let [mut first, mut second] = proxy();
    assert!(second.catch_up().is_empty() && !second.learner.is_revoked("grant-1"));
    first.poll();
    first.feed(200, &news(8, &["grant-1"], false));
    first.share();
    second.wait(24);
    second.catch_up();
    assert!(!second.learner.is_revoked("grant-1"));
    second.wait(1);
    second.catch_up();
    assert!(second.learner.is_revoked("grant-1"));
}

#[test]
fn a_poll_that_is_refused_is_followed_by_one_for_everything() {
    let [mut vm, _] = proxy();
    vm.poll();
    assert_eq!(vm.feed(503, &json!({})), None);
    vm.wait(200);
    assert_eq!(vm.poll(), ["/feed?wait=4s&node=edge-1&after=7&feed=f1"], "it is only away");
    assert_eq!(vm.feed(400, &json!({})), None);
    assert!(vm.poll().is_empty(), "not at once");
    vm.wait(400);
    assert_eq!(vm.poll(), ["/feed?wait=4s&node=edge-1"]);
    assert_eq!(vm.learner.whereabouts(), "node=edge-1");
}

#[test]
fn what_is_no_answer_of_a_feed_teaches_nothing() {
    let [mut vm, _] = proxy();
    vm.wait(10_000);
    let last = vm.learner.last_known(0);
    for body in [json!({"epoch": 8}), news(6, &["grant-1"], false)] {
        vm.poll();
        assert_eq!(vm.feed(200, &body), None);
        assert!(!vm.learner.has_news() && !vm.learner.is_revoked("grant-1"));
        assert!(!vm.learner.is_fresh(vm.now) && vm.learner.last_known(0) == last);
        vm.wait(10_000);
    }
    vm.poll();
    let asked = vm.now;
    vm.wait(4_000);
    vm.feed(200, &news(9, &[], true));
    assert!(vm.learner.is_fresh(vm.now));
    assert_eq!(vm.learner.last_known(0), asked, "knowledge is as old as its question");
}

#[test]
fn another_vm_leads_after_one_that_resigns() {
    let [first, mut second] = proxy();
    second.learner.resign(&*second.board);
    second.share();
    assert!(!second.learner.holds_lease(), "it had nothing to give up");
    first.learner.resign(&*first.board);
    second.share();
    assert!(second.learner.holds_lease());
}

#[test]
fn keys_that_are_new_make_tokens_be_verified_again() {
    let mut vm = Vm::new(&feeding());
    let (text, verified) = token(&vm.learner.config, 1, "grant-1", NOW - 100);
    let knows = |vm: &mut Vm| vm.learner.token(text.as_bytes(), vm.now).is_some();
    assert_eq!(vm.keys(&[jwk(1)]), Ok(Some(vec![])));
    vm.learner.known().memory.keep_token(text.as_bytes(), &verified);
    assert_eq!(vm.keys(&[jwk(1)]), Ok(None));
    assert!(vm.keys(&[]).unwrap_err().contains("no usable key"));
    assert!(knows(&mut vm), "nothing is new");
    let unusable = vm.keys(&[jwk(2), json!({})]).unwrap().unwrap();
    assert!(unusable.len() == 1 && unusable[0].starts_with("keys[1]: "), "{unusable:?}");
    assert!(!knows(&mut vm));
}

#[test]
fn an_issuer_is_asked_when_its_keys_are_due_and_once_at_a_time() {
    let mut vm = Vm::new(&feeding());
    let refresh = |vm: &mut Vm| vm.calls(|vm, calls| vm.learner.refresh(calls, vm.now));
    assert_eq!(refresh(&mut vm), ["/jwks"]);
    assert!(refresh(&mut vm).is_empty() && vm.learner.next_fetch().is_none());
    vm.keys(&[jwk(1)]).unwrap();
    assert!(refresh(&mut vm).is_empty());
    vm.wait(400);
    let next = vm.learner.fetch_keys(0, vm.now);
    assert_eq!(next, Instant::from_seconds(NOW + 1), "at most once in a second");
    assert_eq!(vm.learner.next_fetch(), None, "it is under way");
}

#[test]
fn what_introspection_says_counts_for_a_while() {
    let mut vm = Vm::new(&feeding());
    vm.wait(500);
    let asked = vm.now;
    let learn = |vm: &mut Vm, status, body: &str| {
        let answer = Answer::Response { status, body: body.as_bytes() };
        vm.learner.learn_verdict((0, "grant-1"), &answer, asked, vm.now)
    };
    let start = vm.learner.last_known(0);
    vm.wait(1_000);
    assert_eq!(learn(&mut vm, 503, "{}"), None);
    assert_eq!(vm.learner.known().memory.verdict(0, "grant-1", vm.now), None);
    assert_eq!(vm.learner.last_known(0), start);
    assert_eq!(learn(&mut vm, 200, r#"{"active": false}"#), Some(Verdict::Inactive));
    let now = vm.now;
    let mut remembered = |at| vm.learner.known().memory.verdict(0, "grant-1", at);
    assert_eq!(remembered(now), Some(Verdict::Inactive));
    assert_eq!(remembered(now.after(Duration::from_secs(600))), None);
    assert_eq!(vm.learner.last_known(0), asked);
}
