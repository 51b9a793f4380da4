//! A new session takes the place of the one before, which is ended.

use breakglass_api::session::SessionTokens;

use super::{Asked, words};
use crate::client::{Connection, Failure};
use crate::session::exchange::CLIENT_ID;
use crate::session::file::SessionFile;
use crate::session::stored::StoredSession;
use crate::terminal::Terminal;

/// Keeps the session that was asked for, and ends the one that it replaces.
///
/// # Errors
/// [`Failure`] where another person signed in than was asked for, or it cannot be kept: then it is ended.
pub(crate) fn keep(
    connection: &Connection,
    file: &SessionFile,
    asked: &Asked,
    tokens: SessionTokens,
    terminal: Terminal,
) -> Result<StoredSession, Failure> {
    let session = StoredSession::new(connection.url(), tokens);
    if let Some(account) = asked.account.as_deref().filter(|account| *account != session.account) {
        end(connection, &session, terminal);
        return Err(words::other_account(account, &session.account));
    }
    let kept = file.lock().and_then(|locked| {
        // One that cannot be read is replaced too.
        let before = file.read_to_end_it().ok().flatten();
        locked.write(&session)?;
        Ok(before)
    });
    match kept {
        Ok(before) => {
            if let Some(before) = before {
                end(connection, &before, terminal);
            }
            Ok(session)
        }
        Err(failure) => {
            end(connection, &session, terminal);
            Err(failure)
        }
    }
}

/// Ends a session by its refresh token: who has it, has that right, whosever the session is.
fn end(connection: &Connection, ended: &StoredSession, terminal: Terminal) {
    if let Err(failure) = connection.revoke(&ended.refresh_token, CLIENT_ID) {
        terminal.note(&format!(
            "{failure}; the session {} goes on until {}: `breakglass sessions end {}` ends it",
            ended.session, ended.ends_at, ended.session
        ));
    }
}
