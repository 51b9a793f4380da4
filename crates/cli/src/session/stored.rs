//! What the file of a session holds. It has the tokens: who can read it, is the person.

use std::fmt;

use breakglass_api::session::SessionTokens;
use breakglass_server::clock::{Clock as _, Moment, SystemClock};
use serde::{Deserialize, Serialize};

/// With less than this left, in seconds, an access token is refreshed before it is used.
const NEARLY_OVER_S: i64 = 30;

/// A session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSession {
    /// The service's URL, as it was reached.
    pub(crate) url: String,
    /// The person.
    pub(crate) account: String,
    /// The session's id.
    pub(crate) session: String,
    /// When it ends at the latest, as the service said it.
    pub(crate) ends_at: String,
    pub(crate) access_token: String,
    /// By this machine's clock, in seconds since 1970.
    access_expires_at: i64,
    pub(crate) refresh_token: String,
}

impl StoredSession {
    /// The session at `url` whose tokens have just come.
    pub(crate) fn new(url: &str, tokens: SessionTokens) -> StoredSession {
        StoredSession {
            url: url.to_owned(),
            account: tokens.account,
            session: tokens.session,
            ends_at: tokens.session_ends_at.text().to_owned(),
            access_token: tokens.access_token,
            access_expires_at: now().seconds().saturating_add(tokens.expires_in),
            refresh_token: tokens.refresh_token,
        }
    }

    /// Whether the access token counts for long enough to be used. Where this machine's clock was wrong, the service says
    /// that it does not.
    pub(crate) fn is_fresh(&self) -> bool {
        self.left_s() > NEARLY_OVER_S
    }

    /// Whether it counts at all.
    pub(crate) fn counts(&self) -> bool {
        self.left_s() > 0
    }

    fn left_s(&self) -> i64 {
        self.access_expires_at.saturating_sub(now().seconds())
    }

    /// The name of the identity provider at which the person signed in.
    pub(crate) fn provider(&self) -> Option<&str> {
        self.account.split_once(':').map(|(provider, _)| provider)
    }
}

impl fmt::Debug for StoredSession {
    /// Without the tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredSession")
            .field("url", &self.url)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// Without a clock every access token is over, and the service says what counts.
fn now() -> Moment {
    SystemClock.now().unwrap_or_else(|_| Moment::from_seconds(i64::MAX))
}
