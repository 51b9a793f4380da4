//! Which refusals of callers that are no known proxy are logged, at the endpoints that only proxies call: the first of
//! an address in a minute, with how many there were since. A proxy with a wrong credential polls for ever, and must not
//! fill the log, nor be lost among strangers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How often one address is logged at most.
const EVERY: Duration = Duration::from_secs(60);

/// The most addresses that are told apart, and the most lines in a minute.
const MAX_ADDRESSES: usize = 256;

/// The addresses that were logged in the last minute.
#[derive(Debug, Default)]
pub(super) struct UnknownProxies {
    logged: HashMap<Option<IpAddr>, Logged>,
    /// Refusals of addresses for which there was no place.
    others: u64,
}

#[derive(Debug)]
struct Logged {
    at: Instant,
    unlogged: u64,
}

impl UnknownProxies {
    /// One from this address was refused: whether that is to be logged, and how many were not since the last line.
    pub(super) fn logs(&mut self, source: Option<IpAddr>) -> Option<u64> {
        let is_recent = |logged: &Logged| logged.at.elapsed() < EVERY;
        if let Some(logged) = self.logged.get_mut(&source) {
            if is_recent(logged) {
                logged.unlogged = logged.unlogged.saturating_add(1);
                return None;
            }
            logged.at = Instant::now();
            return Some(std::mem::take(&mut logged.unlogged));
        }
        if self.logged.len() >= MAX_ADDRESSES {
            let others = &mut self.others;
            self.logged.retain(|_, logged| {
                let stays = is_recent(logged);
                *others = others.saturating_add(if stays { 0 } else { logged.unlogged });
                stays
            });
        }
        if self.logged.len() >= MAX_ADDRESSES {
            self.others = self.others.saturating_add(1);
            return None;
        }
        self.logged.insert(source, Logged { at: Instant::now(), unlogged: 0 });
        Some(std::mem::take(&mut self.others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(number.to_be_bytes()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_logged_once_a_minute_and_its_neighbours_for_themselves() {
        let mut unknown = UnknownProxies::default();
        assert_eq!(unknown.logs(address(1)), Some(0));
        for _ in 0..1000 {
            assert_eq!(unknown.logs(address(1)), None);
        }
        assert_eq!((unknown.logs(address(2)), unknown.logs(None)), (Some(0), Some(0)));
        tokio::time::advance(EVERY).await;
        assert_eq!(unknown.logs(address(1)), Some(1000));
        assert_eq!(unknown.logs(address(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_take_no_more_than_their_place() {
        let mut unknown = UnknownProxies::default();
        let many = u32::try_from(MAX_ADDRESSES).unwrap();
        let lines = (0..10 * many).filter(|number| unknown.logs(address(*number)).is_some());
        assert_eq!(lines.count(), MAX_ADDRESSES);
        assert_eq!(unknown.logged.len(), MAX_ADDRESSES);
        tokio::time::advance(EVERY).await;
        assert_eq!(unknown.logs(address(u32::MAX)), Some(u64::from(9 * many)));
        assert_eq!(unknown.logged.len(), 1);
    }
}
