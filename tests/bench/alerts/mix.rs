//! Traffic of four kinds in equal parts: legitimate, forged, under unknown keys, out of scope.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use breakglass_tests::client::{Request, connect, get};
use breakglass_tests::keys::Key;
use breakglass_tests::tokens::Mint;

use crate::grants::Grant;

/// How many connections each kind has: one that waits holds up no other kind.
const CONNECTIONS: usize = 3;

/// How many requests of a kind are told apart.
const VARIETY: usize = 64;

/// One kind: what is sent in turn, and the status that each is answered with.
struct Kind {
    requests: Vec<Request>,
    status: u16,
}

/// The traffic: legitimate requests, and what their alerts are called.
pub(super) struct Mix([Kind; 4]);

/// The kinds of the alerts that [`Mix`] causes, in its order after what is legitimate.
pub(super) const ALERTS: [&str; 3] = ["signature_failures", "unknown_keys", "out_of_scope"];

/// What came of some traffic.
pub(super) struct Sent {
    /// How many of each alert's kind were sent.
    pub(super) violations: [u64; 3],
    /// All requests.
    pub(super) requests: u64,
    /// How long each legitimate one took, from when it was due, in no order.
    pub(super) legitimate: Vec<Duration>,
    /// Requests a second.
    pub(super) rate: f64,
}

impl Mix {
    /// One under these grants.
    pub(super) fn under(grants: &[Grant]) -> Mix {
        let kind = |status, requests: Vec<Request>| Kind { requests, status };
        let each = |path: &str| grants.iter().map(|grant| get(path).token(&grant.token)).collect();
        let unknown = Key::es256("nobody-knows-it");
        let stranger = |_| get("/v1/orders/17").token(Mint::new(&unknown).sign());
        let forged = |turn: usize| {
            get("/v1/orders/17").token(forged(&grants[turn % grants.len()].token, turn))
        };
        Mix([
            kind(200, each("/v1/orders/17")),
            kind(401, (0..VARIETY).map(forged).collect()),
            kind(401, (0..VARIETY).map(stranger).collect()),
            kind(403, each("/v1/invoices")),
        ])
    }

    /// Whether a proxy is ready for the traffic.
    pub(super) fn is_let_through(&self, proxy: SocketAddr) -> bool {
        self.0[0].requests.iter().all(|request| request.send(proxy).status == 200)
    }

    /// Sends as much as is answered, for so long.
    pub(super) fn as_fast_as_possible(&self, to: SocketAddr, time: Duration) -> Sent {
        let start = Instant::now();
        let work = || {
            let mut connection = connect(to);
            let mut turns = 0;
            while start.elapsed() < time {
                for kind in &self.0 {
                    kind.send(turns, &mut connection);
                }
                turns += 1;
            }
            u64::try_from(turns).unwrap()
        };
        let turns: u64 = thread::scope(|scope| {
            let all: Vec<_> = (0..self.0.len() * CONNECTIONS).map(|_| scope.spawn(work)).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        Sent::new([turns; 4], Vec::new(), start.elapsed())
    }

    /// Sends so many a second, for so long.
    pub(super) fn at(&self, to: SocketAddr, rate: f64, time: Duration) -> Sent {
        let start = Instant::now();
        let of_a_kind = rate / self.0.len() as f64;
        let work = |kind: &Kind, first: usize| {
            let mut connection = connect(to);
            let mut took = Vec::new();
            loop {
                let turn = took.len() * CONNECTIONS + first;
                let due = Duration::from_secs_f64(turn as f64 / of_a_kind);
                if due >= time {
                    return took;
                }
                thread::sleep(due.saturating_sub(start.elapsed()));
                kind.send(turn, &mut connection);
                took.push(start.elapsed().saturating_sub(due));
            }
        };
        let took: Vec<Vec<Duration>> = thread::scope(|scope| {
            let of = |kind| {
                let all: Vec<_> =
                    (0..CONNECTIONS).map(|first| scope.spawn(move || work(kind, first))).collect();
                all
            };
            let all: Vec<_> = self.0.iter().map(of).collect();
            let joined = all.into_iter().map(|kind| {
                kind.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<_>>()
            });
            joined.collect()
        });
        let counts = [0, 1, 2, 3].map(|kind: usize| u64::try_from(took[kind].len()).unwrap());
        Sent::new(counts, took.into_iter().next().unwrap_or_default(), start.elapsed())
    }

    /// Sends so many of each kind that is refused, one after the other.
    pub(super) fn burst(&self, to: SocketAddr, count: usize) {
        let mut connection = connect(to);
        for kind in &self.0[1..] {
            (0..count).for_each(|turn| kind.send(turn, &mut connection));
        }
    }
}

impl Kind {
    fn send(&self, turn: usize, connection: &mut TcpStream) {
        let answer = self.requests[turn % self.requests.len()].send_over(connection);
        assert_eq!(answer.status, self.status, "{answer:?}");
    }
}

impl Sent {
    fn new(counts: [u64; 4], legitimate: Vec<Duration>, took: Duration) -> Sent {
        let requests = counts.iter().sum();
        let [_, violations @ ..] = counts;
        let rate = requests as f64 / took.as_secs_f64();
        Sent { violations, requests, legitimate, rate }
    }
}

/// A token with another signature, which takes as long to verify.
fn forged(token: &str, turn: usize) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let at = turn % (signature.len() / 2);
    let changed = signature.char_indices().map(|(index, one)| match (index == at, one) {
        (true, 'A') => 'B',
        (true, _) => 'A',
        (false, one) => one,
    });
    format!("{signed}.{}", changed.collect::<String>())
}
