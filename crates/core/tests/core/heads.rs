//! Which heads are reported, when and by which VM: new ones at once, idle ones every minute in one
//! report, the last one of a chain when it has ended. And no value on the board makes any of them
//! false or keeps them back.

#![expect(clippy::arithmetic_side_effects, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use breakglass_core::audit::{ChainKey, Outcome};
use breakglass_core::calls::Call;
use breakglass_core::instant::Instant;
use breakglass_core::sharing::Board;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Shelf, Stage, assert_permitted, claims, reporting_config, test, with,
};

/// How often the VMs tick here.
const TICK: u64 = 100;

/// How old a head may become before it is reported again.
const A_MINUTE: u64 = 60_000;

/// A report as it came: when, from which VM, and what it said.
#[derive(Debug, Clone)]
struct Report {
    at: u64,
    vm: usize,
    body: Value,
}

impl Report {
    fn of(at: u64, vm: usize, call: &Call) -> Report {
        assert!(call.headers.contains(&(":path", "/v1/audit/heads".into())), "{call:?}");
        Report { at, vm, body: serde_json::from_slice(&call.body).unwrap() }
    }

    fn heads(&self) -> &[Value] {
        self.body["heads"].as_array().unwrap()
    }

    fn chains(&self) -> BTreeSet<String> {
        let chain = |head: &Value| head["chain"].as_str().unwrap().to_owned();
        self.heads().iter().map(chain).collect()
    }

    fn process(&self) -> Option<&str> {
        self.body.get("process").map(|process| process.as_str().unwrap())
    }

    /// Whether it only repeats what the service knows.
    fn repeats(&self) -> bool {
        self.heads().iter().all(|head| head["grants"] == json!({}) && head["ended"] == false)
    }
}

/// What another plugin does to the board.
type Meddler = Box<dyn FnMut(&Shelf)>;

/// An Envoy, and the service that it reports to.
struct Proxy {
    vms: Vec<Option<Stage>>,
    board: Rc<Shelf>,
    now: u64,
    /// What becomes of a report: 0 for no answer.
    status: u16,
    /// Another plugin, which runs before each VM.
    meddler: Option<Meddler>,
    streams: u32,
}

impl Proxy {
    fn start(config: &Value, vms: u8) -> Proxy {
        let board = Rc::default();
        let vms: Vec<Option<Stage>> =
            (1..=vms).map(|number| Some(Stage::beside(config, number, &board))).collect();
        let now = Instant::from_seconds(NOW).as_millis();
        Proxy { vms, board, now, status: 200, meddler: None, streams: 0 }
    }

    /// One in which each VM has written a record and reported it.
    fn reported(config: &Value, vms: u8) -> Proxy {
        let mut proxy = Proxy::start(config, vms);
        (0..usize::from(vms)).for_each(|vm| drop(proxy.record(vm)));
        assert_eq!(proxy.run(500).len(), usize::from(vms), "each reports what is new");
        proxy
    }

    fn join(&mut self, config: &Value, number: u8) -> usize {
        let mut vm = Stage::beside(config, number, &self.board);
        vm.now = Instant::from_millis(self.now);
        self.vms.push(Some(vm));
        self.vms.len() - 1
    }

    fn vm(&mut self, vm: usize) -> &mut Stage {
        self.vms[vm].as_mut().unwrap()
    }

    /// A VM writes a record. The record.
    fn record(&mut self, vm: usize) -> Value {
        self.streams += 1;
        let (stream, stage) = (self.streams, self.vm(vm));
        let token = Key::new(1).sign(&with(claims(), json!({"jti": "grant-1"})));
        assert_permitted(&stage.request(stream, &Request::under(&token)));
        let record = stage.worker.logged(stream, Outcome::default, stage.now).unwrap();
        serde_json::from_str(&record).unwrap()
    }

    /// Time passes for all: the reports that were made meanwhile.
    fn run(&mut self, millis: u64) -> Vec<Report> {
        let mut reports = Vec::new();
        for _ in 0..millis / TICK {
            self.now += TICK;
            for (index, vm) in self.vms.iter_mut().enumerate() {
                let Some(vm) = vm else { continue };
                if let Some(meddler) = &mut self.meddler {
                    meddler(&self.board);
                }
                vm.now = Instant::from_millis(self.now);
                for call in vm.tick().calls {
                    reports.push(Report::of(self.now, index, &call));
                    match self.status {
                        0 => {}
                        status => drop(vm.answer(&call, status, &json!({}))),
                    }
                }
            }
        }
        reports
    }

