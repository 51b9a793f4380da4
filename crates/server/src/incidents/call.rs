//! One HTTP call to the system that keeps incidents: bounded in time and bytes, without following redirects, because the
//! credential goes to the address in the configuration and to no other, and because another address could say anything.

use std::time::Duration;

use breakglass_identity::{Outgoing, secret_text};
use breakglass_types::instant::format_duration;
use serde_json::Value;
use ureq::Error;
use url::Url;

use crate::config::IncidentCheck;

/// How much of an answer is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// This document.
    Document(Value),
    /// There is no such incident: 404 or 410.
    NoSuchIncident,
}

/// Why there is no answer, for the log: it names no URL and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Silence {
    /// Why.
    pub cause: String,
    /// What the operator has to do, where the mistake is in this configuration.
    pub to_do: Option<&'static str>,
}

impl Silence {
    pub(super) fn of(cause: impl Into<String>) -> Silence {
        Silence { cause: cause.into(), to_do: None }
    }
}

/// Asks once.
///
/// # Errors
/// [`Silence`].
pub(super) fn get(check: &IncidentCheck, url: &Url, limit: Duration) -> Result<Answer, Silence> {
    let outgoing = Outgoing {
        ca_file: check.ca_file.as_deref(),
        proxy: check.proxy.as_ref(),
        timeout: limit,
        certificate: None,
    };
    let own = |cause: String| Silence {
        cause,
        to_do: Some(
            "put what is expected into this file, readable for the service's user; it is read at each check",
        ),
    };
    let agent = outgoing.agent().map_err(|error| own(error.to_string()))?;
    let mut request = agent.get(url.as_str()).header("user-agent", "breakglass");
    if !check.headers.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
        request = request.header("accept", "application/json");
    }
    for (name, value) in &check.headers {
        request = request.header(name, value);
    }
    if let Some(value) = authorization(check).map_err(own)? {
        request = request.header("authorization", value);
    }
    let mut answer = request.call().map_err(|error| silence(&error, check.timeout))?;
    match answer.status().as_u16() {
        200..=299 => {}
        404 | 410 => return Ok(Answer::NoSuchIncident),
        status => return Err(of_status(status)),
    }
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|error| silence(&error, check.timeout))?;
    let document = serde_json::from_slice(&body);
    document.map(Answer::Document).map_err(|_| Silence::of("its answer is not JSON"))
}

/// The value of `Authorization`, as its file has it now.
///
/// # Errors
/// Says which file cannot be used, and why; never what is in it.
pub fn authorization(check: &IncidentCheck) -> Result<Option<String>, String> {
    let Some(file) = &check.authorization_file else { return Ok(None) };
    let value = secret_text(file).map_err(|error| error.to_string())?;
    match value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        true => Ok(Some(value)),
        false => Err(format!(
            "{}: expected one line of visible ASCII such as `Bearer ..`",
            file.display()
        )),
    }
}

/// What a status means that is neither an answer nor that there is none.
fn of_status(status: u16) -> Silence {
    let to_do = match status {
        300..=399 => Some(
            "let `incident_check.url` be the address that it redirects to, which is not followed",
        ),
        401 | 403 => Some(
            "let `incident_check.authorization_file` have a credential that may read incidents: this one is refused",
        ),
        429 | 500.. => None,
        _ => Some("see that `incident_check.url` and `headers` are as its interface wants them"),
    };
    Silence { cause: format!("expected status 200, 404 or 410, got {status}"), to_do }
}

/// Why no answer came. The library's own words could hold the whole URL.
fn silence(error: &Error, limit: Duration) -> Silence {
    Silence::of(match error {
        Error::Timeout(_) => format!("no answer within {}", format_duration(limit)),
        Error::BodyExceedsLimit(_) => format!("its answer has more than {MAX_ANSWER} bytes"),
        Error::Http(_) | Error::Protocol(_) | Error::LargeResponseHeader(..) => {
            "its answer is no HTTP, or the call is none".to_owned()
        }
        Error::HostNotFound => "the name of its host is not known".to_owned(),
        Error::Io(error) => error.to_string(),
        Error::ConnectionFailed => "no connection".to_owned(),
        Error::Tls(text) => format!("TLS: {text}"),
        Error::Rustls(error) => format!("TLS: {error}"),
        Error::ConnectProxyFailed(_) => "the proxy does not let it through".to_owned(),
        _ => "the call failed".to_owned(),
    })
}
