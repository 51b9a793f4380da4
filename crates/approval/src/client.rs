//! Talks to the service for the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::exit::Exit;

/// Above the longest wait that is asked of the service, and its own timeout.
const TIMEOUT: Duration = Duration::from_secs(45);

/// An unreachable address is known soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The environment variable with the API token.
pub const API_TOKEN_VARIABLE: &str = "BREAKGLASS_API_TOKEN";

/// How to reach the service.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The service's URL.
    #[arg(long, global = true, env = "BREAKGLASS_URL", value_name = "URL")]
    pub url: Option<String>,

    /// A file with your API token; without it, the environment variable `BREAKGLASS_API_TOKEN`.
    #[arg(long, global = true, value_name = "FILE")]
    pub api_token_file: Option<PathBuf>,

    /// A PEM file with the certificates to trust instead of the public ones.
    #[arg(long, global = true, env = "BREAKGLASS_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Why a command ended without its result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was given is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The answer did not come, or is not one of our service's.
    #[error("{url}: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The service refused.
    #[error("{}", .problem.get("detail").and_then(Value::as_str).unwrap_or("the service refused"))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem document.
        problem: Value,
    },
    /// The result could not be written.
    #[error("stdout: {0}")]
    Output(String),
    /// It failed on this machine.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// The exit code for it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Invalid(_) => Exit::Invalid,
            Failure::Refused { status, .. } => Exit::of_status(*status),
            Failure::Unreachable { .. } | Failure::Output(_) | Failure::Failed(_) => Exit::Fail,
        }
    }

    /// The stable word, where the service gave one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Failure::Refused { problem, .. } => problem.get("reason").and_then(Value::as_str),
            _ => None,
        }
    }

    /// The failure as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Failure::Refused { problem, .. } => problem.clone(),
            other => json!({ "reason": other.word(), "detail": other.to_string() }),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Failure::Invalid(_) => "invalid_input",
            Failure::Unreachable { .. } => "unreachable",
            Failure::Refused { .. } => "refused",
            Failure::Output(_) | Failure::Failed(_) => "failed",
        }
    }
}

/// A client of one service.
pub struct Client {
    agent: Agent,
    url: String,
    token: String,
}

impl Client {
    /// A client for these settings.
    ///
    /// # Errors
    /// [`Failure::Invalid`] says which setting is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Client, Failure> {
        let url = settings.url.as_deref().map(|url| url.trim_end_matches('/')).unwrap_or_default();
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(Failure::Invalid(
                "set `--url` or BREAKGLASS_URL to the service's URL, such as \
                 `https://approvals.internal`"
                    .to_owned(),
            ));
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            // The credential goes to the service that was named, and to no other.
            .max_redirects(0);
        if let Some(path) = &settings.ca_file {
            let roots = RootCerts::from(certificates(path)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let token = api_token(settings.api_token_file.as_deref())?;
        Ok(Client { agent: config.build().into(), url: url.to_owned(), token })
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or the answer is no.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None)
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or the answer is no.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body))
    }

    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.url);
        let unreachable = |cause: String| Failure::Unreachable { url: url.clone(), cause };
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body.map_or_else(String::new, Value::to_string))
            .map_err(|error| Failure::Invalid(format!("{url}: {error}")))?;
        let mut response =
            self.agent.run(request).map_err(|error| unreachable(error.to_string()))?;
        let status = response.status().as_u16();
        let text =
            response.body_mut().read_to_string().map_err(|error| unreachable(error.to_string()))?;
        let answer: Value = serde_json::from_str(&text).map_err(|_| {
            unreachable(format!("status {status} without JSON: is it our service?"))
        })?;
        if Exit::of_status(status) == Exit::Done {
            return Ok(answer);
        }
        if answer.get("reason").and_then(Value::as_str).is_none() {
            return Err(unreachable(format!(
                "status {status} without a reason: is it our service?"
            )));
        }
        Err(Failure::Refused { status, problem: answer })
    }
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
    text.bytes().fold(String::new(), |mut query, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push_str(&format!("%{byte:02X}"));
        }
        query
    })
}

fn api_token(file: Option<&Path>) -> Result<String, Failure> {
    let token = match file {
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Failure::Invalid(format!("{}: {error}", path.display())))?,
        None => std::env::var(API_TOKEN_VARIABLE).unwrap_or_default(),
    };
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::Invalid(format!(
            "set {API_TOKEN_VARIABLE}, or `--api-token-file` to a file that holds your API token"
        )));
    }
    Ok(token.to_owned())
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Failure> {
    let invalid = |cause: String| Failure::Invalid(format!("{}: {cause}", path.display()));
    let pem = fs::read(path).map_err(|error| invalid(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) =
            item.map_err(|error| invalid(error.to_string()))?
        {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(invalid("expected at least one certificate in PEM".to_owned()));
    }
    Ok(certificates)
}