    /// Time passes until a report is made: that one, the only one of its tick.
    fn run_until_repeated(&mut self) -> Report {
        for _ in 0..A_MINUTE / TICK {
            let mut reports = self.run(TICK);
            if let Some(report) = reports.pop() {
                assert!(reports.is_empty(), "{reports:?} and {report:?}");
                return report;
            }
        }
        panic!("no head is repeated for a minute");
    }

    /// The chain of a VM.
    fn chain(&mut self, vm: usize) -> String {
        self.record(vm)["chain"].as_str().unwrap().to_owned()
    }
}

/// The longest time for which a chain was not heard of, by chain.
fn gaps(reports: &[Report], from: u64, to: u64) -> BTreeMap<String, u64> {
    let mut gaps: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for report in reports {
        for chain in report.chains() {
            let (last, longest) = gaps.entry(chain).or_insert((from, 0));
            *longest = (*longest).max(report.at - *last);
            *last = report.at;
        }
    }
    gaps.into_iter().map(|(chain, (last, longest))| (chain, longest.max(to - last))).collect()
}

fn without_credential() -> Value {
    with(reporting_config(), json!({"revocation": {"on_unavailable": "allow"}}))
}

#[test]
fn all_idle_chains_of_an_envoy_are_in_one_report_every_minute() {
    let mut proxy = Proxy::reported(&reporting_config(), 4);
    let from = proxy.now;
    let reports = proxy.run(5 * A_MINUTE);
    assert!((5..=6).contains(&reports.len()), "{reports:?}");
    for report in &reports {
        assert_eq!(report.chains().len(), 4, "{report:?}");
        assert!(report.repeats(), "{report:?}");
        assert_eq!(report.heads()[0]["seq"], 1);
    }
    let gaps = gaps(&reports, from, proxy.now);
    assert_eq!(gaps.len(), 4);
    assert!(gaps.values().all(|gap| *gap <= A_MINUTE), "{gaps:?}");
}

#[test]
fn a_chain_that_goes_on_has_its_own_report_and_only_the_others_are_repeated() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    let busy = proxy.chain(0);
    let mut reports = Vec::new();
    for _ in 0..60 {
        proxy.record(0);
        reports.extend(proxy.run(2_000));
    }
    let (own, shared): (Vec<&Report>, Vec<&Report>) =
        reports.iter().partition(|report| report.chains().contains(&busy));
    assert!(own.iter().all(|report| report.vm == 0 && report.heads().len() == 1));
    assert!(own.windows(2).all(|pair| pair[1].at - pair[0].at <= 5_000), "{own:?}");
    assert!((1..=3).contains(&shared.len()), "{shared:?}");
    assert!(shared.iter().all(|report| report.chains().len() == 2 && report.repeats()));
    // Its numbers never go back.
    let seqs: Vec<u64> =
        own.iter().map(|report| report.heads()[0]["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[test]
fn a_chain_that_wakes_up_while_its_head_waits_on_the_board_is_not_reported_out_of_date() {
    let mut proxy = Proxy::reported(&reporting_config(), 2);
    let chain = proxy.chain(0);
    proxy.run(10_000);
    let mut newest = 0;
    for _ in 0..70_000 / 700 {
        // A new record at every moment of a round, while the other VM is idle.
        for report in proxy.run(700) {
            for head in report.heads().iter().filter(|head| head["chain"] == *chain) {
                let seq = head["seq"].as_u64().unwrap();
                assert!(seq >= newest, "{report:?}");
                newest = seq;
            }
        }
        if proxy.now % 11 < 3 {
            proxy.record(0);
        }
    }
}

#[test]
fn the_head_of_a_vm_that_died_is_not_repeated() {
    for alive in [1_000, 20_000, 45_000, 54_000, 55_000, 56_000, 57_000, 58_000, 110_000] {
        let mut proxy = Proxy::reported(&reporting_config(), 3);
        let dead = proxy.chain(1);
        proxy.run(5_000);
        proxy.run(alive);
        proxy.vms[1] = None;
        let died = proxy.now;
        let reports = proxy.run(3 * A_MINUTE);
        assert!(reports.len() >= 2, "{alive}: {reports:?}");
        let late = |report: &&Report| report.chains().contains(&dead) && report.at > died + 6_000;
        assert!(!reports.iter().any(|report| late(&report)), "{alive}: {reports:?}");
        assert!(reports.iter().any(|report| report.chains().len() == 2), "{alive}: {reports:?}");
    }
}

#[test]
fn what_waits_while_the_service_is_gone_is_not_repeated_once_its_vm_is_dead() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    let dead = proxy.chain(1);
    proxy.run(5_000);
    proxy.status = 503;
    // Long enough for every head to be on the board and not to arrive.
    proxy.run_until_repeated();
    proxy.run(3_000);
    proxy.vms[1] = None;
    proxy.run(13_000);
    proxy.status = 200;
    let reports = proxy.run(10_000);
    assert!(!reports.is_empty());
    assert!(!reports.iter().any(|report| report.chains().contains(&dead)), "{reports:?}");
}

#[test]
fn another_vm_reports_when_the_one_that_leads_dies() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    proxy.status = 0;
    let leader = proxy.run_until_repeated();
    proxy.vms[leader.vm] = None;
    proxy.status = 200;
    let reports = proxy.run(7_000);
    assert!(reports.iter().any(|report| report.chains().len() >= 2), "{reports:?}");
    assert!(reports.iter().all(|report| report.vm != leader.vm));
}

