//! Talks to the service for the command line.
//!
//! ```text
//! settings    flags, environment and profile: which service, and how to reach it
//! connection  one call there and its answer
//! credential  the API token or the session that a call presents; signs in anew where the service asks for it
//! ```

mod address;
mod challenge;
mod connection;
mod credential;
mod failure;
mod profile;
mod response;
mod server_sent;
mod settings;
mod unreachable;

use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_api::Reason;
use breakglass_server::clock::Moment;
use serde::Serialize;

use crate::answer::Answer;
use challenge::Challenge;
use connection::{Call, MAX_ANSWER_BYTES, TIMEOUT};
use credential::Credential;
use response::Head;
use server_sent::ServerSentReader;

pub(crate) use connection::{Connection, certificates};
pub use credential::API_TOKEN_VARIABLE;
pub use failure::Failure;
pub(crate) use response::OAuthRefusal;
pub(crate) use server_sent::ServerSent;
pub use settings::Settings;
pub use unreachable::Cause;
pub(crate) use unreachable::why_unreached;

/// The longest page of evidence, in bytes: heads have a count for each grant.
const MAX_PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// A client of one service.
pub struct Client {
    connection: Connection,
    credential: Credential,
}

impl Client {
    /// A client for these settings.
    ///
    /// # Errors
    /// [`Failure::Invalid`] says which setting is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Client, Failure> {
        let resolved = settings.resolve()?;
        let credential = Credential::choose(settings, &resolved)?;
        Ok(Client { connection: resolved.connection, credential })
    }

    /// The certificates that are trusted instead of the public ones.
    #[must_use]
    pub fn ca_file(&self) -> Option<&PathBuf> {
        self.connection.ca_file()
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn get<T: Answer>(&self, path: &str) -> Result<T, Failure> {
        self.get_within(path, TIMEOUT)
    }

    /// Asks for `path`, and waits for the answer this long.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn get_within<T: Answer>(&self, path: &str, timeout: Duration) -> Result<T, Failure> {
        self.call(&Call { timeout, ..Call::get(path) })
    }

    /// Asks for a page of evidence, which may be longer than other answers.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn page<T: Answer>(&self, path: &str) -> Result<T, Failure> {
        self.call(&Call { limit: MAX_PAGE_BYTES, ..Call::get(path) })
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn post<T: Answer>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.post_within(path, body, None, TIMEOUT)
    }

    /// Sends `body` to `path`, and waits for the answer this long. `key` is the `Idempotency-Key`: a service that
    /// knows it does the work of calls with the same key once.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn post_within<T: Answer>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
        timeout: Duration,
    ) -> Result<T, Failure> {
        let body = written(body)?;
        self.call(&Call { key, timeout, limit: MAX_ANSWER_BYTES, ..Call::post(path, body) })
    }

    /// Puts `body` at `path`.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn put<T: Answer>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.call(&Call::put(path, written(body)?))
    }

    /// Reads a stream of events until it ends, which takes this long at most. `last_id` is the id of what was read last;
    /// empty for what happens from now on.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no; or where `each` fails.
    pub(crate) fn stream(
        &self,
        path: &str,
        last_id: &str,
        timeout: Duration,
        each: &mut dyn FnMut(ServerSent) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let accept = "text/event-stream, application/problem+json";
        let last_event_id = Some(last_id).filter(|id| !id.is_empty());
        let call = Call { accept, last_event_id, timeout, ..Call::get(path) };
        let bearer = self.credential.bearer(&self.connection)?;
        let (mut head, mut body) = self.connection.begin(&call, Some(&bearer))?;
        if let Some(session) = self.credential.session()
            && head.is_unauthorized()
        {
            let refusal = self.connection.whole(&call, &head, body)?;
            if !is_over(&head, &refusal) {
                return head.answer::<serde_json::Value>(&refusal).map(|_| ());
            }
            let bearer = session.another(&self.connection, &bearer)?;
            (head, body) = self.connection.begin(&call, Some(&bearer))?;
        }
        if !head.is_stream() {
            let refusal = self.connection.whole(&call, &head, body)?;
            return head.not_a_stream(&refusal);
        }
        let mut reader = ServerSentReader::new(BufReader::new(body.into_reader()));
        loop {
            match reader.next() {
                Ok(Some(sent)) => each(sent)?,
                Ok(None) => return Ok(()),
                Err(error) => {
                    return Err(self.connection.unreachable(&call, &ureq::Error::from(error)));
                }
            }
        }
    }

    /// When the service's answer was made, by its own clock (RFC 9110 section 6.6.1); nothing where it does not say.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or it is not one of our service's.
    pub fn date(&self) -> Result<Option<Moment>, Failure> {
        let (head, body) = self.exchange(&Call::get("/healthz"))?;
        let date = head.date();
        head.answer::<serde_json::Value>(&body)?;
        Ok(date)
    }

    /// Where the service asks for a stronger or newer sign-in of the session's person, the call is made once more after it.
    fn call<T: Answer>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let failure = match self.call_once(call) {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let Some((session, challenge)) = self.credential.session().zip(Challenge::of(&failure))
        else {
            return Err(failure);
        };
        session.step_up(&self.connection, &challenge, &failure)?;
        self.call_once(call)
    }

    fn call_once<T: Answer>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let (head, body) = self.exchange(call)?;
        head.answer(&body)
    }

    /// Where the service takes the session's access token for over, the call is made once more with the next one.
    fn exchange(&self, call: &Call<'_>) -> Result<(Head, Vec<u8>), Failure> {
        let bearer = self.credential.bearer(&self.connection)?;
        let (head, body) = self.connection.exchange(call, Some(&bearer))?;
        match self.credential.session() {
            Some(session) if is_over(&head, &body) => {
                let bearer = session.another(&self.connection, &bearer)?;
                self.connection.exchange(call, Some(&bearer))
            }
            _ => Ok((head, body)),
        }
    }
}

/// `body` as JSON.
fn written(body: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(body).map_err(|error| Failure::Failed(error.to_string()))
}

/// Whether the service refused the call because of its credential.
fn is_over(head: &Head, body: &[u8]) -> bool {
    let over = [Reason::SessionEnded, Reason::CredentialUnknown].map(Reason::word);
    head.reason(401, body).is_some_and(|reason| over.contains(&reason.as_str()))
}

/// `id` as one segment of a path.
///
/// # Errors
/// [`Failure::Invalid`] for what cannot be an id.
pub fn segment(id: &str) -> Result<&str, Failure> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if id.is_empty() || !id.bytes().all(valid) {
        return Err(Failure::Invalid(
            "expected an id such as `req_01KAN5S3M0W8Z4T2C9X7Y6B5D1` (`breakglass status` lists \
             them)"
                .to_owned(),
        ));
    }
    Ok(id)
}

/// `text` as a value in a query.
#[must_use]
pub fn query_value(text: &str) -> String {
    breakglass_types::percent::query_value(text)
}
