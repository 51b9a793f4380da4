//! One HTTP call to a system that answers in JSON: bounded in time and bytes, without following redirects, because the
//! credential goes to the address in the configuration and to no other, and because another address could say anything.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_identity::{Outgoing, secret_text};
use breakglass_types::instant::format_duration;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;
use ureq::Error;
use url::Url;

use crate::config::{IncidentCheck, OnCallSource};

/// How much of an answer is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;

/// How a system is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its table in the configuration.
    pub table: &'static str,
    /// Further headers, by their names.
    pub headers: BTreeMap<String, String>,
    /// A file with the value of the header `Authorization`.
    pub authorization_file: Option<PathBuf>,
    /// A PEM file with the certificates to trust, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<Url>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl From<&IncidentCheck> for Source {
    fn from(source: &IncidentCheck) -> Source {
        Source {
            table: "incident_check",
            headers: source.headers.clone(),
            authorization_file: source.authorization_file.clone(),
            ca_file: source.ca_file.clone(),
            proxy: source.proxy.clone(),
            timeout: source.timeout,
        }
    }
}

impl From<&OnCallSource> for Source {
    fn from(on_call: &OnCallSource) -> Source {
        Source {
            table: "on_call",
            headers: on_call.headers.clone(),
            authorization_file: on_call.authorization_file.clone(),
            ca_file: on_call.ca_file.clone(),
            proxy: on_call.proxy.clone(),
            timeout: on_call.timeout,
        }
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// This document.
    Document(Value),
    /// There is no such thing: 404 or 410.
    NotThere,
}

/// Why there is no answer, for the log: it names no URL and no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Silence {
    /// Why.
    pub cause: String,
    /// What the operator has to do, where the mistake is in this configuration.
    pub to_do: Option<String>,
}

impl Silence {
    pub(crate) fn of(cause: impl Into<String>) -> Silence {
        Silence { cause: cause.into(), to_do: None }
    }
}

/// Asks once, on a thread of its own: a system that does not answer keeps that thread, and what `keeps` is, and neither this task
/// nor the end of the service, which waits for the threads of the runtime.
///
/// # Errors
/// [`Silence`].
pub async fn ask<T: Send + 'static>(
    source: Source,
    url: Url,
    limit: Duration,
    keeps: T,
) -> Result<Answer, Silence> {
    let late = Silence::of(format!("no answer within {}", format_duration(source.timeout)));
    let (done, ended) = oneshot::channel();
    let work = move || {
        let answer = get(&source, &url, limit);
        drop(keeps);
        // The one who asked may have gone away meanwhile.
        let _ = done.send(answer);
    };
    let thread = std::thread::Builder::new().name("json-call".to_owned()).spawn(work);
    thread.map_err(|error| Silence::of(format!("no thread: {error}")))?;
    match timeout(limit, ended).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Silence::of("the call ended without an outcome")),
        Err(_) => Err(late),
    }
}

fn get(source: &Source, url: &Url, limit: Duration) -> Result<Answer, Silence> {
    let outgoing = Outgoing {
        ca_file: source.ca_file.as_deref(),
        proxy: source.proxy.as_ref(),
        timeout: limit,
        certificate: None,
    };
    let own = |cause: String| {
        Silence {
        cause,
        to_do: Some(
            "put what is expected into this file, readable for the service's user; it is read at each call"
                .to_owned(),
        ),
    }
    };
    let agent = outgoing.agent().map_err(|error| own(error.to_string()))?;
    let mut request = agent.get(url.as_str()).header("user-agent", "breakglass");
    if !source.headers.keys().any(|name| name.eq_ignore_ascii_case("accept")) {
        request = request.header("accept", "application/json");
    }
    for (name, value) in &source.headers {
        request = request.header(name, value);
    }
    if let Some(value) = authorization(&source.authorization_file).map_err(own)? {
        request = request.header("authorization", value);
    }
    let mut answer = request.call().map_err(|error| silence(&error, source.timeout))?;
    match answer.status().as_u16() {
        200..=299 => {}
        404 | 410 => return Ok(Answer::NotThere),
        status => return Err(of_status(source, status)),
    }
    let body = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    let body = body.map_err(|error| silence(&error, source.timeout))?;
    let document = serde_json::from_slice(&body);
    document.map(Answer::Document).map_err(|_| Silence::of("its answer is not JSON"))
}

/// The value of `Authorization`, as its file has it now.
///
/// # Errors
/// Says which file cannot be used, and why; never what is in it.
pub fn authorization(file: &Option<PathBuf>) -> Result<Option<String>, String> {
    let Some(file) = file else { return Ok(None) };
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
fn of_status(source: &Source, status: u16) -> Silence {
    let table = source.table;
    let to_do = match status {
        300..=399 => Some(format!(
            "let `{table}.url` be the address that it redirects to, which is not followed"
        )),
        401 | 403 => Some(format!(
            "let `{table}.authorization_file` have a credential that may read there: this one is refused"
        )),
        429 | 500.. => None,
        _ => Some(format!("see that `{table}.url` and `headers` are as its interface wants them")),
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