#[test]
fn a_report_for_all_that_does_not_arrive_is_made_again_and_not_by_all() {
    let mut proxy = Proxy::reported(&reporting_config(), 4);
    proxy.status = 500;
    proxy.run_until_repeated();
    let failing = proxy.run(20_000);
    assert!((10..=25).contains(&failing.len()), "about one each second: {}", failing.len());
    assert!(failing.iter().all(|report| report.chains().len() == 4), "{failing:?}");
    proxy.status = 200;
    let reports = proxy.run(3_000);
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0].chains().len(), 4);
}

#[test]
fn a_report_whose_answer_is_lost_is_made_again() {
    let mut proxy = Proxy::reported(&reporting_config(), 2);
    proxy.status = 0;
    proxy.run_until_repeated();
    let reports = proxy.run(6_000);
    assert!(!reports.is_empty());
    proxy.status = 200;
    let reports = proxy.run(6_000);
    assert_eq!(reports.last().unwrap().chains().len(), 2, "{reports:?}");
}

#[test]
fn a_chain_without_a_record_is_not_reported() {
    let mut proxy = Proxy::start(&reporting_config(), 3);
    assert!(proxy.run(2 * A_MINUTE).is_empty());
    let chain = proxy.chain(2);
    let reports = proxy.run(2 * A_MINUTE);
    assert!(reports.iter().all(|report| report.chains() == BTreeSet::from([chain.clone()])));
}

#[test]
fn heads_are_repeated_when_the_clock_was_set_back_or_forward() {
    for moved in [-3_600_000_i64, -30_000, -1_000, 1_000, 3_600_000] {
        let mut proxy = Proxy::reported(&reporting_config(), 3);
        proxy.run(A_MINUTE);
        proxy.now = proxy.now.checked_add_signed(moved).unwrap();
        let from = proxy.now;
        let reports = proxy.run(2 * A_MINUTE);
        let gaps = gaps(&reports, from, proxy.now);
        assert_eq!(gaps.len(), 3, "{moved}: {reports:?}");
        assert!(gaps.values().all(|gap| *gap <= A_MINUTE), "{moved}: {gaps:?}");
    }
}

#[test]
fn a_head_is_repeated_alone_without_a_credential_when_the_clock_was_set_back_too() {
    let mut proxy = Proxy::reported(&without_credential(), 2);
    assert!(proxy.board.0.borrow().is_empty(), "nothing is shared");
    for _ in 0..2 {
        let from = proxy.now;
        let reports = proxy.run(2 * A_MINUTE);
        for report in &reports {
            assert_eq!((report.process(), report.heads().len()), (None, 1), "{report:?}");
            assert!(report.repeats());
        }
        assert!(reports.len() <= 6, "{reports:?}");
        let gaps = gaps(&reports, from, proxy.now);
        assert_eq!(gaps.len(), 2);
        assert!(gaps.values().all(|gap| *gap <= A_MINUTE), "{gaps:?}");
        proxy.now -= 3_600_000;
    }
}

