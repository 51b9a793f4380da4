//! Takes attempts from answers, a bounded number for each caller and minute, and holds them until they are written.
//! Nothing here waits: an answer is never later for it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::attempt::{Attempt, CallerKind, Outcome};
use super::unknown_proxies::UnknownProxies;
use crate::clock::Moment;

/// How many rows a caller gets in a minute for what it was refused.
pub const MAX_REFUSED: i64 = 20;

/// How many rows an auditor gets in a minute for what was read: a list of many pages is that many.
pub const MAX_READ: i64 = 60;

/// How many attempts wait to be written at most.
const MAX_WAITING: usize = 1024;

/// How often a stranger that was refused is logged at most.
const STRANGER_EVERY: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

/// The attempts that are not written yet.
#[derive(Debug)]
pub struct Recorder(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    attempts: VecDeque<Attempt>,
    /// By caller and outcome. Callers come from the configuration: there are not many.
    minutes: BTreeMap<(CallerKind, String, Outcome), Minute>,
    lost: u64,
    /// When a stranger was logged last, and how many were not since then.
    stranger: Option<Instant>,
    unlogged: u64,
    unknown_proxies: UnknownProxies,
}

/// What came from one caller within a minute.
#[derive(Debug)]
struct Minute {
    since: Instant,
    rows: i64,
    /// What came beyond them: the last one, and how many.
    rest: Option<(Attempt, i64)>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It will be a row.
    Row,
    /// It is counted with others.
    Counted,
    /// Too many wait to be written.
    Lost,
}

impl Recorder {
    pub(super) fn new() -> Recorder {
        Recorder(Mutex::default())
    }

    /// Takes an attempt.
    pub fn take(&self, attempt: Attempt) -> Taken {
        let mut waiting = self.waiting();
        let most = if attempt.outcome == Outcome::Read { MAX_READ } else { MAX_REFUSED };
        let key = (attempt.kind, attempt.caller.clone(), attempt.outcome);
        let over = waiting.minutes.get(&key).is_some_and(|minute| minute.since.elapsed() >= MINUTE);
        if over && let Some(minute) = waiting.minutes.remove(&key) {
            waiting.end(minute);
        }
        let none = || Minute { since: Instant::now(), rows: 0, rest: None };
        let minute = waiting.minutes.entry(key).or_insert_with(none);
        if minute.rows >= most {
            let count = minute.rest.take().map_or(0, |(_, count)| count).saturating_add(1);
            minute.rest = Some((attempt, count));
            return Taken::Counted;
        }
        minute.rows = minute.rows.saturating_add(1);
        if waiting.push(attempt) { Taken::Row } else { Taken::Lost }
    }

    /// Up to `limit` attempts that are to be written, the oldest first; they stay until [`Recorder::written`].
    /// `all`: the counts of minutes that are not over too.
    pub(super) fn due(&self, limit: usize, all: bool) -> Vec<Attempt> {
        let mut waiting = self.waiting();
        let over = |minute: &Minute| all || minute.since.elapsed() >= MINUTE;
        let minutes = std::mem::take(&mut waiting.minutes);
        for (key, minute) in minutes {
            if over(&minute) {
                waiting.end(minute);
            } else {
                waiting.minutes.insert(key, minute);
            }
        }
        waiting.attempts.iter().take(limit).cloned().collect()
    }

    /// The first `count` were written.
    pub(super) fn written(&self, count: usize) {
        let mut waiting = self.waiting();
        let count = count.min(waiting.attempts.len());
        waiting.attempts.drain(..count);
    }

    /// Whether a stranger that was refused is to be logged, and how many were not since the last one.
    pub fn logs_stranger(&self) -> Option<u64> {
        let mut waiting = self.waiting();
        if waiting.stranger.is_some_and(|at| at.elapsed() < STRANGER_EVERY) {
            waiting.unlogged = waiting.unlogged.saturating_add(1);
            return None;
        }
        waiting.stranger = Some(Instant::now());
        Some(std::mem::take(&mut waiting.unlogged))
    }

    /// Whether a caller from this address that is no known proxy, at an endpoint for proxies, is to be logged, and how
    /// many were not since the last one.
    pub fn logs_unknown_proxy(&self, source: Option<IpAddr>) -> Option<u64> {
        self.waiting().unknown_proxies.logs(source)
    }

    /// How many were lost since this was asked last.
    pub(super) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.waiting().lost)
    }

    /// Gives up what waits.
    pub(super) fn give_up(&self) -> u64 {
        let mut waiting = self.waiting();
        let left = std::mem::take(&mut waiting.attempts);
        let lost = left.iter().map(|attempt| attempt.count.unsigned_abs()).sum();
        waiting.lost = waiting.lost.saturating_add(lost);
        lost
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A panic in between loses at most the attempt that was taken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, attempt: Attempt) -> bool {
        if self.attempts.len() >= MAX_WAITING {
            self.lost = self.lost.saturating_add(attempt.count.unsigned_abs());
            return false;
        }
        self.attempts.push_back(attempt);
        true
    }

    /// A minute is over: what had no row becomes a count.
    fn end(&mut self, minute: Minute) {
        if let Some((last, count)) = minute.rest {
            let Attempt { at, caller, kind, source, .. } = last;
            self.push(Attempt::rest(at, caller, kind, source, count));
        }
    }
}

impl Attempt {
    /// The count of what had no row of its own.
    fn rest(
        at: Moment,
        caller: String,
        kind: CallerKind,
        source: Option<String>,
        count: i64,
    ) -> Attempt {
        Attempt {
            at,
            outcome: Outcome::Rest,
            caller,
            kind,
            source,
            method: None,
            endpoint: None,
            object: None,
            query: None,
            status: None,
            reason: None,
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(caller: &str, outcome: Outcome) -> Attempt {
        let at = Moment::from_seconds(1);
        Attempt { outcome, ..Attempt::rest(at, caller.to_owned(), CallerKind::Person, None, 1) }
    }

    fn counts(recorder: &Recorder, all: bool) -> (usize, i64) {
        let due = recorder.due(usize::MAX, all);
        recorder.written(due.len());
        (due.len(), due.iter().map(|attempt| attempt.count).sum())
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_gets_so_many_rows_a_minute_and_one_count() {
        let recorder = Recorder::new();
        for number in 0..10_000 {
            let taken = recorder.take(attempt("a", Outcome::Refused));
            assert_eq!(taken == Taken::Row, number < MAX_REFUSED, "{number}");
        }
        assert_eq!(recorder.take(attempt("b", Outcome::Refused)), Taken::Row);
        assert_eq!(recorder.take(attempt("a", Outcome::Read)), Taken::Row);
        assert_eq!(counts(&recorder, false), (22, 22));
        tokio::time::advance(MINUTE).await;
        assert_eq!(counts(&recorder, false), (1, 9980));
        assert_eq!(recorder.take(attempt("a", Outcome::Refused)), Taken::Row);
        assert_eq!(counts(&recorder, true), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_room_is_lost_and_counted() {
        let recorder = Recorder::new();
        for number in 0..MAX_WAITING + 5 {
            recorder.take(attempt(&number.to_string(), Outcome::Refused));
        }
        assert_eq!(recorder.take_lost(), 5);
        assert_eq!(recorder.take_lost(), 0);
        assert_eq!(recorder.give_up(), MAX_WAITING as u64);
        assert_eq!(recorder.take_lost(), MAX_WAITING as u64);
    }
}
