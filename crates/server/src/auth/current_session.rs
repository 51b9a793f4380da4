//! The session of a caller, which may end while the caller waits.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::identity::{session_of, unknown_credential};
use super::live_sessions::session_ended;
use crate::app::App;
use crate::config::{Config, Person};
use crate::problem::Problem;

/// The session by which the caller is known; none for an API token or a certificate.
#[derive(Debug, Clone)]
pub struct CurrentSession(pub Option<Arc<str>>);

impl FromRequestParts<App> for CurrentSession {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<CurrentSession, Infallible> {
        Ok(CurrentSession(session_of(parts)))
    }
}

impl CurrentSession {
    /// For a caller that has waited: the session may have ended meanwhile.
    ///
    /// # Errors
    /// [`Reason::SessionEnded`].
    pub fn check(&self, app: &App) -> Result<(), Problem> {
        match &self.0 {
            Some(session) if !app.sessions().has(session) => Err(session_ended()),
            _ => Ok(()),
        }
    }
}

/// The person as the configuration and the identity provider have them now: for a caller that has waited.
///
/// # Errors
/// A refusal if the person's name or credential is not there any more, or the session has ended.
pub fn still_known(
    app: &App,
    config: &Config,
    person: &Person,
    session: &CurrentSession,
) -> Result<Arc<Person>, Problem> {
    session.check(app)?;
    let same = |found: &Arc<Person>| found.credential == person.credential;
    config.people.get(&person.name).filter(same).ok_or_else(unknown_credential)
}