#[test]
fn ids_of_chains_commit_to_the_credential_where_there_is_one() {
    let bytes = |chain: &str| u128::from_str_radix(chain, 16).unwrap().to_be_bytes();
    let chain = Proxy::start(&reporting_config(), 1).chain(0);
    assert!(ChainKey::from_credential("proxy-secret").made(&bytes(&chain)), "{chain}");
    assert!(chain.starts_with(&"01".repeat(8)));
    assert!(!ChainKey::from_credential("other-secret").made(&bytes(&chain)));
    let chain = Proxy::start(&without_credential(), 1).chain(0);
    assert_eq!(chain, "01".repeat(16));
}

#[test]
fn all_vms_of_a_process_say_the_same_id_also_those_that_come_later() {
    let mut proxy = Proxy::start(&reporting_config(), 3);
    (0..3).for_each(|vm| drop(proxy.record(vm)));
    let mut reports = proxy.run(500);
    // A VM that is reloaded, and one with another configuration.
    proxy.vms[0] = None;
    let reloaded = proxy.join(&reporting_config(), 7);
    let other = with(reporting_config(), json!({"clock_skew": "3s"}));
    let next = proxy.join(&other, 8);
    for vm in [reloaded, next] {
        proxy.record(vm);
    }
    reports.extend(proxy.run(500));
    assert_eq!(reports.len(), 5);
    let ids: BTreeSet<&str> = reports.iter().map(|report| report.process().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.first().unwrap();
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(id.len() == 32 && id.bytes().all(is_hex), "{id}");
    // Another process has another one.
    let mut another = Proxy::start(&reporting_config(), 0);
    let vm = another.join(&reporting_config(), 9);
    another.record(vm);
    assert_ne!(another.run(500)[0].process().unwrap(), *id);
}

#[test]
fn a_process_id_that_is_taken_away_or_forged_is_put_back() {
    let mut proxy = Proxy::reported(&reporting_config(), 2);
    proxy.record(0);
    let id = proxy.run(4_000).remove(0).process().unwrap().to_owned();
    let key = proxy.board.key("breakglass.process.").unwrap();
    let (ours, _) = proxy.board.read(&key).unwrap();
    let mut changed = ours.clone();
    *changed.last_mut().unwrap() ^= 1;
    for forged in [changed, ours[..40].to_vec(), Vec::new(), vec![0; 48], vec![7; 16]] {
        proxy.board.put(&key, &forged);
        // One that knows it reports first, then the other, and one that comes now.
        proxy.record(0);
        let mut reports = proxy.run(4_500);
        proxy.record(1);
        let late = proxy.join(&reporting_config(), 9);
        proxy.record(late);
        reports.extend(proxy.run(4_500));
        assert!(reports.len() >= 3, "{reports:?}");
        assert!(reports.iter().all(|report| report.process() == Some(&id)), "{reports:?}");
        proxy.vms.pop();
    }
    proxy.board.0.borrow_mut().clear();
    proxy.record(0);
    assert_eq!(proxy.run(4_500)[0].process(), Some(&*id));
}

#[test]
fn two_proxies_on_one_board_do_not_report_each_other() {
    let other_credential = with(
        reporting_config(),
        json!({"revocation": {"on_unavailable": "allow", "credential": {"env": "OTHER_PROXY_TOKEN"}}}),
    );
    let mut other_service = reporting_config();
    other_service["audit"]["heads"]["path"] = json!("/v1/audit/heads?");
    for other in [other_credential, other_service] {
        let mut proxy = Proxy::reported(&reporting_config(), 2);
        let first = proxy.vms[0].as_ref().unwrap().now;
        let mut beside: Vec<Stage> =
            [8, 9].map(|number| Stage::beside(&other, number, &proxy.board)).into();
        let token = Key::new(1).sign(&claims());
        for vm in &mut beside {
            vm.now = first;
            assert_permitted(&vm.request(1, &Request::under(&token)));
            vm.logged(1).unwrap();
        }
        let mut theirs = Vec::new();
        let mut ours = Vec::new();
        for _ in 0..A_MINUTE * 2 / TICK {
            ours.extend(proxy.run(TICK));
            for vm in &mut beside {
                vm.wait_millis(TICK);
                for call in vm.tick().calls {
                    let body: Value = serde_json::from_slice(&call.body).unwrap();
                    theirs.push(body["heads"].as_array().unwrap().len());
                    vm.answer(&call, 200, &json!({}));
                }
            }
        }
        assert!(ours.iter().all(|report| report.chains().len() == 2), "{ours:?}");
        assert_eq!(theirs.iter().filter(|heads| **heads == 1).count(), 2, "each its own");
        assert!(theirs.iter().filter(|heads| **heads == 2).count() >= 2, "{theirs:?}");
    }
}

/// The board's value of heads.
fn heads_key(board: &Shelf) -> Option<String> {
    board.key("breakglass.heads.")
}

#[test]
fn a_board_that_is_garbled_all_the_time_makes_each_vm_repeat_its_head_alone() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    let garbage: [&[u8]; 4] = [b"", b"{}", &[0; 32], &[1; 4000]];
    let mut next = garbage.into_iter().cycle();
    proxy.meddler = Some(Box::new(move |board| {
        if let Some(key) = heads_key(board) {
            board.put(&key, next.next().unwrap());
        }
    }));
    let from = proxy.now;
    let reports = proxy.run(4 * A_MINUTE);
    let gaps = gaps(&reports, from, proxy.now);
    assert_eq!(gaps.len(), 3);
    assert!(gaps.values().all(|gap| *gap <= A_MINUTE + 5_000), "{gaps:?}");
    assert!(reports.len() <= 3 * 5, "{}", reports.len());
    assert!(reports.iter().all(Report::repeats));
}

