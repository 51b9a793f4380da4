//! What many unexpired revocations cost a proxy, beside ten: memory, time to know them all, CPU per
//! request.

use std::time::{Duration, Instant};

use breakglass_tests::client::{Request, get};
use breakglass_tests::service::Service;
use breakglass_tests::wait::{timed, until};

use crate::Verdict;
use crate::following::{self, Otherwise};
use crate::grants::{self, Person};
use crate::load;
use crate::process::Running;
use crate::revoke::Revocation;
use crate::scratch;
use crate::seats;
use crate::times::{Times, median};

/// What many are compared with.
const FEW: usize = 10;

/// How many workers the larger proxies have.
const WORKERS: usize = 4;

/// How often everything is read anew.
const RESETS: usize = 5;

/// How often each proxy is loaded, and for how long.
const ROUNDS: usize = 9;
const TURN: Duration = Duration::from_secs(2);

/// What counts as no difference in CPU: beside it stands how much two equal proxies differ.
const BAR: f64 = 1.05;

/// A service with revocations, and a request under a grant that is not revoked.
struct Side {
    count: usize,
    service: Service,
    read: Request,
}

impl Side {
    fn start(count: usize) -> Side {
        let service = Service::start();
        scratch::write_grants(&service, count);
        let (revoked, took) = timed(|| Person::at(&service).revokes_all());
        assert_eq!(usize::try_from(revoked).unwrap(), count);
        println!("{count:7} grants revoked by one call of the kill switch {took:10.1?}");
        let read = get("/v1/orders/17").token(&grants::make(&service, 1)[0].token);
        Side { count, service, read }
    }

    /// A proxy that lets the request through by what it knows of the feed, and how long after its
    /// start it first did.
    fn proxy(&self, workers: usize) -> (Running, Duration) {
        let start = Instant::now();
        let envoy = following::start(&self.service, "envoy-1", workers, Otherwise::Refuse);
        until("a request to be decided by the feed", || {
            (self.read.send(envoy.address()).status == 200).then_some(())
        });
        (envoy, start.elapsed())
    }
}

pub(crate) fn run(many: usize) -> Verdict {
    let sides = [Side::start(FEW), Side::start(many)];
    println!("\nfrom an Envoy's start to the first request that the feed decided; resident memory");
    let [few, many] = sides.each_ref().map(per_worker_kib);
    println!("memory per worker: {few} KiB with few, {many} KiB with many");
    println!(
        "\na grant is revoked while everything is read anew ({RESETS} times, {WORKERS} workers)"
    );
    for side in &sides {
        reset(side);
    }
    println!("\nCPU per request over that with {FEW} revocations ({ROUNDS} rounds)");
    cpu(&sides)
}

/// What a worker more takes.
fn per_worker_kib(side: &Side) -> u64 {
    let [one, more] = [1, WORKERS].map(|workers| {
        let (envoy, took) = side.proxy(workers);
        // Each worker knows the feed when it lets the request through.
        for mut seat in seats::of(&envoy, "envoy-1", workers) {
            seat.allows(&side.read);
        }
        let (resident, peak) = (envoy.process().resident_kib(), envoy.process().peak_kib());
        let count = side.count;
        println!("{count:7} revocations, {workers} workers {took:10.0?} {resident:8} KiB, {peak} KiB at most");
        resident
    });
    more.saturating_sub(one) / (WORKERS as u64 - 1)
}

fn reset(side: &Side) {
    let (envoy, _) = side.proxy(WORKERS);
    let mut seats = seats::of(&envoy, "envoy-1", WORKERS);
    let mut approver = Person::at(&side.service);
    let mut watch = |first: fn(&Service)| -> Revocation {
        let grant = grants::make(&side.service, 1).remove(0);
        let read = get("/v1/orders/17").token(&grant.token);
        for seat in &mut seats {
            seat.allows(&read);
        }
        first(&side.service);
        Revocation::watch(&mut approver, &grant, &read, &mut seats)
    };
    let mut print = |what: &str, first: fn(&Service)| {
        let revocations: Vec<_> = (0..RESETS).map(|_| watch(first)).collect();
        let known: Times = revocations.iter().map(Revocation::known_to_all).collect();
        let longest: Times = revocations.iter().map(|one| one.longest).collect();
        println!("{:7} revocations, {what}: every worker refuses {known}", side.count);
        println!("{:7} {:21} longest wait of a request {longest}", "", "");
    };
    print("no reset", |_| ());
    print("a reset ", scratch::reset);
}

fn cpu([few, many]: &[Side; 2]) -> Verdict {
    let envoys = [few, few, many].map(|side| (side.proxy(1).0, side.read.bytes()));
    for (envoy, request) in &envoys {
        load::run(envoy.address(), request, Duration::from_millis(500));
    }
    let (mut again, mut with_many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let costs = envoys.each_ref().map(|(envoy, request)| load::cost(envoy, request, TURN));
        again.push(costs[1] / costs[0]);
        with_many.push(costs[2] / costs[0]);
    }
    let print = |what: String, ratios: &mut Vec<f64>| {
        ratios.sort_by(f64::total_cmp);
        let (middle, max) = (median(ratios), ratios[ratios.len() - 1]);
        println!("{what:34} {:6.3} at least, {middle:6.3} median, {max:6.3} at most", ratios[0]);
        middle
    };
    print(format!("{} again: what noise is", few.count), &mut again);
    let ratio = print(format!("{} revocations", many.count), &mut with_many);
    Verdict::of(&format!("the median is at most {BAR}"), ratio <= BAR)
}
