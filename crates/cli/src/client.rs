//! Talks to the service for the command line.

mod address;
mod failure;
mod response;
mod unreachable;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use ureq::Agent;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::answer::Answer;
use address::Address;
use breakglass_server::clock::Moment;
pub use failure::Failure;
use response::Head;
pub use unreachable::Cause;
use unreachable::Route;
pub(crate) use unreachable::why_unreached;

/// Above the longest wait that is asked of the service, and its own timeout.
const TIMEOUT: Duration = Duration::from_secs(45);

/// An unreachable address is known soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: 200 requests with every text at its bound are a few MiB.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// The longest page of evidence, in bytes: heads have a count for each grant.
const MAX_PAGE_BYTES: u64 = 64 * 1024 * 1024;

/// The environment variable with the API token.
pub const API_TOKEN_VARIABLE: &str = "BREAKGLASS_API_TOKEN";

/// Under which `--help` lists the settings: after the verb's own options.
const HELP_HEADING: &str = "Service";

/// How to reach the service.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// The approval service's URL, such as `https://approvals.internal`.
    #[arg(
        long,
        global = true,
        env = "BREAKGLASS_URL",
        value_name = "URL",
        help_heading = HELP_HEADING
    )]
    pub url: Option<String>,

    /// A file with your API token; without it, the environment variable `BREAKGLASS_API_TOKEN`.
    #[arg(long, global = true, value_name = "FILE", help_heading = HELP_HEADING)]
    pub api_token_file: Option<PathBuf>,

    /// A PEM file with the certificates to trust instead of the public ones.
    #[arg(
        long,
        global = true,
        env = "BREAKGLASS_CA_FILE",
        value_name = "FILE",
        help_heading = HELP_HEADING
    )]
    pub ca_file: Option<PathBuf>,
}

/// A client of one service.
pub struct Client {
    agent: Agent,
    address: Address,
    route: Route,
    token: String,
}

/// One call.
struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<String>,
    /// The same for each attempt of one submission.
    key: Option<&'a str>,
    timeout: Duration,
    /// The longest answer that is read, in bytes.
    limit: u64,
}

impl Client {
    /// A client for these settings.
    ///
    /// # Errors
    /// [`Failure::Invalid`] says which setting is missing or wrong.
    pub fn new(settings: &Settings) -> Result<Client, Failure> {
        let address = Address::parse(settings.url.as_deref())?;
        let way = address.way()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .proxy(way.proxy)
            // The credential goes to the service that was named, and to no other.
            .max_redirects(0);
        if let Some(path) = &settings.ca_file {
            let setting = "`--ca-file` or BREAKGLASS_CA_FILE";
            let roots = RootCerts::from(certificates(setting, path)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let token = api_token(settings.api_token_file.as_deref())?;
        let route = Route {
            authority: address.authority.clone(),
            proxy: way.words,
            ca_file: settings.ca_file.clone(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
        };
        Ok(Client { agent: config.build().into(), address, route, token })
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
        let method = Method::GET;
        self.call(&Call { method, path, body: None, key: None, timeout, limit: MAX_ANSWER_BYTES })
    }

    /// Asks for a page of evidence, which may be longer than other answers.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub fn page<T: Answer>(&self, path: &str) -> Result<T, Failure> {
        let (method, timeout) = (Method::GET, TIMEOUT);
        self.call(&Call { method, path, body: None, key: None, timeout, limit: MAX_PAGE_BYTES })
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
        let unwritten = |error: serde_json::Error| Failure::Failed(error.to_string());
        let (method, body) = (Method::POST, Some(serde_json::to_string(body).map_err(unwritten)?));
        self.call(&Call { method, path, body, key, timeout, limit: MAX_ANSWER_BYTES })
    }

    /// When the service's answer was made, by its own clock (RFC 9110 section 6.6.1); nothing where it does not say.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or it is not one of our service's.
    pub fn date(&self) -> Result<Option<Moment>, Failure> {
        let (method, timeout) = (Method::GET, TIMEOUT);
        let limit = MAX_ANSWER_BYTES;
        let call = Call { method, path: "/healthz", body: None, key: None, timeout, limit };
        let (head, body) = self.exchange(&call)?;
        let date = head.date();
        head.answer::<serde_json::Value>(&body)?;
        Ok(date)
    }

    fn call<T: Answer>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let (head, body) = self.exchange(call)?;
        head.answer(&body)
    }

    fn exchange(&self, call: &Call<'_>) -> Result<(Head, Vec<u8>), Failure> {
        let url = format!("{}{}", self.address.url, call.path);
        let unreachable = |error: &ureq::Error| {
            let route = Route { timeout: call.timeout, ..self.route.clone() };
            let changes = call.method != Method::GET;
            Failure::Unreachable { url: url.clone(), cause: Cause::new(error, route, changes) }
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&url)
            .header("accept", "application/json, application/problem+json")
            .header("user-agent", concat!("breakglass/", env!("CARGO_PKG_VERSION")))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        if let Some(key) = call.key {
            // A string of structured fields (RFC 9651).
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let request = request
            .body(call.body.clone().unwrap_or_default())
            .map_err(|error| Failure::Invalid(format!("{url}: {error}")))?;
        let request =
            self.agent.configure_request(request).timeout_global(Some(call.timeout)).build();
        let response = self.agent.run(request).map_err(|error| unreachable(&error))?;
        let head = Head::new(url.clone(), &response);
        head.check_redirect()?;
        let body = response.into_body().into_with_config().limit(call.limit).read_to_vec();
        match body {
            Ok(body) => Ok((head, body)),
            Err(ureq::Error::BodyExceedsLimit(limit)) => Err(head.too_long(limit)),
            Err(error) => Err(unreachable(&error)),
        }
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
    breakglass_types::percent::query_value(text)
}

fn api_token(file: Option<&Path>) -> Result<String, Failure> {
    let token = match file {
        Some(path) => fs::read_to_string(path).map_err(|error| {
            Failure::Invalid(format!("`--api-token-file`: {}: {error}", path.display()))
        })?,
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

/// The certificates in the file that `setting` names.
///
/// # Errors
/// [`Failure::Invalid`] where there are none.
pub(crate) fn certificates(
    setting: &str,
    path: &Path,
) -> Result<Vec<Certificate<'static>>, Failure> {
    let invalid =
        |cause: String| Failure::Invalid(format!("{setting}: {}: {cause}", path.display()));
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
