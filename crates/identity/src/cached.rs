//! A document of a provider, kept: fetched when it is needed, at most once in a while, and the last good one stays in use
//! while the provider is down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breakglass_types::instant::Instant;

use crate::error::ProviderError;
use crate::limits::{CLOCK_SKEW, MAX_AGE, MIN_FETCH_INTERVAL, REFRESH_AFTER};

/// A document that is fetched.
#[derive(Debug)]
pub(crate) struct Cached<T> {
    state: Mutex<State<T>>,
    /// Held while one is fetched, so that all who wait for it share one call.
    fetching: Mutex<()>,
}

#[derive(Debug)]
struct State<T> {
    last_good: Option<(Arc<T>, Instant)>,
    last_attempt: Option<Instant>,
    /// Why the last attempt failed; nothing where it did not.
    last_error: Option<ProviderError>,
}

impl<T> Cached<T> {
    pub(crate) fn new() -> Cached<T> {
        let state = State { last_good: None, last_attempt: None, last_error: None };
        Cached { state: Mutex::new(state), fetching: Mutex::new(()) }
    }

    /// The document: the kept one where it is young and `is_enough`, else one that is fetched now, unless that was tried
    /// less than [`MIN_FETCH_INTERVAL`] ago; the kept one again where that fails, for [`MAX_AGE`]. So what is returned need
    /// not be enough.
    ///
    /// # Errors
    /// Why the last fetch failed, where no document is kept.
    pub(crate) fn get(
        &self,
        now: Instant,
        is_enough: impl Fn(&T) -> bool,
        fetch: impl FnOnce() -> Result<T, ProviderError>,
    ) -> Result<Arc<T>, ProviderError> {
        let young =
            |state: &State<T>| state.younger(now, REFRESH_AFTER).filter(|one| is_enough(one));
        if let Some(value) = young(&self.state()) {
            return Ok(value);
        }
        self.fetch(now, young, fetch);
        self.state().kept(now)
    }

    /// The document, where the provider is not away: it is asked for a new one, unless that was done less than
    /// [`MIN_FETCH_INTERVAL`] ago. The kept one where the answer was another fault.
    ///
    /// # Errors
    /// Why the last fetch failed, where that was an outage, or where no document is kept.
    pub(crate) fn get_unless_away(
        &self,
        now: Instant,
        fetch: impl FnOnce() -> Result<T, ProviderError>,
    ) -> Result<Arc<T>, ProviderError> {
        let young = |state: &State<T>| state.younger(now, MIN_FETCH_INTERVAL);
        if let Some(value) = young(&self.state()) {
            return Ok(value);
        }
        self.fetch(now, young, fetch);
        let state = self.state();
        match &state.last_error {
            Some(error) if error.is_outage() => Err(error.clone()),
            _ => state.kept(now),
        }
    }

