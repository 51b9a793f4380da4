//! Sessions of people who signed in at an identity provider: sign-in, begin, refresh, end.
//!
//! 1. What a provider said is verified before it comes here ([`sign_in`] takes it as given).
//! 2. A change of a session, and what memory knows of it, happen in one order: each holds the right to change sessions
//!    until both are done. Memory opens after the commit and closes before it.
//! 3. A session begins, goes on and ends by the time that the service goes by, whether it is believed or not: people need
//!    one to end what must end, and what opens access asks for a trusted time of its own.

mod begin;
mod end;
mod load;
mod refresh;
mod refused;
mod sign_in;

pub use begin::{Exchange, begin};
pub use end::{end, end_by_token};
pub use load::load;
pub use refresh::refresh;
pub use refused::{SignInRefused, TokenRefused};
pub use sign_in::{Binding, SaidGroups, SignedIn, sign_in};

use serde_json::{Value, json};

use crate::app::App;
use crate::clock::Moment;
use crate::limits::ACCESS_TOKEN_S;
use crate::session_token::{RefreshToken, access_token, sha256};
use crate::store::{NewTokens, Session, SessionEnd};

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
struct Fresh {
    access: String,
    refresh: RefreshToken,
    expires_in: i64,
    kept: NewTokens,
}

impl Fresh {
    /// An access token beside this refresh token, for a session that ends at `ends_at`.
    fn new(app: &App, now: Moment, refresh: RefreshToken, ends_at: i64) -> Fresh {
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

    fn of(self, session: Session) -> Tokens {
        let Fresh { access, refresh, expires_in, .. } = self;
        Tokens { access, expires_in, refresh: refresh.text(), session }
    }
}

/// What the trail says of the end of a session.
fn ended(session: &Session, why: SessionEnd, source: Option<&str>) -> Value {
    json!({
        "session": session.id, "account": session.account, "reason": why.word(), "source": source,
    })
}
