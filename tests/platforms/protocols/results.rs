//! What came of the cases of a suite, and the comparison of three runs.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::thread;

use super::gates::Variant;

/// What came of each case, by its name.
pub(super) type Results = BTreeMap<String, String>;

/// What is known of a suite. That the same came everywhere says nothing where everything was late, or failed: so many
/// cases ran, and passed without the filter.
pub(super) struct Suite {
    pub(super) name: &'static str,
    /// How many cases there are at least.
    pub(super) cases: usize,
    /// How many of them pass at least.
    pub(super) passes: usize,
    /// How the result of one that passed begins.
    pub(super) passed: &'static str,
}

/// Runs a suite at each kind of gate, and compares what came of each case. `run` runs all of it, or one case by its
/// name. A case of which not the same came everywhere is run once more by itself, and what comes then counts: a busy
/// machine may only have been late at one of the gates.
pub(super) fn assert_all_equal(
    suite: &Suite,
    run: impl Fn(Variant, Option<&str>) -> Results + Sync,
) {
    let mut came = at_all_gates(|variant| run(variant, None));
    for name in different(&came) {
        println!("{}: once more: {name}", suite.name);
        let again = at_all_gates(|variant| run(variant, Some(&name)));
        for (came, mut again) in came.iter_mut().zip(again) {
            let result = again.remove(&name);
            assert!(again.is_empty(), "{}: asked for {name}, it ran {again:?} too", suite.name);
            came.extend(result.map(|result| (name.clone(), result)));
        }
    }
    assert_equal(suite, &came);
}

/// What a suite gives at each kind of gate, of which all run at once: most of a suite is waiting.
fn at_all_gates(run: impl Fn(Variant) -> Results + Sync) -> [Results; 3] {
    let run = &run;
    thread::scope(|scope| {
        let arms = Variant::ALL.map(|variant| scope.spawn(move || run(variant)));
        arms.map(|arm| arm.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// The cases of which not the same came everywhere.
fn different(came: &[Results; 3]) -> BTreeSet<String> {
    let [bare, ..] = came;
    let names = came.iter().flat_map(BTreeMap::keys);
    names.filter(|name| came.iter().any(|arm| arm.get(*name) != bare.get(*name))).cloned().collect()
}

/// Checks that the same came of each case everywhere, and that enough of them ran and passed.
fn assert_equal(suite: &Suite, came: &[Results; 3]) {
    let [bare, ..] = came;
    let Suite { name: suite, cases, passes, passed } = suite;
    assert!(bare.len() >= *cases, "{suite}: {} cases ran, of {cases}: {bare:#?}", bare.len());
    let passing = bare.values().filter(|result| result.starts_with(passed)).count();
    assert!(passing >= *passes, "{suite}: {passing} cases passed, of {passes}: {bare:#?}");
    for (variant, arm) in Variant::ALL.iter().zip(came) {
        println!("{suite}: {variant:?}: {}", counts(arm));
    }
    let different = different(came);
    let different = different.iter().map(|name| (name, came.each_ref().map(|arm| arm.get(name))));
    let different: BTreeMap<_, _> = different.collect();
    assert!(different.is_empty(), "{suite}: at {:?}: {different:#?}", Variant::ALL);
}

/// How many cases came out how.
fn counts(results: &Results) -> String {
    let mut counts = BTreeMap::<&str, u32>::new();
    for result in results.values() {
        let count = counts.entry(result).or_default();
        *count = count.saturating_add(1);
    }
    format!("{} cases: {counts:?}", results.len())
}

/// A suite of two cases.
#[cfg(test)]
const TWO: Suite = Suite { name: "two", cases: 2, passes: 2, passed: "passed" };

/// Runs a suite of two cases of which the second comes out so at the gate without a token: at first, and once more.
#[cfg(test)]
fn of_two(first: &'static str, again: &'static str) {
    let came = |name: &str, result: &str| (name.to_owned(), result.to_owned());
    assert_all_equal(&TWO, |variant, only| {
        let second = match (variant, only) {
            (Variant::Filtered, None) => first,
            (Variant::Filtered, Some(_)) => again,
            _ => "passed",
        };
        match only {
            None => Results::from([came("a", "passed"), came("b", second)]),
            Some(name) => Results::from([came(name, second)]),
        }
    });
}

#[test]
fn a_case_that_came_out_otherwise_once_is_run_once_more() {
    of_two("late", "passed");
}

#[test]
#[should_panic(expected = "two: at [Bare, Filtered, Permitted]")]
fn a_case_that_comes_out_otherwise_twice_is_a_difference() {
    of_two("late", "late");
}
