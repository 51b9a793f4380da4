//! What the filter costs an Envoy that nobody uses: it follows the feed of the real service and reports the heads of
//! its workers, beside the same Envoy without the filter, which has had as many requests.
//!
//! All of them are watched in the same stretches of time, so that what else the machine does is the same for each.
//! `BREAKGLASS_BESIDE` names files with other builds of the filter, by colons, which are measured beside it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::get;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;

use crate::Verdict;
use crate::beside;
use crate::following::{self, Otherwise};
use crate::grants;
use crate::process::Running;
use crate::times::median;

/// How long they are watched in each round.
const TURN: Duration = Duration::from_secs(12);

/// How many rounds there are: a minute has all that is done every minute.
const ROUNDS: usize = 9;

/// How much of one core the filter may add.
const BAR: f64 = 0.002;

/// How many connections bring a request for each worker: nearly every one gets some, and then has a chain whose head
/// is repeated.
const CONNECTIONS: usize = 8;

pub(crate) fn run(workers: usize) -> Verdict {
    let service = Service::start();
    let grants = grants::make(&service, 1);
    let read = get("/v1/orders/17").token(&grants[0].token);
    let start = |node: &str, module: Option<&Path>| {
        following::start_module(&service, node, workers, Otherwise::Refuse, module)
    };
    let plain = start("envoy", None);
    for _ in 0..CONNECTIONS * workers {
        assert_eq!(read.send(plain.address()).status, 200);
    }
    let modules = beside::modules();
    let filtered: Vec<Running> = modules
        .iter()
        .enumerate()
        .map(|(index, module)| {
            let node = format!("envoy-{index}");
            let envoy = start(&node, Some(module));
            until("the grant to be let through", || {
                (read.send(envoy.address()).status == 200).then_some(())
            });
            for _ in 0..CONNECTIONS * workers {
                assert_eq!(read.send(envoy.address()).status, 200);
            }
            envoy
        })
        .collect();
    // What follows a start and a request is over.
    thread::sleep(TURN);

    let mut added = vec![Vec::new(); filtered.len()];
    for _ in 0..ROUNDS {
        let cores = cores(&[&plain].into_iter().chain(&filtered).collect::<Vec<_>>());
        print!("of a core: {:.3} % without", cores[0] * 100.0);
        for (added, with) in added.iter_mut().zip(&cores[1..]) {
            print!(", {:.3} % with", with * 100.0);
            added.push(with - cores[0]);
        }
        println!();
    }
    let mut verdict = Verdict::Measured;
    for (module, mut added) in modules.iter().zip(added) {
        added.sort_by(f64::total_cmp);
        let (least, most) = (added[0], added[added.len() - 1]);
        let median = median(&added);
        println!(
            "{workers} workers, {}: the filter adds {:.3} % of a core ({:.3} to {:.3})",
            module.display(),
            median * 100.0,
            least * 100.0,
            most * 100.0
        );
        if verdict == Verdict::Measured {
            verdict = Verdict::of(&format!("at most {:.1} %", BAR * 100.0), median <= BAR);
        }
    }
    verdict
}

/// What part of a core each of these uses in one turn.
fn cores(envoys: &[&Running]) -> Vec<f64> {
    let cpu = || envoys.iter().map(|envoy| envoy.process().cpu()).collect::<Vec<_>>();
    let (start, before) = (Instant::now(), cpu());
    thread::sleep(TURN);
    let elapsed = start.elapsed().as_secs_f64();
    before
        .iter()
        .zip(cpu())
        .map(|(before, after)| (after - *before).as_secs_f64() / elapsed)
        .collect()
}
