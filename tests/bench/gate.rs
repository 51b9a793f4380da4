//! What the filter costs: CPU per request as ratios, in one interleaved run, and memory.
//!
//! Every variant is an Envoy of its own with one worker and a direct response, so that what differs
//! is the filters. They are loaded in turn, round after round, because the machine's speed drifts;
//! CPU time is that of the whole Envoy process, from the kernel's own account. What a variant adds
//! is what it costs over the Envoy without any filter in the same round.

use std::time::Duration;

use breakglass_tests::approvals::{FakeApprovals, INTROSPECTION, Reply};
use breakglass_tests::artefacts;
use breakglass_tests::keys::Key;

use serde_json::json;

use crate::Verdict;
use crate::load;
use crate::process::Running;
use crate::times::median;
use crate::variants::Variant;

/// How long each variant is loaded in each round.
const TURN: Duration = Duration::from_secs(2);

pub(crate) fn run(rounds: usize) -> Verdict {
    let key = Key::es256("bench");
    let size = std::fs::metadata(artefacts::filter()).unwrap().len();
    println!("module {} KiB, {rounds} rounds", size / 1024);

    let approvals = FakeApprovals::start();
    approvals.reply(INTROSPECTION, Reply::json(&json!({"active": true})));
    let start = |variant: Variant, workers| {
        Running::start(&variant.bootstrap(&key, approvals.address()), workers)
    };
    let running: Vec<(Running, Vec<u8>)> =
        Variant::ALL.iter().map(|variant| (start(*variant, 1), variant.request(&key))).collect();
    // Once each, so that tokens, keys and verdicts are known and code is compiled.
    for (running, request) in &running {
        load::run(running.address(), request, Duration::from_millis(500));
    }
    let asked = approvals.calls(INTROSPECTION).len();
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); running.len()];
    for _ in 0..rounds {
        for ((running, request), costs) in running.iter().zip(&mut costs) {
            costs.push(load::cost(running, request, TURN));
        }
    }
    let asked_since = approvals.calls(INTROSPECTION).len() - asked;

    println!(
        "\n{:34} {:>8} {:>8} {:>8}   {:>8} {:>8}",
        "CPU us per request", "min", "median", "max", "added", "ratio"
    );
    let native = added(&costs, Variant::Native);
    for (variant, costs_of) in Variant::ALL.iter().zip(&costs) {
        let mut sorted = costs_of.clone();
        sorted.sort_by(f64::total_cmp);
        let added = added(&costs, *variant);
        println!(
            "{:34} {:8.1} {:8.1} {:8.1}   {:8.1} {:8.2}",
            variant.name(),
            sorted[0],
            median(&sorted),
            sorted[sorted.len() - 1],
            added,
            added / native,
        );
    }
    println!("ratio: what is added, over what jwt_authn + rbac add");
    println!("bodies: none of the request, 1 KiB of the response");
    for variant in [Variant::Untouched, Variant::Escaped, Variant::Odd, Variant::Worst] {
        let judged = added(&costs, variant) - added(&costs, Variant::Unruled);
        println!("{}: {judged:.1} us more than without rules", variant.name());
    }
    println!("calls to the approval service by the cached token: {asked_since}");
    drop(running);

    println!("\nmemory, resident");
    for variant in [Variant::Plain, Variant::Cached] {
        let resident = |workers| {
            let running = start(variant, workers);
            load::run(running.address(), &variant.request(&key), Duration::from_millis(500));
            running.process().resident_kib()
        };
        let (one, five) = (resident(1), resident(5));
        println!(
            "{:34} {:6} KiB with 1 worker, {:6} KiB with 5: {:5} KiB a worker",
            variant.name(),
            one,
            five,
            five.saturating_sub(one) / 4,
        );
    }
    Verdict::Measured
}

/// The median over the rounds of what a variant costs over the Envoy without filters.
fn added(costs: &[Vec<f64>], variant: Variant) -> f64 {
    let index = |wanted| Variant::ALL.iter().position(|variant| *variant == wanted).unwrap();
    let pairs = costs[index(variant)].iter().zip(&costs[index(Variant::Plain)]);
    let mut added: Vec<f64> = pairs.map(|(cost, plain)| cost - plain).collect();
    added.sort_by(f64::total_cmp);
    median(&added)
}
