//! What the filter costs: CPU per request as ratios, in one interleaved run, and memory.
//!
//! Every variant is an Envoy of its own with one worker and a direct response, so that what differs
//! is the filters. They are loaded in turn, round after round, because the machine's speed drifts;
//! CPU time is that of the whole Envoy process, from the kernel's own account. What a variant adds
//! is what it costs over the Envoy without any filter in the same round. Other builds of the filter, which
//! `BREAKGLASS_BESIDE` names, take part in the same rounds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_tests::approvals::{FakeApprovals, INTROSPECTION, Reply};
use breakglass_tests::artefacts;
use breakglass_tests::keys::Key;

use serde_json::json;

use crate::Verdict;
use crate::beside;
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
    let modules = beside::modules();
    let start = |(variant, module): (Variant, usize), workers| {
        let bootstrap = variant.bootstrap(&modules[module], &key, approvals.address());
        Running::start(&bootstrap, workers)
    };
    let subjects = subjects(modules.len());
    let running: Vec<(Running, Vec<u8>)> =
        subjects.iter().map(|subject| (start(*subject, 1), subject.0.request(&key))).collect();
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
    let costs: BTreeMap<(Variant, usize), Vec<f64>> = subjects.into_iter().zip(costs).collect();
    let native = added(&costs, (Variant::Native, 0));
    for (subject @ (variant, module), costs_of) in &costs {
        let mut sorted = costs_of.clone();
        sorted.sort_by(f64::total_cmp);
        let added = added(&costs, *subject);
        println!(
            "{:34} {:8.1} {:8.1} {:8.1}   {:8.1} {:8.2}{}",
            if *module == 0 { variant.name() } else { "" },
            sorted[0],
            median(&sorted),
            sorted[sorted.len() - 1],
            added,
            added / native,
            beside_the_first(&costs, *subject, &modules),
        );
    }
    println!("ratio: what is added, over what jwt_authn + rbac add");
    println!("bodies: none of the request, 1 KiB of the response");
    for variant in [Variant::Untouched, Variant::Escaped, Variant::Odd, Variant::Worst] {
        let judged = added(&costs, (variant, 0)) - added(&costs, (Variant::Unruled, 0));
        println!("{}: {judged:.1} us more than without rules", variant.name());
    }
    println!("calls to the approval service by the cached token: {asked_since}");
    drop(running);

    println!("\nmemory, resident");
    for variant in [Variant::Plain, Variant::Cached] {
        let resident = |workers| {
            let running = start((variant, 0), workers);
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

/// What is measured: each variant, and those with the filter with each of so many builds of it.
fn subjects(modules: usize) -> Vec<(Variant, usize)> {
    let of = |variant: Variant| {
        let builds = if variant.has_filter() { modules } else { 1 };
        (0..builds).map(move |module| (variant, module))
    };
    Variant::ALL.into_iter().flat_map(of).collect()
}

/// The median over the rounds of what a variant costs over the Envoy without filters.
fn added(costs: &BTreeMap<(Variant, usize), Vec<f64>>, subject: (Variant, usize)) -> f64 {
    over(&costs[&subject], &costs[&(Variant::Plain, 0)])
}

/// The median over the rounds of what one costs over another one.
fn over(costs: &[f64], others: &[f64]) -> f64 {
    let mut over: Vec<f64> = costs.iter().zip(others).map(|(cost, other)| cost - other).collect();
    over.sort_by(f64::total_cmp);
    median(&over)
}

/// For another build: what this one costs over it, round by round, and which one it is.
fn beside_the_first(
    costs: &BTreeMap<(Variant, usize), Vec<f64>>,
    subject: (Variant, usize),
    modules: &[PathBuf],
) -> String {
    let (variant, module) = subject;
    if module == 0 {
        return String::new();
    }
    let over = over(&costs[&(variant, 0)], &costs[&subject]);
    format!("   with {}: {over:+.1} us in this one", modules[module].display())
}
