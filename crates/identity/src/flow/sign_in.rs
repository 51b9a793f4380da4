//! A sign-in: what is asked, what is kept while the person is at the provider, and what comes of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_types::instant::{Instant, millis};
use serde::{Deserialize, Serialize};

use crate::claims::{AskedLevel, Factor, Groups, Person};
use crate::error::ProviderError;

use super::callback::Callback;
use super::session::ProviderSession;

/// What a sign-in is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignInRequest<'a> {
    /// Where the provider sends the browser back to: as it is registered there.
    pub redirect_uri: &'a str,
    /// The level to ask for, by its name in the entry, and how long ago the person may have authenticated.
    pub level: Option<(&'a str, Duration)>,
    /// The subject of the person who has to sign in, where a person confirms something (step-up).
    pub person: Option<&'a str>,
}

/// A sign-in that was begun. It is kept at this service, and is good for one callback; who has it and the code can sign in.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignIn {
    pub(super) provider: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) redirect_uri: String,
    pub(super) asked: Option<Asked>,
    pub(super) person: Option<String>,
    started_at_ms: u64,
    ends_at_ms: u64,
}

/// The level that is asked for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) level: String,
    pub(super) max_age_s: u64,
}

/// What a sign-in brought.
#[derive(Debug)]
pub struct SignedIn {
    /// Who it is.
    pub person: Person,
    /// In which groups, as far as the provider says so.
    pub groups: Groups,
    /// How the person authenticated; only where a level was asked for, and it was reached.
    pub factor: Option<Factor>,
    /// The session at the provider.
    pub session: ProviderSession,
}

/// What a refresh brought. It says nothing about how the person authenticated.
#[derive(Debug)]
pub struct Refreshed {
    /// Who it is: the same person, perhaps with another name. `None` where the provider sent no ID token.
    pub person: Option<Person>,
    /// In which groups, as far as the provider says so.
    pub groups: Groups,
    /// The session at the provider, in place of the one before: its refresh token may be another one.
    pub session: ProviderSession,
}

impl SignIn {
    pub(super) fn new(
        provider: &str,
        request: &SignInRequest<'_>,
        lifetime: Duration,
        mut random: impl FnMut() -> [u8; 32],
        now: Instant,
    ) -> SignIn {
        let mut secret = || URL_SAFE_NO_PAD.encode(random());
        SignIn {
            provider: provider.to_owned(),
            state: secret(),
            nonce: secret(),
            verifier: secret(),
            redirect_uri: request.redirect_uri.to_owned(),
            asked: request.level.map(|(level, max_age)| Asked {
                level: level.to_owned(),
                max_age_s: max_age.as_secs(),
            }),
            person: request.person.map(str::to_owned),
            started_at_ms: now.as_millis(),
            ends_at_ms: now.as_millis().saturating_add(millis(lifetime)),
        }
    }

    /// Its `state`, by which a callback is found to be about it.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The name of the entry at which it was begun.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// When it ends, whether or not an answer came.
    #[must_use]
    pub fn ends_at(&self) -> Instant {
        Instant::from_millis(self.ends_at_ms)
    }

    pub(super) fn asked_level(&self) -> Option<AskedLevel> {
        self.asked.as_ref().map(|asked| AskedLevel {
            name: asked.level.clone(),
            max_age: Duration::from_secs(asked.max_age_s),
            asked_at: Instant::from_millis(self.started_at_ms),
        })
    }

    /// Whether the callback came to the path of this provider, about this sign-in, in time.
    pub(super) fn check(
        &self,
        provider: &str,
        callback: &Callback,
        now: Instant,
    ) -> Result<(), ProviderError> {
        if self.provider != provider {
            return Err(ProviderError::Wrong(format!(
                "it came to the callback of `{provider}`, and the sign-in was begun at `{}`",
                self.provider
            )));
        }
        if self.state != callback.state {
            return Err(ProviderError::wrong("`state`: expected that of this sign-in"));
        }
        // A clock that was set back must not make it good for longer.
        let started = Instant::from_millis(self.started_at_ms);
        let lifetime = self.ends_at().since(started);
        match now >= self.ends_at() || now < started {
            true => Err(ProviderError::TooLate(lifetime)),
            false => Ok(()),
        }
    }
}

impl std::fmt::Debug for SignIn {
    /// Without its secrets.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SignIn").field("provider", &self.provider).finish_non_exhaustive()
    }
}
