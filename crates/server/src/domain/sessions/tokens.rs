//! The tokens that a client gets.

use crate::app::App;
use crate::clock::Moment;
use crate::limits::ACCESS_TOKEN_S;
use crate::session_token::{RefreshToken, access_token, sha256};
use crate::store::{NewTokens, Session};

/// What a client gets.
#[derive(Clone)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// How long it counts, in seconds.
    pub expires_in: i64,
    /// The refresh token.
    pub refresh: String,
    /// The session that they are of.
    pub session: Session,
}

/// Tokens that are not kept yet.
pub(super) struct Fresh {
    access: String,
    refresh: RefreshToken,
    expires_in: i64,
    /// What the database keeps of them.
    pub(super) kept: NewTokens,
}

impl Fresh {
    /// An access token beside this refresh token, for a session that ends at `ends_at`.
    pub(super) fn new(app: &App, now: Moment, refresh: RefreshToken, ends_at: i64) -> Fresh {
        let access = access_token(app.randomness());
        let access_expires_at = now.seconds().saturating_add(ACCESS_TOKEN_S).min(ends_at);
        let kept = NewTokens {
            refresh_sha256: refresh.sha256(),
            access_sha256: sha256(&access),
            access_expires_at,
        };
        let expires_in = access_expires_at.saturating_sub(now.seconds());
        Fresh { access, refresh, expires_in, kept }
    }

    /// As the client gets them.
    pub(super) fn of(self, session: Session) -> Tokens {
        let Fresh { access, refresh, expires_in, .. } = self;
        Tokens { access, expires_in, refresh: refresh.text(), session }
    }
}
