//! Reports of heads are bounded in size, whatever a chain has, and a service that takes less gets less.

use std::collections::BTreeMap;

use breakglass_core::audit::Outcome;
use breakglass_core::calls::Call;
use serde_json::{Value, json};

use crate::support::{Key, Request, Stage, assert_permitted, claims, reporting_config, test, with};

/// The most bytes of a report.
const MAX_BYTES: usize = 256 * 1024;

/// A worker with so many grants in its chain, whose names are as long as a name may be.
fn with_grants(count: u32) -> (Stage, BTreeMap<String, u64>) {
    let mut stage = Stage::new(&reporting_config());
    let mut grants = BTreeMap::new();
    for number in 0..count {
        let jti = format!("{number:0>250}");
        let token = Key::new(1).sign(&with(claims(), json!({"jti": jti})));
        assert_permitted(&stage.request(number, &Request::under(&token)));
        stage.worker.logged(number, Outcome::default, stage.now).unwrap();
        grants.insert(jti, 1);
    }
    (stage, grants)
}

fn head(call: &Call) -> Value {
    assert!(call.body.len() < MAX_BYTES, "{}", call.body.len());
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["heads"].as_array().unwrap().len(), 1);
    body["heads"][0].clone()
}

/// Answers reports until there is none at the same instant: the pages.
fn pages(stage: &mut Stage, answer: impl Fn(&Call) -> u16) -> Vec<(u16, Value)> {
    let mut pages = Vec::new();
    loop {
        let calls = stage.tick().calls;
        let [call] = calls.as_slice() else {
            assert!(calls.is_empty(), "one page at a time");
            return pages;
        };
        let status = answer(call);
        pages.push((status, head(call)));
        stage.answer(call, status, &json!({}));
    }
}

/// The grants of the pages that arrived, each in one of them.
fn arrived(pages: &[(u16, Value)]) -> BTreeMap<String, u64> {
    let mut grants = BTreeMap::new();
    for (_, page) in pages.iter().filter(|(status, _)| *status == 200) {
        for (grant, count) in page["grants"].as_object().unwrap() {
            assert_eq!(grants.insert(grant.clone(), count.as_u64().unwrap()), None, "{grant}");
        }
    }
    grants
}

#[test]
fn a_head_with_many_grants_is_reported_in_pages_of_one_head() {
    let (mut stage, grants) = with_grants(2_500);
    let pages = pages(&mut stage, |_| 200);
    assert_eq!(pages.len(), 7);
    assert_eq!(arrived(&pages), grants);
    let same = |page: &Value| with(page.clone(), json!({"grants": {}, "uses": {}}));
    assert!(pages.iter().all(|(_, page)| same(page) == same(&pages[0].1)), "one head");
    assert_eq!(pages[0].1["seq"], 2_500);
    stage.wait_millis(10_000);
    assert!(stage.tick().calls.is_empty(), "all of it is known");
}

#[test]
fn a_report_that_is_too_large_is_halved_counted_and_said_once_a_minute() {
    let (mut stage, grants) = with_grants(1_000);
    let mut warnings = Vec::new();
    let mut counters = BTreeMap::new();
    let mut found = Vec::new();
    loop {
        let tick = stage.tick();
        warnings.extend(tick.warnings);
        for (name, count) in tick.counters {
            *counters.entry(name).or_insert(0) += count;
        }
        let Some(call) = tick.calls.first() else { break };
        let status = if call.body.len() > 50_000 { 413 } else { 200 };
        found.push((status, head(call)));
        stage.answer(call, status, &json!({}));
    }
    assert_eq!(arrived(&found), grants);
    let refused = found.iter().filter(|(status, _)| *status == 413).count();
    assert_eq!(refused, 3, "254 KiB, 127 KiB, 63 KiB");
    assert_eq!(counters["breakglass.heads.result.too_large"], 3);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("413"), "{warnings:?}");
    // It stays at what is taken.
    stage.wait_millis(60_000);
    assert_eq!(stage.tick().warnings, Vec::<String>::new());
}

#[test]
fn where_nothing_is_taken_it_is_tried_again_and_nothing_counts_as_known() {
    let (mut stage, grants) = with_grants(20);
    let refused = pages(&mut stage, |_| 413);
    assert_eq!(refused.len(), 8, "down to a kibibyte");
    stage.wait_millis(999);
    assert!(stage.tick().calls.is_empty());
    stage.wait_millis(1);
    let taken = pages(&mut stage, |_| 200);
    assert!(taken.len() > 3, "{}", taken.len());
    assert_eq!(arrived(&taken), grants);
}

#[test]
fn a_page_that_is_lost_sends_the_whole_head_again() {
    let (mut stage, grants) = with_grants(1_500);
    let first = stage.call();
    stage.answer(&first, 200, &json!({}));
    let second = stage.call();
    stage.fail(&second);
    stage.wait_millis(1_000);
    let again = pages(&mut stage, |_| 200);
    assert_eq!(arrived(&again), grants);
}

/// A record is written while the pages of the head before it are on their way.
#[test]
fn what_is_recorded_between_two_pages_is_reported_after_them() {
    let (mut stage, grants) = with_grants(1_500);
    let first = stage.call();
    let token = Key::new(1).sign(&with(claims(), json!({"jti": "new"})));
    assert_permitted(&stage.request(9_999, &Request::under(&token)));
    stage.worker.logged(9_999, Outcome::default, stage.now).unwrap();
    stage.answer(&first, 200, &json!({}));
    let rest = pages(&mut stage, |_| 200);
    assert!(rest.iter().all(|(_, page)| page["seq"] == 1_500));
    let all = [vec![(200, head(&first))], rest].concat();
    assert_eq!(arrived(&all), grants);
    stage.wait_millis(4_000);
    let last = head(&stage.call());
    assert_eq!((&last["seq"], &last["grants"]), (&json!(1_501), &json!({"new": 1})));
}