    /// Fetches it, unless there is a young one when it is this thread's turn, or that was tried a moment ago.
    fn fetch(
        &self,
        now: Instant,
        young: impl Fn(&State<T>) -> Option<Arc<T>>,
        fetch: impl FnOnce() -> Result<T, ProviderError>,
    ) {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = self.state();
            if young(&state).is_some() || !state.may_fetch(now) {
                return;
            }
            state.last_attempt = Some(now);
        }
        let fetched = fetch();
        let mut state = self.state();
        match fetched {
            Ok(value) => {
                state.last_good = Some((Arc::new(value), now));
                state.last_error = None;
            }
            Err(error) => state.last_error = Some(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Each change of it is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// The last good one, where it is younger than this.
    fn younger(&self, now: Instant, limit: Duration) -> Option<Arc<T>> {
        let (value, fetched_at) = self.last_good.as_ref()?;
        (age(*fetched_at, now)? < limit).then(|| Arc::clone(value))
    }

    fn may_fetch(&self, now: Instant) -> bool {
        let last = self.last_attempt.and_then(|last| age(last, now));
        last.is_none_or(|age| age >= MIN_FETCH_INTERVAL)
    }

    fn kept(&self, now: Instant) -> Result<Arc<T>, ProviderError> {
        let kept = self.last_good.as_ref();
        let kept = kept.filter(|(_, at)| age(*at, now).is_some_and(|age| age < MAX_AGE));
        match kept {
            Some((value, _)) => Ok(Arc::clone(value)),
            None => Err(self.last_error.clone().unwrap_or_else(|| {
                ProviderError::wrong("its document is older than a day, and no newer one came")
            })),
        }
    }
}

/// How long ago that was; `None` if the clock was set back since, so that this is not known. Threads read the clock one
/// after the other, so a little ahead is no time at all.
fn age(at: Instant, now: Instant) -> Option<Duration> {
    (at <= now.after(CLOCK_SKEW)).then(|| now.since(at))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_seconds(seconds)
    }

    fn down() -> ProviderError {
        ProviderError::Wrong("down".to_owned())
    }

    #[test]
    fn fetches_when_it_must_and_not_more_often_than_it_may() {
        let (cached, calls) = (Cached::new(), Cell::new(0));
        let get = |seconds: u64, wanted: u32| {
            let fetch = || {
                calls.set(calls.get() + 1);
                Ok(calls.get())
            };
            *cached.get(at(seconds), |value| *value >= wanted, fetch).unwrap()
        };
        assert_eq!(get(1000, 0), 1);
        // Young, and enough.
        assert_eq!(get(1299, 1), 1);
        // Not enough: at once, and then not again within ten seconds.
        assert_eq!(get(1299, 2), 2);
        assert_eq!([get(1300, 3), get(1308, 3)], [2, 2]);
        assert_eq!(get(1309, 3), 3);
        // Old.
        assert_eq!(get(1609, 0), 4);
        // The clock was set back: how old it is, is not known.
        assert_eq!(get(100, 0), 5);
        // Another thread's clock is a little behind.
        assert_eq!(get(95, 6), 5);
    }

    #[test]
    fn says_at_once_that_the_provider_is_away_and_keeps_the_document() {
        let (cached, calls) = (Cached::new(), Cell::new(0));
        let get = |seconds: u64, answer: Result<u32, ProviderError>| {
            let fetch = || {
                calls.set(calls.get() + 1);
                answer
            };
            cached.get_unless_away(at(seconds), fetch).map(|value| *value)
        };
        assert_eq!(get(0, Ok(1)), Ok(1));
        let away = ProviderError::Fault("503".to_owned());
        // Asked a moment ago, and then away; asked again after ten seconds, each of which has the same answer.
        assert_eq!(get(9, Err(away.clone())), Ok(1));
        assert_eq!(get(10, Err(away.clone())), Err(away.clone()));
        assert_eq!(get(19, Ok(2)), Err(away.clone()));
        assert_eq!(calls.get(), 2);
        // Who needs the document for what was begun has it.
        assert_eq!(cached.get(at(19), |_| true, || Err(away.clone())).as_deref(), Ok(&1));
        assert_eq!(get(20, Ok(2)), Ok(2));
        // That the document is wrong is no outage.
        assert_eq!(get(30, Err(down())), Ok(2));
    }

    #[test]
    fn keeps_the_last_good_one_for_a_day() {
        let cached = Cached::new();
        assert_eq!(cached.get(at(0), |_| true, || Err(down())), Err(down()));
        // Not asked again so soon: the same error.
        assert_eq!(cached.get(at(9), |_| true, || Ok(1)), Err(down()));
        assert_eq!(cached.get(at(10), |_| true, || Ok(2)).as_deref(), Ok(&2));
        let day = 24 * 60 * 60;
        assert_eq!(cached.get(at(9 + day), |_| true, || Err(down())).as_deref(), Ok(&2));
        assert_eq!(cached.get(at(30 + day), |_| true, || Err(down())), Err(down()));
    }
}
