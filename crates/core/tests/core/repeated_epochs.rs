//! Epochs that are given twice: a service that was restored from a backup, that has lost commits, or whose
//! database was replaced by a copy. However it happens, every VM ends up knowing every revocation.

use std::rc::Rc;

use breakglass_core::calls::Call;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, assert_permitted, assert_refused, claims, feeding_config, test, with,
};

/// The service as far as the feed goes: what was revoked, in order, each with the tag of its epoch.
#[derive(Clone)]
struct Service {
    feed: &'static str,
    revoked: Vec<(String, String)>,
    /// What no other service has used for a tag.
    salt: &'static str,
    /// Whether it gives tags and knows them.
    tags: bool,
}

impl Service {
    fn new() -> Service {
        Service { feed: "f1", revoked: Vec::new(), salt: "a", tags: true }
    }

    fn revoke(&mut self, jti: &str) {
        self.revoked.push((jti.to_owned(), String::new()));
        let tag = format!("{}{}", self.salt, self.revoked.len());
        self.revoked.last_mut().unwrap().1 = tag;
    }

    /// What it was when it had given so many epochs, and what it gives now is given anew.
    fn restored(&self, epochs: usize, salt: &'static str) -> Service {
        let revoked = self.revoked[..epochs].to_vec();
        Service { revoked, salt, ..self.clone() }
    }

    fn tag(&self, epoch: usize) -> &str {
        epoch.checked_sub(1).map_or(self.feed, |index| &self.revoked[index].1)
    }

    fn answer(&self, call: &Call) -> Value {
        let path = &call.headers.iter().find(|(name, _)| *name == ":path").unwrap().1;
        let (_, query) = path.split_once('?').unwrap();
        let parameter = |name: &str| {
            query.split('&').filter_map(|one| one.split_once('=')).find(|(key, _)| *key == name)
        };
        let after = parameter("after").map(|(_, after)| after.parse::<usize>().unwrap());
        let known = after.filter(|after| *after <= self.revoked.len()).filter(|after| {
            let tag = parameter("tag").filter(|_| self.tags);
            tag.is_none_or(|(_, tag)| tag == self.tag(*after))
                && parameter("feed").is_none_or(|(_, feed)| feed == self.feed)
        });
        let revoked: Vec<_> = self.revoked[known.unwrap_or(0)..]
            .iter()
            .map(|(jti, _)| json!({"jti": jti, "exp": NOW + 800}))
            .collect();
        let epoch = self.revoked.len();
        let answer = json!({"epoch": epoch, "revoked": revoked, "reset": known.is_none(),
            "feed": self.feed});
        if self.tags { with(answer, json!({"tag": self.tag(epoch)})) } else { answer }
    }

    /// Lets time pass for these VMs, and answers whatever they ask. None of the polls hangs.
    fn serve(&self, vms: &mut [Stage], millis: u64) {
        for _ in 0..millis / 25 {
            for vm in &mut *vms {
                for call in vm.tick().calls {
                    vm.answer(&call, 200, &self.answer(&call));
                }
                vm.wait_millis(25);
            }
        }
    }
}

fn token(jti: &str) -> String {
    Key::new(1).sign(&with(claims(), json!({"jti": jti})))
}

fn vms(count: u8) -> Vec<Stage> {
    let board = Rc::default();
    (1..=count).map(|number| Stage::beside(&feeding_config(), number, &board)).collect()
}

fn assert_all_know(service: &Service, vms: &mut [Stage]) {
    for (index, vm) in vms.iter_mut().enumerate() {
        for (jti, _) in &service.revoked {
            let step = vm.request(1, &Request::under(&token(jti)));
            assert!(matches!(step, breakglass_core::step::Step::Refuse(..)), "VM {index}: {jti}");
            assert_refused(&step, "revoked");
        }
        assert_permitted(&vm.request(1, &Request::under(&token("grant-live"))));
        vm.logged(1);
    }
}

/// The proxy is at epoch 3; a backup of epoch 1 is restored, and epochs are given again up to `end`.
fn restore(vms: &mut [Stage], end: usize, is_seen_between: bool) -> Service {
    let mut service = Service::new();
    for jti in ["grant-1", "grant-2", "grant-3"] {
        service.revoke(jti);
    }
    service.serve(vms, 1_000);
    let mut service = service.restored(1, "b");
    if is_seen_between {
        service.serve(vms, 500);
    }
    for number in 2..=end {
        service.revoke(&format!("grant-again-{number}"));
    }
    service.serve(vms, 1_000);
    service
}

