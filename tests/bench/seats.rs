//! One connection on each worker of an Envoy. Which worker takes a connection is the kernel's
//! choice, so connections are opened until each worker, by Envoy's own count, has one.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::{Request, connect, get};
use breakglass_tests::wait::until;

use crate::process::Running;

/// Between two requests of a probe.
const PAUSE: Duration = Duration::from_millis(2);

/// After this a revocation did not arrive.
const LOST: Duration = Duration::from_secs(15);

/// After so many connections each of a few workers has one, or something is wrong.
const ENOUGH: usize = 512;

/// A connection to one worker, which is kept alive.
pub(crate) struct Seat {
    pub(crate) name: String,
    connection: TcpStream,
}

/// How a probe saw a worker learn of a revocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learnt {
    /// When it had the refusal.
    pub(crate) at: Instant,
    /// The longest that any of its requests waited for an answer.
    pub(crate) longest: Duration,
}

impl Seat {
    /// Waits until the worker lets a request through.
    pub(crate) fn allows(&mut self, read: &Request) {
        until("a worker to let a grant through", || {
            (read.send_over(&mut self.connection).status == 200).then_some(())
        });
    }

    /// Sends a request over and over, until its grant is refused as revoked.
    pub(crate) fn learns(&mut self, read: &Request) -> Learnt {
        let start = Instant::now();
        let mut longest = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let answer = read.send_over(&mut self.connection);
            let at = Instant::now();
            longest = longest.max(at - asked);
            match answer.status {
                200 => {}
                401 if answer.json()["reason"] == "revoked" => return Learnt { at, longest },
                _ => panic!("{}: {answer:?}", self.name),
            }
            assert!(at - start < LOST, "{} does not learn of a revocation", self.name);
            thread::sleep(PAUSE);
        }
    }
}

/// One for each worker.
///
/// # Panics
/// When some worker takes no connection.
pub(crate) fn of(envoy: &Running, node: &str, workers: usize) -> Vec<Seat> {
    let mut seats: Vec<Option<TcpStream>> = (0..workers).map(|_| None).collect();
    let mut taken = taken_by(envoy, workers);
    for _ in 0..ENOUGH {
        let mut connection = connect(envoy.address());
        // An answer means that some worker has it.
        let _ = get("/").send_over(&mut connection);
        let now = until("Envoy to count a connection", || {
            let now = taken_by(envoy, workers);
            (now != taken).then_some(now)
        });
        let worker = now.iter().zip(&taken).position(|(now, before)| now > before).unwrap();
        taken = now;
        seats[worker].get_or_insert(connection);
        if seats.iter().all(Option::is_some) {
            let name = |worker| format!("{node} worker {worker}");
            let named = seats.into_iter().flatten().enumerate();
            return named
                .map(|(worker, connection)| Seat { name: name(worker), connection })
                .collect();
        }
    }
    panic!("{ENOUGH} connections, and they are on these workers: {taken:?}");
}

/// How many connections each worker took.
fn taken_by(envoy: &Running, workers: usize) -> Vec<u64> {
    let stats = envoy.stats();
    let of = |worker| stats.ending_with(&format!(".worker_{worker}.downstream_cx_total"));
    (0..workers).map(of).collect()
}
