//! How often strangers may do something in a minute: in all, and from one address (from one network of 64 bits, where it is
//! IPv6). In memory, of a bounded size.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::clock::Moment;
use crate::connections::network;

/// Counts what is done in the present minute.
#[derive(Debug)]
pub struct Limiter {
    per_source: u32,
    in_all: u32,
    minute: Mutex<Minute>,
}

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    in_all: u32,
    by_source: HashMap<Option<IpAddr>, u32>,
}

impl Limiter {
    /// So many from one source, and so many in all.
    #[must_use]
    pub fn new(per_source: u32, in_all: u32) -> Limiter {
        Limiter { per_source, in_all, minute: Mutex::default() }
    }

    /// Whether it may be done once more now, which is counted then.
    pub fn take(&self, now: Moment, source: Option<IpAddr>) -> bool {
        let number = now.seconds().div_euclid(60);
        // Each change of it leaves it whole.
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        // Also where the clock was set back.
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        if minute.in_all >= self.in_all {
            return false;
        }
        let count = minute.by_source.entry(source.map(network)).or_default();
        if *count >= self.per_source {
            return false;
        }
        *count = count.saturating_add(1);
        minute.in_all = minute.in_all.saturating_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_takes_its_share_and_all_take_theirs_in_each_minute() {
        let limiter = Limiter::new(2, 5);
        let take = |seconds, source: &str| {
            limiter.take(Moment::from_seconds(seconds), Some(source.parse().unwrap()))
        };
        assert_eq!(
            [take(60, "192.0.2.1"), take(61, "192.0.2.1"), take(62, "192.0.2.1")],
            [true, true, false]
        );
        // One network, and one address in two spellings.
        assert_eq!(
            [take(62, "2001:db8::1"), take(62, "2001:db8::2"), take(62, "2001:db8::3")],
            [true, true, false]
        );
        assert!(!take(63, "::ffff:192.0.2.1"));
        assert_eq!([take(63, "192.0.2.2"), take(63, "192.0.2.3")], [true, false]);
        assert!(take(120, "192.0.2.1"));
        assert!(take(30, "192.0.2.1"), "a clock that was set back counts anew");
    }
}
