//! The refusing side against a slow, obvious oracle, and against ordinary paths.

#![expect(clippy::arithmetic_side_effects, clippy::string_slice, reason = "test code")]

mod decisions;
mod oracle;
mod ordinary;
mod spelling;

use breakglass_core::policy::{PathTemplate, Readings};

use crate::random::Random;
use crate::support::test;

/// How many paths are made; `READINGS_PATHS` in the environment asks for another number, and
/// `READINGS_SEED` for other ones.
const PATHS: usize = if cfg!(target_arch = "wasm32") { 2_000 } else { 200_000 };

/// A number from the environment.
fn setting(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

fn random() -> Random {
    let seed = setting("READINGS_SEED").unwrap_or(0x5bd1_e995);
    Random::new(0x9e37_79b9_7f4a_7c15 ^ u64::try_from(seed).unwrap())
}

const RULES: [&str; 10] = [
    "/admin/**",
    "/admin/{id}",
    "/admin/users",
    "/v1/{a}/keys",
    "/@me/{id}",
    "/hidden/**",
    "/a%20b/{x}",
    "/caf%C3%A9/**",
    "/v1/x:run",
    "/_x/y.z",
];

/// What came of some paths.
#[derive(Default)]
struct Tally {
    refused: usize,
    anything: usize,
    asked: usize,
    failed: Vec<String>,
}

/// Holds `number` paths against the oracle: what no rule refuses, no server may take for what is ruled.
fn hold(number: usize, mut random: Random) -> Tally {
    let rules: Vec<_> = RULES.iter().map(|rule| PathTemplate::parse(rule).unwrap()).collect();
    let mut tally = Tally::default();
    for _ in 0..number {
        let index = random.below(RULES.len());
        let path = spelling::of(RULES[index], &mut random);
        let readings = Readings::of(path.as_bytes());
        tally.anything += usize::from(readings.is_anything());
        if rules[index].refuses(&readings) {
            tally.refused += 1;
            continue;
        }
        tally.asked += 1;
        if let Some(steps) = oracle::covers(RULES[index], &path) {
            let steps = steps.join(", ");
            tally.failed.push(format!("{path:?} slips past {}: {steps}", RULES[index]));
        }
    }
    tally
}

/// The same on every core.
#[cfg(not(target_arch = "wasm32"))]
fn hold_all(number: usize, mut random: Random) -> Vec<Tally> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let share = number.div_ceil(cores);
        let threads: Vec<_> = (0..cores)
            .map(|_| {
                let random = random.fork();
                scope.spawn(move || hold(share, random))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[cfg(target_arch = "wasm32")]
fn hold_all(number: usize, random: Random) -> Vec<Tally> {
    vec![hold(number, random)]
}

#[test]
fn no_spelling_that_a_server_could_resolve_slips_past_a_rule() {
    let number = setting("READINGS_PATHS").unwrap_or(PATHS);
    let tallies = hold_all(number, random());
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum::<usize>();
    let (refused, anything) = (sum(|tally| tally.refused), sum(|tally| tally.anything));
    let asked = sum(|tally| tally.asked);
    println!(
        "{number} paths: {refused} refused ({anything} as anything), {asked} put to the oracle"
    );
    let failed: Vec<_> = tallies.iter().flat_map(|tally| &tally.failed).collect();
    assert!(
        failed.is_empty(),
        "{} of {number}: {:#?}",
        failed.len(),
        &failed[..failed.len().min(20)]
    );
    assert!(asked > number / 20, "{asked} of {number} paths are put to the oracle");
    assert!(anything < number / 100, "{anything} of {number} paths count as every path");
}
