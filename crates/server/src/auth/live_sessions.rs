//! The access tokens of live sessions, in memory: who presents a made-up one costs no look into the database.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard};

use crate::clock::Moment;
use crate::config::Digest;
use crate::limits::MAX_WAIT_S;
use crate::problem::{Problem, Reason};
use crate::store::{FactorRow, Session};

/// How long an access token that is over is kept, in seconds: longer than a request waits.
const KEPT_S: i64 = 2 * MAX_WAIT_S;

/// Whose an access token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveToken {
    /// The session's id.
    pub session: Arc<str>,
    /// The name of the account.
    pub account: Arc<str>,
    /// How the person authenticated, where a level was asked for.
    pub factor: Option<Arc<FactorRow>>,
    /// Whether the session began with a device code.
    pub by_device: bool,
    /// When it ends, in seconds.
    expires_at: i64,
}

/// All of them. The key is a SHA-256: how long a look takes says nothing about a token that was not guessed.
#[derive(Debug, Default)]
pub struct LiveSessions {
    tokens: RwLock<Tokens>,
    changes: Mutex<()>,
}

#[derive(Debug, Default)]
struct Tokens {
    by_digest: HashMap<Digest, LiveToken>,
    by_session: HashMap<Arc<str>, Vec<Digest>>,
}

/// The right to change sessions, one at a time: held over a change of the database and what follows from it here, so that
/// the two happen in one order.
#[derive(Debug)]
pub struct SessionChange<'a> {
    sessions: &'a LiveSessions,
    _alone: MutexGuard<'a, ()>,
}

impl LiveSessions {
    /// Waits until no other change is under way.
    pub async fn change(&self) -> SessionChange<'_> {
        SessionChange { sessions: self, _alone: self.changes.lock().await }
    }

    /// Whose the access token with this SHA-256 is, while it counts.
    #[must_use]
    pub fn find(&self, digest: &Digest, now: Moment) -> Option<LiveToken> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.by_digest.get(digest)?;
        (now.seconds() < found.expires_at).then(|| found.clone())
    }

    /// Whether the session was not ended: of a caller that waits, also where its access token ended meanwhile.
    #[must_use]
    pub fn has(&self, session: &str) -> bool {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.by_session.contains_key(session)
    }

    /// Forgets what has not counted for longer than a caller waits.
    pub fn prune(&self, now: Moment) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let Tokens { by_digest, by_session } = &mut *tokens;
        by_digest.retain(|_, token| now.seconds() < token.expires_at.saturating_add(KEPT_S));
        by_session.retain(|_, digests| {
            digests.retain(|digest| by_digest.contains_key(digest));
            !digests.is_empty()
        });
    }
}

impl SessionChange<'_> {
    /// The session has these access tokens and no others: call it when the change is committed.
    pub fn put(&self, session: &Session) {
        let id: Arc<str> = session.id.as_str().into();
        let account: Arc<str> = session.account.as_str().into();
        let factor = session.factor.clone().map(Arc::new);
        let by_device = session.device.is_some();
        let mut tokens = self.sessions.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(&id);
        let mut digests = Vec::new();
        for (digest, expires_at) in session.access_tokens() {
            let (session, account) = (Arc::clone(&id), Arc::clone(&account));
            let token =
                LiveToken { session, account, factor: factor.clone(), by_device, expires_at };
            tokens.by_digest.insert(digest, token);
            digests.push(digest);
        }
        tokens.by_session.insert(id, digests);
    }

    /// The session has no access token any more: call it before the change is committed, so that a failure closes.
    pub fn end(&self, session: &str) {
        self.sessions.tokens.write().unwrap_or_else(PoisonError::into_inner).remove(session);
    }
}

impl Tokens {
    fn remove(&mut self, session: &str) {
        for digest in self.by_session.remove(session).unwrap_or_default() {
            self.by_digest.remove(&digest);
        }
    }
}

/// The refusal of an access token that is not among them.
pub(super) fn session_ended() -> Problem {
    Problem::new(
        Reason::SessionEnded,
        "this access token is over, or its session has ended: take the next one with the refresh token, or sign in again \
         with `breakglass login`",
    )
}
