//! How many calls there are: at a time in all, and for each person in a minute.

use std::sync::Arc;

use breakglass_types::instant::format_duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use url::Url;

use super::judge::{Said, read};
use crate::clock::Moment;
use crate::config::IncidentCheck;
use crate::json_call::{self, Answer, Silence, Source};
use crate::limits::{
    INCIDENT_CHECKS_AT_ONCE, INCIDENT_CHECKS_PER_PERSON, INCIDENT_CHECKS_WITHIN_S,
};
use crate::signin::{AccountLimiter, TooOften};

/// The calls of this process to the system that keeps incidents.
#[derive(Debug)]
pub struct Incidents {
    places: Arc<Semaphore>,
    people: AccountLimiter,
}

impl Default for Incidents {
    fn default() -> Self {
        Incidents {
            places: Arc::new(Semaphore::new(INCIDENT_CHECKS_AT_ONCE)),
            people: AccountLimiter::new(INCIDENT_CHECKS_PER_PERSON, INCIDENT_CHECKS_WITHIN_S),
        }
    }
}

impl Incidents {
    /// Counts a call that this person's submission makes.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn take(&self, now: Moment, person: &str) -> Result<(), TooOften> {
        self.people.take(now, person)
    }

    /// Asks for the incident at this URL. All of it, with the wait for a place, takes at most `check.timeout`.
    ///
    /// # Errors
    /// [`Silence`], which is in the log then.
    pub async fn ask(&self, check: &IncidentCheck, url: Url) -> Result<Said, Silence> {
        let said = self.ask_once(check, url).await.and_then(|answer| read(check, answer));
        if let Err(Silence { cause, to_do }) = &said {
            let at = check.url.shown();
            match to_do {
                Some(to_do) => {
                    tracing::error!(at, cause, "an incident is not checked: {to_do}");
                }
                None => tracing::warn!(at, cause, "an incident is not checked"),
            }
        }
        said
    }

    async fn ask_once(&self, check: &IncidentCheck, url: Url) -> Result<Answer, Silence> {
        let (started, limit) = (Instant::now(), check.timeout);
        let late = || Silence::of(format!("no answer within {}", format_duration(limit)));
        let place = timeout(limit, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| {
            Silence::of(format!(
                "{INCIDENT_CHECKS_AT_ONCE} other checks were under way all the time"
            ))
        })?;
        let place = place.map_err(|_| late())?;
        let left = limit.saturating_sub(started.elapsed());
        // A system that does not answer keeps its place.
        json_call::ask(Source::from(check), url, left, place).await
    }
}
