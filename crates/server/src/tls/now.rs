//! The time by which certificates are judged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use crate::clock::Moment;

/// Tells the present moment.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Now {
    /// The moment that `tell` says.
    pub fn new(tell: impl Fn() -> Moment + Send + Sync + 'static) -> Now {
        Now(Arc::new(tell))
    }

    /// The present moment.
    #[must_use]
    pub fn moment(&self) -> Moment {
        (self.0)()
    }

    /// The same, as rustls takes it. Nothing for a moment before 1970, at which no certificate is valid.
    #[must_use]
    pub fn unix(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.moment().seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Now").field(&self.moment()).finish()
    }
}

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        self.unix()
    }
}
