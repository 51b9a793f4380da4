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
        if let Some(value) = self.state().young(now, &is_enough) {
            return Ok(value);
        }
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have fetched it meanwhile.
        {
            let mut state = self.state();
            if let Some(value) = state.young(now, &is_enough) {
                return Ok(value);
            }
            if !state.may_fetch(now) {
                return state.kept(now);
            }
            state.last_attempt = Some(now);
        }
        let fetched = fetch();
        let mut state = self.state();
        match fetched {
            Ok(value) => state.last_good = Some((Arc::new(value), now)),
            Err(error) => state.last_error = Some(error),
        }
        state.kept(now)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Each change of it is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn young(&self, now: Instant, is_enough: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let (value, fetched_at) = self.last_good.as_ref()?;
        let is_young = age(*fetched_at, now)? < REFRESH_AFTER;
        (is_young && is_enough(value)).then(|| Arc::clone(value))
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
