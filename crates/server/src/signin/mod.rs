//! Signing in at identity providers: the providers of a configuration, and the sign-ins and device codes that are under way.

mod account_limiter;
pub mod devices;
mod limiter;
mod refreshes;
mod state;
mod under_way;
pub mod user_code;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use breakglass_identity::{IdentityProvider, Provider};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::random::Randomness;

pub use account_limiter::{AccountLimiter, TooOften};
pub use limiter::Limiter;
pub use refreshes::Refreshes;
pub use state::SignIns;
pub use under_way::{ClientWaits, DeviceWaits, LeadsTo, Sealed, Seals, UnderWay};

/// How many calls to one provider there are at a time, of all sign-ins: each holds a thread. Each provider has its own, so that
/// one that is silent keeps no person from signing in at another one.
const CALLS: usize = 32;

/// How many there are at a time that ask about people who have signed in. They have places of their own, so that strangers
/// who begin sign-ins cannot make it look as if a provider were away.
const REFRESHES: usize = 32;

/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The providers of a configuration.
pub struct Providers {
    by_name: BTreeMap<String, Places>,
}

/// A provider, and the places for calls to it.
struct Places {
    provider: Arc<Provider>,
    sign_ins: Arc<Semaphore>,
    refreshes: Arc<Semaphore>,
}

/// As many calls to providers are under way as may be, or one failed in a way that it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many people sign in at this moment, or an identity provider does not answer: try again in a minute"
)]
pub struct Busy;

impl Providers {
    /// These providers, none of which was asked anything yet.
    #[must_use]
    pub fn new(entries: &[IdentityProvider], randomness: &Arc<Randomness>) -> Providers {
        let provider = |entry: &IdentityProvider| {
            let randomness = Arc::clone(randomness);
            let provider = Provider::new(entry.clone(), Box::new(move || randomness.bytes()));
            let places = |count| Arc::new(Semaphore::new(count));
            let places = Places {
                provider: Arc::new(provider),
                sign_ins: places(CALLS),
                refreshes: places(REFRESHES),
            };
            (entry.name.clone(), places)
        };
        Providers { by_name: entries.iter().map(provider).collect() }
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether there is none: then nobody signs in here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The provider with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Provider>> {
        self.by_name.get(name).map(|one| &one.provider)
    }

    /// Asks a provider something, on a thread that may block.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn ask<T: Send + 'static>(
        &self,
        provider: &Arc<Provider>,
        question: impl FnOnce(&Provider) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        ask(self.by_name.get(&provider.entry().name).map(|one| &one.sign_ins), provider, question)
            .await
    }

    /// The same about a person who has signed in.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn ask_again<T: Send + 'static>(
        &self,
        provider: &Arc<Provider>,
        question: impl FnOnce(&Provider) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        ask(self.by_name.get(&provider.entry().name).map(|one| &one.refreshes), provider, question)
            .await
    }
}

async fn ask<T: Send + 'static>(
    places: Option<&Arc<Semaphore>>,
    provider: &Arc<Provider>,
    question: impl FnOnce(&Provider) -> T + Send + 'static,
) -> Result<T, Busy> {
    let places = Arc::clone(places.ok_or(Busy)?);
    let permit = timeout(PATIENCE, places.acquire_owned()).await;
    let Ok(Ok(permit)) = permit else { return Err(Busy) };
    let provider = Arc::clone(provider);
    let asked = spawn_blocking(move || {
        // Held by the call, not by the client, which can go away before the call ends.
        let _permit = permit;
        question(&provider)
    });
    asked.await.map_err(|cause| {
        tracing::error!(%cause, "a call to an identity provider did not come to its end");
        Busy
    })
}

impl fmt::Debug for Providers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.by_name.keys()).finish()
    }
}
