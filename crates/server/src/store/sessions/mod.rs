//! Sessions: how they begin ([`codes`]), go on ([`rotation`]), end ([`end`]) and are listed ([`list`]).

mod codes;
mod end;
mod list;
mod provider;
mod rotation;
mod sweep;

pub use codes::{Code, NewCode, NewSession};
pub use end::SessionEnd;
pub use list::SessionFilter;
pub use provider::{ProviderSessionRow, code_context};
pub use rotation::NewTokens;

pub use crate::factor::FactorRow;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::{REFRESH_BEFORE_MS, REFRESH_GRACE_MS, SESSION_IDLE_S};

/// The two machines of a session that began by a device code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// The address of the device that asked for the code.
    pub source: Option<String>,
    /// The address of the browser in which the person signed in.
    pub browser: Option<String>,
}

/// A session as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose it is: the name of the account.
    pub account: String,
    /// The client that holds it.
    pub client: String,
    /// The address from which the client took it.
    pub source: Option<String>,
    /// How the person authenticated, where a level was asked for.
    #[sqlx(json(nullable))]
    pub factor: Option<FactorRow>,
    /// From where it was begun, where it was by a device code.
    #[sqlx(json(nullable))]
    pub device: Option<DeviceRow>,
    /// When it began, in seconds.
    pub began_at: i64,
    /// When it ends at the latest.
    pub ends_at: i64,
    /// When its client took tokens last.
    pub used_at: i64,
    /// When it was ended before its time.
    pub ended_at: Option<i64>,
    /// By which person or `service`.
    pub ended_by: Option<String>,
    /// Why, as a word.
    pub end_reason: Option<String>,
    refresh_sha256: Vec<u8>,
    previous_refresh_sha256: Option<Vec<u8>>,
    previous_used_at_ms: Option<i64>,
    pub(super) access_sha256: Vec<u8>,
    pub(super) access_expires_at: i64,
    pub(super) previous_access_sha256: Option<Vec<u8>>,
    pub(super) previous_access_expires_at: Option<i64>,
}

/// The columns of [`Session`], with what comes after them in the statement.
macro_rules! select_sessions {
    ($rest:literal) => {
        concat!(
            "SELECT id, account, client, source, factor, device, began_at, ends_at, used_at, ended_at, ended_by, end_reason,
                 refresh_sha256, previous_refresh_sha256, previous_used_at_ms, access_sha256, access_expires_at,
                 previous_access_sha256, previous_access_expires_at
             FROM sessions ",
            $rest
        )
    };
}
pub(super) use select_sessions;

/// What a session is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// It can be used.
    Live,
    /// It was not used for as long as may be.
    Idle,
    /// Its time is over.
    Over,
    /// It was ended.
    Ended,
}

/// What a refresh token that has the handle of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The one that was given last, not used before.
    Current,
    /// The one before it, used so recently that the answer may have been lost, while its successor was not used.
    Again,
    /// Any other: used before, or void, so that two clients have it.
    Reused,
}

impl Session {
    /// What it is at this moment.
    #[must_use]
    pub fn state(&self, now: Moment) -> SessionState {
        let now = now.seconds();
        if self.ended_at.is_some() {
            SessionState::Ended
        } else if now >= self.ends_at {
            SessionState::Over
        } else if now >= self.used_at.saturating_add(SESSION_IDLE_S) {
            SessionState::Idle
        } else {
            SessionState::Live
        }
    }

    /// What a refresh token with its handle is. `Again` needs no look at the successor: once that is used, this one is not
    /// the one before any more.
    #[must_use]
    pub fn presented(&self, refresh: &Digest, now: Moment) -> Presented {
        if self.refresh_sha256 == refresh {
            return Presented::Current;
        }
        let is_previous =
            self.previous_refresh_sha256.as_ref().is_some_and(|previous| previous == refresh);
        let is_recent = self.previous_used_at_ms.is_some_and(|used_at| {
            // Of two requests at once the one that asked for the time first can have its turn second; a clock that went back
            // by more makes nothing recent.
            (REFRESH_BEFORE_MS..=REFRESH_GRACE_MS).contains(&now.millis().saturating_sub(used_at))
        });
        if is_previous && is_recent { Presented::Again } else { Presented::Reused }
    }

    /// The SHA-256 of its access tokens, each with when it ends, in seconds.
    #[must_use]
    pub fn access_tokens(&self) -> Vec<(Digest, i64)> {
        let previous = self.previous_access_sha256.as_deref().zip(self.previous_access_expires_at);
        let all = [Some((self.access_sha256.as_slice(), self.access_expires_at)), previous];
        // The database keeps 32 bytes.
        let read = |(digest, ends): (&[u8], i64)| Some((Digest::try_from(digest).ok()?, ends));
        all.into_iter().flatten().filter_map(read).collect()
    }
}
