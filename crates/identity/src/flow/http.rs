//! One HTTP call to a provider: bounded in time and bytes, over TLS that trusts what the entry says, and without following
//! redirects, because codes and secrets go to the place that was named and to no other.

use breakglass_types::instant::format_duration;
use ureq::http::Response;
use ureq::{Agent, Body, Error};
use url::Url;

use crate::entry::{ClientAuthentication, IdentityProvider};
use crate::error::ProviderError;
use crate::outgoing::Outgoing;

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The media type of the body, without parameters.
    pub(super) media_type: String,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Gets a document; `bearer` is an access token.
pub(super) fn get(
    entry: &IdentityProvider,
    url: &Url,
    bearer: Option<&str>,
    max_bytes: usize,
) -> Result<Answer, ProviderError> {
    let mut request = agent(entry)?.get(url.as_str()).header("accept", "application/json");
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    read(entry, url, request.call(), max_bytes)
}

/// Posts a form; `authorization` is the value of that header.
pub(super) fn post(
    entry: &IdentityProvider,
    url: &Url,
    authorization: Option<&str>,
    form: &str,
    max_bytes: usize,
) -> Result<Answer, ProviderError> {
    let mut request = agent(entry)?
        .post(url.as_str())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    read(entry, url, request.send(form), max_bytes)
}

/// An agent for one call.
fn agent(entry: &IdentityProvider) -> Result<Agent, ProviderError> {
    let certificate = match &entry.client_authentication {
        ClientAuthentication::Certificate { file, key_file } => {
            Some((file.as_path(), key_file.as_path()))
        }
        _ => None,
    };
    let outgoing = Outgoing {
        ca_file: entry.ca_file.as_deref(),
        proxy: entry.proxy.as_ref(),
        timeout: entry.timeout,
        certificate,
    };
    outgoing.agent()
}

fn read(
    entry: &IdentityProvider,
    url: &Url,
    answer: Result<Response<Body>, Error>,
    max_bytes: usize,
) -> Result<Answer, ProviderError> {
    let failed = |error| failure(entry, url, error);
    let mut answer = answer.map_err(failed)?;
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    Ok(Answer {
        status: answer.status().as_u16(),
        media_type: answer.body().mime_type().unwrap_or_default().to_ascii_lowercase(),
        body: answer.body_mut().with_config().limit(limit).read_to_vec().map_err(failed)?,
    })
}

fn failure(entry: &IdentityProvider, url: &Url, error: Error) -> ProviderError {
    let at = format!("{}{}", url.origin().ascii_serialization(), url.path());
    let cause = match error {
        Error::Timeout(_) => format!("none came within {}", format_duration(entry.timeout)),
        Error::BodyExceedsLimit(limit) => {
            return ProviderError::Wrong(format!("{at}: expected at most {limit} bytes"));
        }
        Error::Http(_) | Error::Protocol(_) | Error::LargeResponseHeader(..) => {
            return ProviderError::Wrong(format!("{at}: no HTTP: {error}"));
        }
        other => other.to_string(),
    };
    ProviderError::NoAnswer { at, cause }
}
