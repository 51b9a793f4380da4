//! How many calls there are: at a time in all, and for each person in a minute.

use std::sync::Arc;

use breakglass_types::instant::format_duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use url::Url;

use super::call::{self, Answer, Silence};
use super::judge::{Said, read};
use crate::clock::Moment;
use crate::config::IncidentCheck;
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
        let (done, ended) = oneshot::channel();
        let check = check.clone();
        // On a thread of its own: a system that does not answer keeps that thread, and its place, and neither this task nor
        // the end of the service, which waits for the threads of the runtime.
        let work = move || {
            let place: OwnedSemaphorePermit = place;
            let answer = call::get(&check, &url, left);
            drop(place);
            // The person may have gone away meanwhile.
            let _ = done.send(answer);
        };
        let thread = std::thread::Builder::new().name("incident".to_owned()).spawn(work);
        thread.map_err(|error| Silence::of(format!("no thread: {error}")))?;
        match timeout(left, ended).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Silence::of("the call ended without an outcome")),
            Err(_) => Err(late()),
        }
    }
}
