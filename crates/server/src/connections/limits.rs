//! How many connections there may be, and how long each may take.

use std::time::Duration;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// Of one peer address; of one network of 64 bits, where the addresses are IPv6.
    pub per_address: usize,
    /// How long each may take for what.
    pub times: Times,
}

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// From a connection's begin to the end of its TLS handshake; within `head`.
    pub handshake: Duration,
    /// From the first byte of a request, or from the connection's begin, to the end of its head.
    pub head: Duration,
    /// From there to the end of its body.
    pub body: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// Without a byte of an answer being taken.
    pub write: Duration,
    /// From the answer's begin to its end.
    pub answer: Duration,
    /// Between two pings of an HTTP/2 connection, each of which has to be answered within `write`.
    pub ping: Duration,
    /// As `head`, and as `idle`, once the service or the connection is about to end.
    pub last_head: Duration,
}

impl Limits {
    /// So many in all.
    #[must_use]
    pub fn new(total: usize, per_address: Option<usize>) -> Limits {
        let times = Times {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            // Above what most endpoints take in all, so that they answer first.
            body: Duration::from_secs(15),
            idle: Duration::from_secs(120),
            write: Duration::from_secs(20),
            answer: Duration::from_secs(120),
            ping: Duration::from_secs(30),
            last_head: Duration::from_secs(1),
        };
        let per_address = per_address.unwrap_or_else(|| part(total, 3, 4));
        Limits { total, per_address, times }
    }

    /// How many people may wait for a decision: not so many that they and the proxies' polls take all.
    #[must_use]
    pub fn waits(&self) -> usize {
        part(self.total, 1, 3)
    }

    /// How many requests of proxies may be at work, most of them polls that hang.
    pub(super) fn proxies(&self) -> usize {
        part(self.total, 3, 5)
    }

    /// How many of them with one credential: a fleet may share it.
    pub(super) fn per_proxy(&self) -> usize {
        part(self.total, 2, 5)
    }
}

/// The part `of` / `all` of `total`.
fn part(total: usize, of: usize, all: usize) -> usize {
    total.saturating_mul(of).checked_div(all).unwrap_or(0).max(1)
}
