//! Alerts of the filter and news of requests, until a receiver of webhooks has them; and what alerts cost a proxy that is
//! attacked.

mod counts;
mod flood;
mod mix;
mod proxies;
mod sink;
mod soon;
mod turns;

use crate::Verdict;

pub(crate) fn run(violations: usize) -> Verdict {
    soon::violations(violations).and(soon::requests()).and(flood::run())
}
