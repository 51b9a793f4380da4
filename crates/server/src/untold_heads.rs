//! Where the head of the trail is not told at present ([`crate::tasks::trail_heads`]), for `GET /healthz?detail=1`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Moment;

/// The places that did not take the last head, by their names.
#[derive(Debug, Default)]
pub struct UntoldHeads(Mutex<BTreeMap<&'static str, Untold>>);

/// Why a place has not been told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Since when no head was taken there.
    pub since: Moment,
    /// Why the last one was not.
    pub error: String,
}

impl UntoldHeads {
    /// Takes how telling a place ended at `now`.
    pub fn take(&self, place: &'static str, now: Moment, result: Result<(), String>) {
        let mut places = self.places();
        match result {
            Ok(()) => {
                places.remove(place);
            }
            Err(error) => {
                let since = places.get(place).map_or(now, |before| before.since);
                places.insert(place, Untold { since, error });
            }
        }
    }

    /// Forgets the places for which `is_told` is false: the configuration does not name them any more.
    pub fn keep(&self, is_told: impl Fn(&str) -> bool) {
        self.places().retain(|place, _| is_told(place));
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> BTreeMap<&'static str, Untold> {
        self.places().clone()
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<&'static str, Untold>> {
        // Each change is one call of the map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