#[test]
fn a_restored_service_gives_epochs_again_and_all_is_known() {
    for count in [1, 3] {
        for end in 2..6 {
            for is_seen_between in [false, true] {
                let mut vms = vms(count);
                let service = restore(&mut vms, end, is_seen_between);
                assert_all_know(&service, &mut vms);
            }
        }
    }
}

#[test]
fn another_database_with_the_same_feed_id_is_read_anew() {
    let mut vms = vms(3);
    let mut first = Service::new();
    first.revoke("grant-1");
    first.serve(&mut vms, 500);
    // A copy of an empty database, which has lived elsewhere.
    let mut other = Service { salt: "c", ..Service::new() };
    for jti in ["grant-x", "grant-y"] {
        other.revoke(jti);
    }
    other.serve(&mut vms, 1_000);
    assert_all_know(&other, &mut vms);
}

/// What one VM puts up must not carry another one over a gap that it cannot see.
#[test]
fn a_vm_never_goes_on_from_an_epoch_of_another_past() {
    let mut vms = vms(2);
    let mut before = Service::new();
    for jti in ["grant-1", "grant-2", "grant-3"] {
        before.revoke(jti);
    }
    before.serve(&mut vms, 500);
    let mut after = before.restored(1, "b");
    after.revoke("grant-b2");
    // The leader alone asks, and reads everything anew; then it goes on from there.
    let (leader, other) = vms.split_at_mut(1);
    after.serve(leader, 300);
    after.revoke("grant-b3");
    after.revoke("grant-b4");
    after.serve(leader, 300);
    // The other one stands at epoch 3 of another past, between 2 and 4 of this one.
    other[0].now = leader[0].now;
    let calls = other[0].tick().calls;
    let [call] = &calls[..] else { panic!("it follows what does not go on from where it is") };
    let answer = after.answer(call);
    assert_eq!(answer["reset"], true);
    other[0].answer(call, 200, &answer);
    assert_all_know(&after, &mut vms);
}

#[test]
fn a_service_that_went_back_is_noticed_by_those_who_know_more() {
    let mut vms = vms(2);
    let mut before = Service::new();
    for jti in ["grant-1", "grant-2", "grant-3"] {
        before.revoke(jti);
    }
    before.serve(&mut vms, 500);
    let mut after = before.restored(1, "b");
    after.revoke("grant-b2");
    after.serve(&mut vms, 300);
    assert_all_know(&after, &mut vms);
}

#[test]
fn services_without_tags_are_followed_as_before() {
    let mut vms = vms(3);
    let mut service = Service { tags: false, ..Service::new() };
    service.revoke("grant-1");
    service.serve(&mut vms, 500);
    service.revoke("grant-2");
    service.serve(&mut vms, 500);
    assert_all_know(&service, &mut vms);
    // It is upgraded, gives tags, and is rolled back.
    service.tags = true;
    service.revoke("grant-3");
    service.serve(&mut vms, 500);
    assert_all_know(&service, &mut vms);
    service.tags = false;
    service.revoke("grant-4");
    service.serve(&mut vms, 500);
    assert_all_know(&service, &mut vms);
}

#[test]
fn a_service_that_does_not_know_the_question_is_asked_for_everything() {
    let mut vms = vms(1);
    let mut service = Service::new();
    service.revoke("grant-1");
    service.serve(&mut vms, 500);
    let vm = &mut vms[0];
    vm.wait_millis(200);
    let call = vm.call();
    assert!(call.headers.iter().any(|(_, value)| value.contains("&tag=a1")), "{call:?}");
    vm.answer(&call, 400, &json!({"reason": "invalid_request"}));
    vm.wait_millis(200);
    let call = vm.call();
    assert!(!call.headers.iter().any(|(_, value)| value.contains("after=")), "{call:?}");
}

#[test]
fn an_answer_with_the_same_epoch_and_another_tag_is_none() {
    let mut vms = vms(1);
    let mut service = Service::new();
    service.revoke("grant-1");
    service.serve(&mut vms, 500);
    let vm = &mut vms[0];
    vm.wait_millis(200);
    let call = vm.call();
    let other = json!({"epoch": 1, "revoked": [], "reset": false, "feed": "f1", "tag": "b1"});
    vm.answer(&call, 200, &other);
    vm.wait_millis(200);
    let call = vm.call();
    assert!(!call.headers.iter().any(|(_, value)| value.contains("after=")), "{call:?}");
    let long = json!({"epoch": 1, "revoked": [], "reset": true, "feed": "f1",
        "tag": "x".repeat(257)});
    vm.answer(&call, 200, &long);
    vm.wait_millis(400);
    assert!(!vm.tick().calls.is_empty(), "a tag of any length is no answer");
}
