//! A client takes the next tokens of its session (RFC 6749 section 6; RFC 9700 section 4.14.2).
//!
//! A refresh token is used once: what comes a second time is held by two clients, and ends the session. But an answer can be
//! lost: within [`REFRESH_GRACE_MS`](crate::limits::REFRESH_GRACE_MS), and while the successor was not used, the client gets
//! another successor, and the earlier one is void. So whoever took it by theft, and the client that it was taken from, cannot
//! both go on: the first of them to come with a void token ends the session.

use super::end::end_reused;
use super::refused::TokenRefused;
use super::tokens::{Fresh, Tokens};
use crate::app::App;
use crate::clock::Moment;
use crate::session_token::RefreshToken;
use crate::store::{Presented, Session, SessionEnd, SessionState};

/// Gives the next tokens.
///
/// # Errors
/// [`TokenRefused`].
pub async fn refresh(
    app: &App,
    now: Moment,
    token: &str,
    client: &str,
    source: Option<&str>,
) -> Result<Tokens, TokenRefused> {
    let unknown = || TokenRefused::Unknown("refresh token");
    let token = RefreshToken::parse(token).ok_or_else(unknown)?;
    let handle = token.handle_sha256();
    // A made-up one costs no lock, and neither does one of a session that is over.
    let session = app.store().session_by_handle(&handle).await?.ok_or_else(unknown)?;
    check(app, now, &session, client)?;
    let alone = app.sessions().change().await;
    let mut change = app.store().change().await?;
    let session = change.session_by_handle(&handle).await?.ok_or_else(unknown)?;
    check(app, now, &session, client)?;
    let fresh = Fresh::new(app, now, token.next(app.randomness()), session.ends_at);
    match session.presented(&token.sha256(), now) {
        Presented::Current => change.rotate(now, &session.id, &fresh.kept).await?,
        Presented::Again => change.replace_successor(&session.id, &fresh.kept).await?,
        Presented::Reused => {
            let why = SessionEnd::RefreshTokenReused;
            end_reused(&alone, change, now, &session.id, why, source).await?;
            let Session { account, .. } = session;
            return Err(TokenRefused::Reused { what: "refresh token", account });
        }
    }
    let session = change.session(&session.id).await?.ok_or_else(unknown)?;
    // It goes on as it was: there is nothing for the trail to say.
    change.record(now, &[]).await?.commit().await?;
    alone.put(&session);
    Ok(fresh.of(session))
}

fn check(app: &App, now: Moment, session: &Session, client: &str) -> Result<(), TokenRefused> {
    if client != session.client {
        return Err(TokenRefused::NotBound("client_id"));
    }
    let is_known = app.config().people.account(&session.account).is_some();
    let why = match session.state(now) {
        SessionState::Live if is_known => return Ok(()),
        SessionState::Live => "its identity provider is not configured any more",
        SessionState::Idle => "it was not used for an hour",
        SessionState::Over => "its 12 hours are over",
        SessionState::Ended => "it was ended",
    };
    Err(TokenRefused::Ended { why, account: session.account.clone() })
}