#[test]
fn no_value_that_another_plugin_can_write_makes_a_head_up() {
    let mut proxy = Proxy::reported(&reporting_config(), 2);
    let chains: BTreeSet<String> = [proxy.chain(0), proxy.chain(1)].into();
    proxy.run(5_000);
    // It knows all old values, and can change them, but for the code.
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut turn = 0_usize;
    proxy.meddler = Some(Box::new(move |board| {
        let Some(key) = heads_key(board) else { return };
        let (value, _) = board.read(&key).unwrap();
        if !seen.contains(&value) && seen.len() < 500 {
            seen.push(value.clone());
        }
        turn += 1;
        let old = seen[turn % seen.len()].clone();
        if turn.is_multiple_of(7) {
            board.put(&key, &old);
        } else if turn.is_multiple_of(11) {
            let mut text = String::from_utf8_lossy(&old[32..]).into_owned();
            text =
                text.replace("\"seq\":2", "\"seq\":9").replace("\"ended\":false", "\"ended\":true");
            board.put(&key, &[&old[..32], text.as_bytes()].concat());
        }
    }));
    let from = proxy.now;
    let reports = proxy.run(4 * A_MINUTE);
    for report in &reports {
        assert!(report.chains().is_subset(&chains), "{report:?}");
        assert!(report.repeats(), "{report:?}");
        assert!(report.heads().iter().all(|head| head["seq"] == 2), "{report:?}");
    }
    let gaps = gaps(&reports, from, proxy.now);
    assert!(gaps.len() == 2 && gaps.values().all(|gap| *gap <= A_MINUTE + 10_000), "{gaps:?}");
}

#[test]
fn a_chain_that_has_ended_says_so_and_then_nothing_more() {
    for config in [reporting_config(), without_credential()] {
        let mut proxy = Proxy::reported(&config, 2);
        let last = proxy.record(0);
        let now = proxy.vm(0).now;
        assert!(!proxy.vm(0).end(), "it has something to say");
        assert!(!proxy.vm(0).worker.is_over(now));
        let reports = proxy.run(200);
        assert_eq!(reports.len(), 1, "{reports:?}");
        let head = &reports[0].heads()[0];
        assert_eq!((&head["chain"], &head["hash"]), (&last["chain"], &last["hash"]));
        assert_eq!((&head["ended"], &head["seq"]), (&json!(true), &json!(2)));
        assert_eq!(head["grants"], json!({"grant-1": 2}));
        let now = proxy.vm(0).now;
        assert!(proxy.vm(0).worker.is_over(now));
        let reports = proxy.run(3 * A_MINUTE);
        let ended = last["chain"].as_str().unwrap();
        assert!(!reports.iter().any(|report| report.chains().contains(ended)), "{reports:?}");
    }
}

