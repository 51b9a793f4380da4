//! Thousands of proxies that wait for news at one service process, while a hundred revocations a
//! second commit over its interface.
//!
//! The pollers have one thread and the service has what is left of the machine, so that a delivery
//! includes how long its poller waits for that thread: what is printed is an upper bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::service::Service;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::Verdict;
use crate::grants::{self, Grant, Person};
use crate::poller::{Heard, Poller};
use crate::process::Process;
use crate::times::Times;

/// Between two revocations.
const PERIOD: Duration = Duration::from_millis(10);

/// How many there are: ten seconds of them.
const REVOCATIONS: usize = 1_000;

/// How many people revoke at a time: an answer that is late must not make the next one late.
const REVOKERS: usize = 16;

/// How long a proxy waits after news before it asks again: two ticks of the filter.
const FILTERS_PAUSE: Duration = Duration::from_millis(50);

/// A delivery that takes longer is late.
const LATE: Duration = Duration::from_secs(1);

/// After this a revocation did not arrive.
const LOST: Duration = Duration::from_secs(30);

/// A revocation: when it was due, sent and answered.
#[derive(Debug, Clone, Copy)]
struct Sent {
    epoch: u64,
    due: Instant,
    at: Instant,
    answered: Instant,
}

pub(crate) fn run(proxies: usize) -> Verdict {
    raise_file_limit();
    println!("{proxies} proxies, {REVOCATIONS} revocations, one every {PERIOD:?}");
    let storms =
        [("ask again at once", Duration::ZERO), ("ask again as the filter does", FILTERS_PAUSE)];
    storms
        .iter()
        .map(|(what, pause)| storm(proxies, what, *pause))
        .fold(Verdict::Measured, Verdict::and)
}

fn storm(proxies: usize, what: &str, pause: Duration) -> Verdict {
    let service = Service::start();
    let process = Process(service.process_id());
    let grants = grants::make(&service, REVOCATIONS);
    let idle_kib = process.resident_kib();
    let last = u64::try_from(REVOCATIONS).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut polls = JoinSet::new();
    let epochs: Vec<_> = (0..proxies).map(|_| Arc::new(AtomicU64::new(0))).collect();
    for (index, epoch) in epochs.iter().enumerate() {
        let poller = Poller {
            service: service.address(),
            node: format!("envoy-{index}"),
            pause,
            epoch: Arc::clone(epoch),
        };
        polls.spawn_on(poller.poll_until(last), runtime.handle());
    }
    while service.hanging_polls() != u64::try_from(proxies).unwrap() {
        assert!(polls.try_join_next().is_none(), "a poller ended");
        thread::sleep(Duration::from_millis(100));
    }
    let hanging_kib = process.resident_kib();
    let (cpu, start) = (process.cpu(), Instant::now());
    let sent = revoke(&service, &grants);
    let took = start.elapsed();
    let heard = runtime.block_on(async { tokio::time::timeout(LOST, polls.join_all()).await });
    let cpu = (process.cpu() - cpu).as_secs_f64() / start.elapsed().as_secs_f64();

    println!("\nproxies that {what}");
    let behind = epochs.iter().filter(|epoch| epoch.load(Ordering::Relaxed) < last).count();
    let Ok(heard) = heard else {
        return Verdict::of(&format!("{behind} proxies never knew the last revocation"), false);
    };
    let rate = REVOCATIONS as f64 / took.as_secs_f64();
    println!("{:34} {rate:8.1} a second", "revocations answered");
    print(&sent, &heard);
    println!("{:34} {:8.2} cores", "the service's CPU", cpu);
    println!(
        "{:34} {idle_kib} KiB without proxies, {hanging_kib} with all of them waiting, {} at most",
        "the service's resident memory",
        process.peak_kib()
    );
    let wrong = heard.iter().flatten().filter(|one| one.epoch - one.after != one.listed as u64);
    Verdict::of("every proxy was told of every revocation, each once", wrong.count() == 0)
}

/// Revokes them all, each at its time.
fn revoke(service: &Service, grants: &[Grant]) -> Vec<Sent> {
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let some = || {
        let mut person = Person::at(service);
        let mut sent = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(grant) = grants.get(index) else { return sent };
            let due = start + PERIOD * u32::try_from(index).unwrap();
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let at = Instant::now();
            let epoch = person.revokes(grant);
            sent.push(Sent { epoch, due, at, answered: Instant::now() });
        }
    };
    let mut sent: Vec<Sent> = thread::scope(|scope| {
        let people: Vec<_> = (0..REVOKERS).map(|_| scope.spawn(some)).collect();
        people.into_iter().flat_map(|person| person.join().unwrap()).collect()
    });
    sent.sort_unstable_by_key(|sent| sent.epoch);
    sent
}

fn print(sent: &[Sent], heard: &[Vec<Heard>]) {
    let answered: Times = sent.iter().map(|sent| sent.answered - sent.at).collect();
    let waited: Times = sent.iter().map(|sent| sent.at - sent.due).collect();
    // Epochs begin at 1 and have no gaps: nobody else revokes.
    let each = |since: fn(&Sent) -> Instant| -> Times {
        let deliveries = heard.iter().flatten().flat_map(|one| {
            let news = &sent[one.after as usize..one.epoch as usize];
            news.iter().map(move |sent| one.at.saturating_duration_since(since(sent)))
        });
        deliveries.collect()
    };
    let (since_sent, since_answered) = (each(|sent| sent.at), each(|sent| sent.answered));
    println!("{:34} {waited}", "due -> sent");
    println!("{:34} {answered}", "sent -> answered");
    println!("{:34} {since_sent}", "sent -> a proxy has it");
    println!("{:34} {since_answered}", "answered -> a proxy has it");
    println!(
        "{:34} {:8} deliveries took longer than {LATE:?}",
        "late",
        since_answered.longer_than(LATE)
    );
    println!("{:34} {:8}", "answers with news", heard.iter().map(Vec::len).sum::<usize>());
}

/// Each poller is an open file here, as each is one in the service.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}
