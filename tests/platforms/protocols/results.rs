//! What came of the cases of a suite, and the comparison of three runs.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread;

use super::gates::Variant;

/// What came of each case, by its name.
pub(super) type Results = BTreeMap<String, String>;

/// Runs a suite at each kind of gate, at all of them at once, and compares what came of each case, but for `races`: cases that may
/// end in one of several ways at the same gate.
pub(super) fn assert_all_equal(
    suite: &str,
    cases: usize,
    races: &[(&str, &str)],
    run: impl Fn(Variant) -> Results + Sync,
) {
    let run = &run;
    // Most of a suite is waiting.
    let [bare, others @ ..] = thread::scope(|scope| {
        let arms = Variant::ALL.map(|variant| scope.spawn(move || run(variant)));
        arms.map(|arm| arm.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    assert!(bare.len() >= cases, "{suite}: {} cases ran, of {cases}: {bare:#?}", bare.len());
    println!("{suite}: {:?}: {}", Variant::Bare, counts(&bare));
    for (variant, other) in Variant::ALL.into_iter().skip(1).zip(others) {
        println!("{suite}: {variant:?}: {}", counts(&other));
        let names = bare.keys().chain(other.keys());
        let different: BTreeMap<_, _> = names
            .filter(|name| bare.get(*name) != other.get(*name))
            .filter(|name| !races.iter().any(|(race, _)| race == name))
            .map(|name| (name, (bare.get(name), other.get(name))))
            .collect();
        assert!(
            different.is_empty(),
            "{suite}: without the filter, and {variant:?}: {different:#?}"
        );
    }
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
