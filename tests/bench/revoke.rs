//! How long after a revocation every worker of two Envoys refuses the grant.
//!
//! For each revocation a probe on every worker sends the grant's token over and over; a worker has
//! learnt when its answer is the refusal, so what is measured includes the pause between two
//! requests and the answer's way back.

use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::{Request, get};
use breakglass_tests::service::Service;

use crate::Verdict;
use crate::following::{self, Otherwise};
use crate::grants::{self, Grant, Person};
use crate::seats::{self, Seat};
use crate::times::Times;

const NODES: [&str; 2] = ["envoy-1", "envoy-2"];
const WORKERS: usize = 4;

/// What the design promises: all workers of all proxies, for 99 of 100 revocations.
const BAR: Duration = Duration::from_millis(100);

/// One revocation: how long after it was sent it was answered, and known to each worker.
pub(crate) struct Revocation {
    pub(crate) answered: Duration,
    pub(crate) known: Vec<Duration>,
    /// The longest that a probe waited for an answer.
    pub(crate) longest: Duration,
}

impl Revocation {
    /// Sends it, and watches every seat.
    pub(crate) fn watch(
        approver: &mut Person<'_>,
        grant: &Grant,
        read: &Request,
        seats: &mut [Seat],
    ) -> Revocation {
        thread::scope(|scope| {
            let probes: Vec<_> =
                seats.iter_mut().map(|seat| scope.spawn(move || seat.learns(read))).collect();
            let sent = Instant::now();
            approver.revokes(grant);
            let answered = sent.elapsed();
            let learnt: Vec<_> = probes.into_iter().map(|probe| probe.join().unwrap()).collect();
            Revocation {
                answered,
                known: learnt.iter().map(|learnt| learnt.at - sent).collect(),
                longest: learnt.iter().map(|learnt| learnt.longest).max().unwrap_or_default(),
            }
        })
    }

    pub(crate) fn known_to_all(&self) -> Duration {
        self.known.iter().copied().max().unwrap_or_default()
    }
}

pub(crate) fn run(count: usize) -> Verdict {
    let service = Service::start();
    let start = |node: &&str| following::start(&service, node, WORKERS, Otherwise::Refuse);
    let envoys: Vec<_> = NODES.iter().map(start).collect();
    let of = |(envoy, node)| seats::of(envoy, node, WORKERS);
    let mut seats: Vec<Seat> = envoys.iter().zip(NODES).flat_map(of).collect();
    let mut approver = Person::at(&service);
    let mut revocations = Vec::new();
    for (index, grant) in grants::make(&service, count).iter().enumerate() {
        let read = get("/v1/orders/17").token(&grant.token);
        for seat in &mut seats {
            seat.allows(&read);
        }
        // Out of step with the ticks of the filter.
        thread::sleep(Duration::from_millis(u64::try_from(index * 37 % 100).unwrap()));
        revocations.push(Revocation::watch(&mut approver, grant, &read, &mut seats));
    }
    report(&seats, &revocations)
}

fn report(seats: &[Seat], revocations: &[Revocation]) -> Verdict {
    println!("{} revocations, {} Envoys, {} workers", revocations.len(), NODES.len(), seats.len());
    let print = |what: &str, of: &dyn Fn(&Revocation) -> Duration| {
        let times: Times = revocations.iter().map(of).collect();
        println!("{what:34} {times}");
        times
    };
    for (index, seat) in seats.iter().enumerate() {
        print(&format!("sent -> {} refuses", seat.name), &|one| one.known[index]);
    }
    print("sent -> answered", &|one| one.answered);
    print("answered -> every worker refuses", &|one| {
        one.known_to_all().saturating_sub(one.answered)
    });
    let all = print("sent -> every worker refuses", &Revocation::known_to_all);
    print("longest wait of a probe's request", &|one| one.longest);
    let bar = format!("p99 of sent -> every worker refuses is at most {BAR:?}");
    Verdict::of(&bar, all.percentile(99) <= BAR)
}
