//! An access token that counts. Command lines side by side share one session: one of them refreshes it, under the lock, and
//! the others take what it wrote. Two refreshes of one refresh token would be taken for an attacker's, and end the session.

use breakglass_api::session::SessionTokens;

use super::exchange::exchange;
use super::file::SessionFile;
use super::stored::StoredSession;
use crate::client::{Connection, Failure, OAuthRefusal};
use crate::terminal::Terminal;

/// Notes on stderr.
const NOTES: Terminal = Terminal { json: false };

/// Why there is no session to be used.
pub(crate) enum NoSession {
    /// It has ended, in the service's words.
    Ended(String),
    /// There is none here.
    Missing,
    /// It is not known.
    Failed(Failure),
}

impl From<Failure> for NoSession {
    fn from(failure: Failure) -> NoSession {
        NoSession::Failed(failure)
    }
}

/// The session with an access token that counts for a while.
pub(crate) fn fresh(
    connection: &Connection,
    file: &SessionFile,
) -> Result<StoredSession, NoSession> {
    match file.read()? {
        Some(session) if session.is_fresh() => Ok(session),
        Some(session) => match renew(connection, file, StoredSession::is_fresh) {
            // A service that cannot refresh it now may take it for its last seconds.
            Err(NoSession::Failed(_)) if session.counts() => Ok(session),
            other => other,
        },
        None => Err(NoSession::Missing),
    }
}

/// The session with another access token than this one, which the service refused.
pub(crate) fn after_refusal(
    connection: &Connection,
    file: &SessionFile,
    refused: &str,
) -> Result<StoredSession, NoSession> {
    renew(connection, file, |session| session.access_token != refused)
}

fn renew(
    connection: &Connection,
    file: &SessionFile,
    is_good: impl Fn(&StoredSession) -> bool,
) -> Result<StoredSession, NoSession> {
    let locked = file.lock()?;
    // Another command line may have refreshed it meanwhile.
    let session = locked.read()?.ok_or(NoSession::Missing)?;
    if is_good(&session) {
        return Ok(session);
    }
    let tokens = match refresh(connection, &session.refresh_token) {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(refusal)) if refusal.error == "invalid_grant" => {
            locked.remove()?;
            return Err(NoSession::Ended(refusal.error_description));
        }
        // The refresh token stays: it is good until the service has answered.
        Ok(Err(refusal)) => {
            let OAuthRefusal { error, error_description } = refusal;
            let why = format!("the session cannot be refreshed: {error_description} ({error})");
            return Err(Failure::Failed(why).into());
        }
        Err(failure) => return Err(failure.into()),
    };
    let next = StoredSession::new(&session.url, tokens);
    if let Err(failure) = locked.write(&next) {
        // In an outage a full disk is no reason to stop: the new access token is good all the same.
        NOTES.note(&format!("{failure}; this session ends with this command, sign in again"));
    }
    Ok(next)
}

/// Once more where no answer came: within 30 s, the service gives the answer that was lost again.
fn refresh(
    connection: &Connection,
    token: &str,
) -> Result<Result<SessionTokens, OAuthRefusal>, Failure> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    match exchange(connection, &fields) {
        Err(failure) if failure.may_pass() => exchange(connection, &fields),
        other => other,
    }
}
