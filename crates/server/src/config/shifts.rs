//! Who is on call, as the system that knows it said last.
//!
//! Silence is never an answer: what was said counts for a while, and then no person is on call. So it is before the first answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::on_call::{ON_CALL, OnCallSource};
use crate::clock::Moment;

/// How far back a clock may go before what was said counts as said later than now, in seconds.
const CLOCK_S: i64 = 5;

/// What was said of all schedules.
pub struct Shifts {
    /// By the URL that was asked, so that what another system said of a schedule of the same name does not count.
    said: Mutex<BTreeMap<String, Said>>,
    clock: Box<dyn Fn() -> Moment + Send + Sync>,
}

#[derive(Debug)]
struct Said {
    people: Vec<String>,
    at: Moment,
}

impl Shifts {
    /// Nothing yet; `clock` says the present moment.
    pub fn new(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Shifts {
        Shifts { said: Mutex::default(), clock: Box::new(clock) }
    }

    /// Takes who is on call now, as the system calls them.
    pub fn put(&self, url: &str, people: Vec<String>) {
        let said = Said { people, at: (self.clock)() };
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(url.to_owned(), said);
    }

    /// Keeps what was said at these URLs alone.
    pub fn keep(&self, urls: &BTreeSet<&str>) {
        let mut all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|url, _| urls.contains(url.as_str()));
    }

    fn people(&self, url: &str, valid_for_s: i64) -> Vec<String> {
        let now = (self.clock)().seconds();
        let all = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = all.get(url).filter(|said| {
            let age = now.saturating_sub(said.at.seconds());
            (-CLOCK_S..=valid_for_s).contains(&age)
        });
        said.map(|said| said.people.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Shifts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shifts").field("said", &self.said).finish_non_exhaustive()
    }
}

/// The schedules of a configuration, and what was said of them.
#[derive(Debug)]
pub(super) struct OnCall {
    pub(super) source: OnCallSource,
    pub(super) shifts: std::sync::Arc<Shifts>,
}

impl OnCall {
    /// Those on call by the schedule whose people this group is, as the system calls them; nothing where it is a group of its own.
    pub(super) fn people(&self, group: &str) -> Option<Vec<String>> {
        let schedule = group.strip_prefix(ON_CALL)?;
        let valid_for_s = i64::try_from(self.source.valid_for.as_secs()).unwrap_or(i64::MAX);
        let url = self.source.url.of(schedule).ok();
        Some(url.map(|url| self.shifts.people(url.as_str(), valid_for_s)).unwrap_or_default())
    }
}