#[test]
fn a_chain_that_was_fully_reported_says_that_it_has_ended_too() {
    let mut proxy = Proxy::reported(&reporting_config(), 1);
    proxy.run(10_000);
    assert!(!proxy.vm(0).end());
    let reports = proxy.run(200);
    assert_eq!(reports.len(), 1);
    assert_eq!(
        (&reports[0].heads()[0]["ended"], &reports[0].heads()[0]["seq"]),
        (&json!(true), &json!(1))
    );
}

#[test]
fn a_chain_without_a_record_ends_without_a_word() {
    let mut proxy = Proxy::start(&reporting_config(), 2);
    assert!(proxy.vm(0).end());
    assert!(proxy.run(A_MINUTE).is_empty());
}

#[test]
fn a_worker_that_still_has_a_request_does_not_say_that_its_chain_has_ended() {
    let mut proxy = Proxy::reported(&reporting_config(), 1);
    let token = Key::new(1).sign(&claims());
    assert_permitted(&proxy.vm(0).request(99, &Request::under(&token)));
    assert!(proxy.vm(0).end());
    assert_eq!(proxy.vm(0).logged(99).unwrap()["seq"], 2);
    assert!(proxy.run(10_000).iter().all(|report| report.heads()[0]["ended"] == false));
}

#[test]
fn nothing_is_sealed_after_the_end() {
    let mut proxy = Proxy::reported(&reporting_config(), 1);
    assert!(!proxy.vm(0).end());
    let late = proxy.record(0);
    assert_eq!((&late["seq"], &late["hash"]), (&Value::Null, &Value::Null));
    let reports = proxy.run(A_MINUTE);
    assert!(reports.iter().all(|report| report.heads()[0]["seq"] == 1), "{reports:?}");
}

#[test]
fn an_end_that_does_not_arrive_is_said_again_but_not_for_ever() {
    for config in [reporting_config(), without_credential()] {
        let mut proxy = Proxy::reported(&config, 1);
        proxy.status = 503;
        assert!(!proxy.vm(0).end());
        let reports = proxy.run(10_000);
        assert!((8..=11).contains(&reports.len()), "{reports:?}");
        let now = proxy.vm(0).now;
        assert!(!proxy.vm(0).worker.is_over(now));
        proxy.run(50_000);
        let now = proxy.vm(0).now;
        assert!(proxy.vm(0).worker.is_over(now), "it holds its VM for a minute at most");
        proxy.now -= 3_600_000;
        proxy.run(TICK);
        let now = proxy.vm(0).now;
        assert!(proxy.vm(0).worker.is_over(now), "also by a clock that was set back");
    }
}

#[test]
fn the_end_of_a_chain_whose_vm_is_gone_is_reported_by_another_until_it_arrives() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    let last = proxy.record(1);
    assert!(!proxy.vm(1).end());
    proxy.vms[1] = None;
    proxy.status = 503;
    let failing = proxy.run(15_000);
    let says_it = |report: &&Report| {
        let is_last = |head: &Value| {
            head["chain"] == last["chain"]
                && head["hash"] == last["hash"]
                && head["ended"] == true
                && head["grants"] == json!({"grant-1": 2})
        };
        report.heads().iter().any(is_last)
    };
    assert!(failing.iter().filter(says_it).count() >= 3, "{failing:?}");
    proxy.run(3 * A_MINUTE);
    proxy.status = 200;
    let reports = proxy.run(5_000);
    assert_eq!(reports.iter().filter(says_it).count(), 1, "{reports:?}");
    let reports = proxy.run(3 * A_MINUTE);
    let chain = last["chain"].as_str().unwrap();
    assert!(!reports.iter().any(|report| report.chains().contains(chain)), "{reports:?}");
}

#[test]
fn the_end_that_was_said_is_not_said_again_by_others() {
    let mut proxy = Proxy::reported(&reporting_config(), 3);
    let ended = proxy.chain(1);
    assert!(!proxy.vm(1).end());
    assert_eq!(proxy.run(300).iter().filter(|report| report.chains().contains(&ended)).count(), 1);
    proxy.vms[1] = None;
    let reports = proxy.run(3 * A_MINUTE);
    assert!(!reports.iter().any(|report| report.chains().contains(&ended)), "{reports:?}");
}
