//! Under load, with the feed healthy, nobody calls the approval service about a request.

use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::{connect, get};
use breakglass_tests::service::Service;
use breakglass_tests::wait::until;

use crate::Verdict;
use crate::following::{self, Otherwise};
use crate::grants;
use crate::process::Process;

/// How long the load lasts.
const TIME: Duration = Duration::from_secs(10);

/// How many connections it has, each with one request under way.
const CONNECTIONS: usize = 8;

/// How many workers the proxy has.
const WORKERS: usize = 2;

/// How many grants the load uses in turn.
const GRANTS: usize = 50;

pub(crate) fn run(wanted: usize) -> Verdict {
    let service = Service::start();
    let grants = grants::make(&service, GRANTS);
    let envoy = following::start(&service, "envoy-1", WORKERS, Otherwise::Introspect);
    for grant in &grants {
        let read = get("/v1/orders/17").token(&grant.token);
        for _ in 0..WORKERS * 8 {
            until("the grant to be let through", || {
                (read.send(envoy.address()).status == 200).then_some(())
            });
        }
    }
    let requests: Vec<_> =
        grants.iter().map(|grant| get("/v1/orders/17").token(&grant.token)).collect();

    let (before, cpu) = (service.answered(), Process(service.process_id()).cpu());
    let start = Instant::now();
    let load = |first: usize| {
        let mut connection = connect(envoy.address());
        let mut sent = 0;
        loop {
            // Connection by connection, the requests are spread evenly.
            let turn = sent * CONNECTIONS + first;
            let due = Duration::from_secs_f64(turn as f64 / wanted as f64);
            if due >= TIME {
                return sent;
            }
            thread::sleep(due.saturating_sub(start.elapsed()));
            let answer = requests[(first + sent) % GRANTS].send_over(&mut connection);
            assert_eq!(answer.status, 200, "{answer:?}");
            sent += 1;
        }
    };
    let load = &load;
    let sent: usize = thread::scope(|scope| {
        let loads: Vec<_> =
            (0..CONNECTIONS).map(|first| scope.spawn(move || load(first))).collect();
        loads.into_iter().map(|load| load.join().unwrap()).sum()
    });
    let took = start.elapsed().as_secs_f64();
    let cpu = Process(service.process_id()).cpu() - cpu;
    let after = service.answered();

    let rate = sent as f64 / took;
    println!("{sent} requests under {GRANTS} grants in {took:.1} s: {rate:.0} a second");
    println!("the service used {cpu:.1?} of CPU, and answered in that time:");
    let mut others = 0;
    for (endpoint, count) in &after {
        let count = count - before.get(endpoint).copied().unwrap_or(0);
        println!("{endpoint:34} {count:8}");
        // Asking for `/metrics` is how this is counted.
        if !["/v1/revocations", "/metrics"].contains(&endpoint.as_str()) {
            others += count;
        }
    }
    let asked = service.introspections();
    println!("introspections since the service started: {asked}");
    // Its last requests may be a little late.
    let fast = rate >= wanted as f64 * 0.99;
    Verdict::of(&format!("the load was {wanted} requests a second"), fast)
        .and(Verdict::of("no call but polls of the feed", others == 0))
}
