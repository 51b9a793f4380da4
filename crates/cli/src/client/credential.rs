//! By what a person is known to the service: an API token, or the session that `breakglass login` began.

use std::fs;
use std::io::{IsTerminal as _, stderr, stdin};
use std::path::Path;

use super::challenge::Challenge;
use super::connection::Connection;
use super::failure::Failure;
use super::settings::{Resolved, Settings};
use crate::session::file::SessionFile;
use crate::session::refresh::{NoSession, after_refusal, fresh};
use crate::session::stored::StoredSession;
use crate::signin::{self, Asked, How, keep, sign_in};
use crate::terminal::Terminal;

/// The environment variable with the API token.
pub const API_TOKEN_VARIABLE: &str = "BREAKGLASS_API_TOKEN";

/// Notes on stderr.
const NOTES: Terminal = Terminal { json: false };

/// By what a person is known.
pub(super) enum Credential {
    ApiToken(String),
    Session(Box<SessionCredential>),
}

/// A session, and how to sign in again.
pub(super) struct SessionCredential {
    file: SessionFile,
    provider: Option<String>,
    browser: bool,
    /// For a command that the person copies.
    flags: String,
}

impl Credential {
    /// The first of: `--api-token-file`, the environment, the profile's `api_token_file`, the session.
    ///
    /// # Errors
    /// [`Failure::Invalid`] where there is none, or one that cannot be.
    pub(super) fn choose(settings: &Settings, resolved: &Resolved) -> Result<Credential, Failure> {
        let token_file = resolved.api_token_file.as_deref();
        if let Some(path) = token_file.filter(|_| resolved.file_is_a_flag) {
            return from_file("`--api-token-file`", path).map(Credential::ApiToken);
        }
        let variable = std::env::var(API_TOKEN_VARIABLE).unwrap_or_default();
        if !variable.trim().is_empty() {
            let token = checked(&variable).ok_or_else(|| missing(resolved))?;
            return Ok(Credential::ApiToken(token));
        }
        if let Some(path) = token_file {
            return from_file("the profile's `api_token_file`", path).map(Credential::ApiToken);
        }
        let file = SessionFile::of(resolved.connection.url());
        let file = file.filter(|file| file.path().exists()).ok_or_else(|| missing(resolved))?;
        Ok(Credential::Session(Box::new(SessionCredential {
            file,
            provider: resolved.provider.clone(),
            browser: !settings.no_browser,
            flags: settings.flags(),
        })))
    }

    pub(super) fn session(&self) -> Option<&SessionCredential> {
        match self {
            Credential::ApiToken(_) => None,
            Credential::Session(session) => Some(session),
        }
    }

    /// What to present.
    pub(super) fn bearer(&self, connection: &Connection) -> Result<String, Failure> {
        match self {
            Credential::ApiToken(token) => Ok(token.clone()),
            Credential::Session(session) => {
                let fresh = fresh(connection, &session.file);
                Ok(fresh.map_err(|none| session.words(none))?.access_token)
            }
        }
    }
}

impl SessionCredential {
    /// What to present in the place of a token that the service refused as over or unknown.
    pub(super) fn another(
        &self,
        connection: &Connection,
        refused: &str,
    ) -> Result<String, Failure> {
        let another = after_refusal(connection, &self.file, refused);
        Ok(another.map_err(|none| self.words(none))?.access_token)
    }

    /// Has the person sign in as the service asks, as the person of this session. `why` is the service's refusal.
    ///
    /// # Errors
    /// [`Failure::SignInNeeded`] where there is no terminal to ask at, with the command; or why it came to nothing.
    pub(super) fn step_up(
        &self,
        connection: &Connection,
        challenge: &Challenge,
        why: &Failure,
    ) -> Result<(), Failure> {
        if !(stdin().is_terminal() && stderr().is_terminal()) {
            let command = format!("breakglass login{}{}", challenge.flags(), self.flags);
            let why = why.to_string();
            let to_do = format!("run `{command}`, and then this again");
            return Err(Failure::SignInNeeded { why, to_do });
        }
        NOTES.note(&format!("{why}: sign in for it, and this command goes on"));
        let session = fresh(connection, &self.file).map_err(|none| self.words(none))?;
        let asked = Asked {
            provider: self.provider_of(&session),
            level: Some(challenge.level.clone()),
            max_age_s: challenge.max_age_s,
            account: Some(session.account),
        };
        let how = How { browser: self.browser, device: false, timeout: signin::TIMEOUT };
        let tokens = sign_in(connection, &asked, how, NOTES)?;
        keep::keep(connection, &self.file, &asked, tokens, NOTES).map(|_| ())
    }

    /// The person of the session is at that provider, whatever a profile says.
    fn provider_of(&self, session: &StoredSession) -> Option<String> {
        session.provider().map(str::to_owned).or_else(|| self.provider.clone())
    }

    fn words(&self, none: NoSession) -> Failure {
        let to_do = format!("sign in again with `breakglass login{}`", self.flags);
        match none {
            NoSession::Failed(failure) => failure,
            NoSession::Missing => {
                Failure::SignInNeeded { why: "you have signed out".to_owned(), to_do }
            }
            NoSession::Ended(why) => Failure::SignInNeeded { why, to_do },
        }
    }
}

fn from_file(setting: &str, path: &Path) -> Result<String, Failure> {
    let invalid =
        |cause: String| Failure::Invalid(format!("{setting}: {}: {cause}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    checked(&text).ok_or_else(|| {
        invalid(format!(
            "expected your API token, on one line; or set {API_TOKEN_VARIABLE}, or sign in with `breakglass login`"
        ))
    })
}

/// The token; nothing for what cannot be one.
fn checked(text: &str) -> Option<String> {
    let token = text.trim();
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then(|| token.to_owned())
}

fn missing(resolved: &Resolved) -> Failure {
    Failure::Invalid(format!(
        "you are not signed in at {}: sign in with `breakglass login`; or set {API_TOKEN_VARIABLE}, or \
         `--api-token-file` to a file that holds your API token",
        resolved.connection.url()
    ))
}
