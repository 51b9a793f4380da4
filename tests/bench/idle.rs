//! What the filter costs an Envoy that nobody uses: it follows the feed of the real service and reports its
//! heads, beside the same Envoy without the filter, in turn.

use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::get;
use breakglass_tests::keys::Key;
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;

use crate::Verdict;
use crate::following::{self, Otherwise};
use crate::grants;
use crate::process::Running;
use crate::times::median;
use crate::variants::Variant;

/// How long each is watched in each round.
const TURN: Duration = Duration::from_secs(10);

/// How many rounds there are.
const ROUNDS: usize = 3;

/// How much of one core the filter may add.
const BAR: f64 = 0.002;

pub(crate) fn run(workers: usize) -> Verdict {
    let service = Service::start();
    let grants = grants::make(&service, 1);
    let [plain, with] = [false, true].map(|filtered| start(&service, workers, filtered));
    // Once, so that a worker has a chain whose head is repeated.
    let read = get("/v1/orders/17").token(&grants[0].token);
    until("the grant to be let through", || {
        (read.send(with.address()).status == 200).then_some(())
    });
    // What follows a start and a request is over.
    thread::sleep(TURN);

    let added: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let [without, with] = [&plain, &with].map(cores);
            println!("of a core: {:.3} % without, {:.3} % with", without * 100.0, with * 100.0);
            with - without
        })
        .collect();
    let mut sorted = added;
    sorted.sort_by(f64::total_cmp);
    let added = median(&sorted);
    println!("{workers} workers: the filter adds {:.3} % of a core", added * 100.0);
    Verdict::of(&format!("at most {:.1} %", BAR * 100.0), added <= BAR)
}

/// What part of a core an Envoy uses in one turn.
fn cores(envoy: &Running) -> f64 {
    let (start, cpu) = (Instant::now(), envoy.process().cpu());
    thread::sleep(TURN);
    (envoy.process().cpu() - cpu).as_secs_f64() / start.elapsed().as_secs_f64()
}

fn start(service: &Service, workers: usize, filtered: bool) -> Running {
    if filtered {
        following::start(service, "envoy-1", workers, Otherwise::Refuse)
    } else {
        let nowhere = service.address();
        Running::start(&Variant::Plain.bootstrap(&Key::es256("bench"), nowhere), workers)
    }
}
