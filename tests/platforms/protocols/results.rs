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

/// Runs a suite at each kind of gate, and compares what came of each case.
pub(super) fn assert_all_equal(suite: &Suite, run: impl Fn(Variant) -> Results + Sync) {
    assert_equal(suite, &at_all_gates(run));
}

/// What a suite gives at each kind of gate, of which all run at once: most of a suite is waiting.
pub(super) fn at_all_gates(run: impl Fn(Variant) -> Results + Sync) -> [Results; 3] {
    let run = &run;
    thread::scope(|scope| {
        let arms = Variant::ALL.map(|variant| scope.spawn(move || run(variant)));
        arms.map(|arm| arm.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// The cases of which not the same came everywhere.
pub(super) fn different(came: &[Results; 3]) -> BTreeSet<String> {
    let [bare, ..] = came;
    let names = came.iter().flat_map(BTreeMap::keys);
    names.filter(|name| came.iter().any(|arm| arm.get(*name) != bare.get(*name))).cloned().collect()
}

/// Checks that the same came of each case everywhere, and that enough of them ran and passed.
pub(super) fn assert_equal(suite: &Suite, came: &[Results; 3]) {
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
