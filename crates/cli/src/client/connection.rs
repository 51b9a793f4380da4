//! A service at its URL: one call there, and its answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use breakglass_api::watch::LAST_EVENT_ID;
use serde::de::DeserializeOwned;
use ureq::http::{Method, Request};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};
use url::form_urlencoded::Serializer;

use super::address::Address;
use super::failure::Failure;
use super::response::{Head, OAuthRefusal};
use super::unreachable::{Cause, Route};
use crate::answer::Answer;

/// Above the longest wait that is asked of the service, and its own timeout.
pub(super) const TIMEOUT: Duration = Duration::from_secs(45);

/// An unreachable address is known soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: 200 requests with every text at its bound are a few MiB.
pub(super) const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// The longest answer of the endpoints for signing in, in bytes.
const MAX_FORM_ANSWER_BYTES: u64 = 1024 * 1024;

/// One service.
pub(crate) struct Connection {
    agent: Agent,
    address: Address,
    route: Route,
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) content_type: &'a str,
    pub(super) accept: &'a str,
    /// What was read last of a stream of events.
    pub(super) last_event_id: Option<&'a str>,
    pub(super) body: Option<String>,
    /// The same for each attempt of one submission.
    pub(super) key: Option<&'a str>,
    pub(super) timeout: Duration,
    /// The longest answer that is read, in bytes.
    pub(super) limit: u64,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a str) -> Call<'a> {
        Call {
            method: Method::GET,
            path,
            content_type: "application/json",
            accept: "application/json, application/problem+json",
            last_event_id: None,
            body: None,
            key: None,
            timeout: TIMEOUT,
            limit: MAX_ANSWER_BYTES,
        }
    }

    pub(super) fn post(path: &'a str, body: String) -> Call<'a> {
        Call { method: Method::POST, body: Some(body), ..Call::get(path) }
    }

    pub(super) fn put(path: &'a str, body: String) -> Call<'a> {
        Call { method: Method::PUT, ..Call::post(path, body) }
    }
}

impl Connection {
    /// The service at `url`, over TLS by the certificates in `ca_file` or the public ones.
    ///
    /// # Errors
    /// [`Failure::Invalid`] says which setting is missing or wrong.
    pub(crate) fn new(url: Option<&str>, ca_file: Option<&Path>) -> Result<Connection, Failure> {
        let address = Address::parse(url)?;
        let way = address.way()?;
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .proxy(way.proxy)
            // The credential goes to the service that was named, and to no other.
            .max_redirects(0);
        if let Some(path) = ca_file {
            let setting = "`--ca-file` or BREAKGLASS_CA_FILE";
            let roots = RootCerts::from(certificates(setting, path)?);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let route = Route {
            authority: address.authority.clone(),
            proxy: way.words,
            ca_file: ca_file.map(Path::to_owned),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: TIMEOUT,
        };
        Ok(Connection { agent: config.build().into(), address, route })
    }

    /// Scheme, authority and path of the service, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.address.url
    }

    /// The certificates that are trusted instead of the public ones.
    pub(crate) fn ca_file(&self) -> Option<&PathBuf> {
        self.route.ca_file.as_ref()
    }

    /// Asks for `path` without a credential.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, it is not one of our service's, or it is no.
    pub(crate) fn get<T: Answer>(&self, path: &str) -> Result<T, Failure> {
        let (head, body) = self.exchange(&Call::get(path), None)?;
        head.answer(&body)
    }

    /// Sends a form to an endpoint whose refusals are those of RFC 6749 section 5.2, without a credential.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or it is not one of our service's.
    pub(crate) fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Result<T, OAuthRefusal>, Failure> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let content_type = "application/x-www-form-urlencoded";
        let limit = MAX_FORM_ANSWER_BYTES;
        let call = Call { content_type, timeout, limit, ..Call::post(path, body) };
        let (head, body) = self.exchange(&call, None)?;
        head.oauth(&body)
    }

    /// Ends the session of `token` (RFC 7009): to have the token is the right to it, and the client's name is all that goes with
    /// it.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or it is no.
    pub(crate) fn revoke(&self, token: &str, client: &str) -> Result<(), Failure> {
        let fields =
            [("token", token), ("token_type_hint", "refresh_token"), ("client_id", client)];
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let content_type = "application/x-www-form-urlencoded";
        let limit = MAX_FORM_ANSWER_BYTES;
        let call = Call { content_type, limit, ..Call::post("/oauth2/revoke", body) };
        let (head, body) = self.exchange(&call, None)?;
        head.check_done(&body)
    }

    /// Makes the call, and returns what comes back.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or a redirect.
    pub(super) fn exchange(
        &self,
        call: &Call<'_>,
        bearer: Option<&str>,
    ) -> Result<(Head, Vec<u8>), Failure> {
        let (head, body) = self.begin(call, bearer)?;
        let body = self.whole(call, &head, body)?;
        Ok((head, body))
    }

    /// Reads all of the body.
    ///
    /// # Errors
    /// [`Failure`] if it is too long, or does not come.
    pub(super) fn whole(
        &self,
        call: &Call<'_>,
        head: &Head,
        body: Body,
    ) -> Result<Vec<u8>, Failure> {
        match body.into_with_config().limit(call.limit).read_to_vec() {
            Ok(body) => Ok(body),
            Err(ureq::Error::BodyExceedsLimit(limit)) => Err(head.too_long(limit)),
            Err(error) => Err(self.unreachable(call, &error)),
        }
    }

    /// Why no answer to this call came, or no more of it.
    pub(super) fn unreachable(&self, call: &Call<'_>, error: &ureq::Error) -> Failure {
        let url = format!("{}{}", self.address.url, call.path);
        let route = Route { timeout: call.timeout, ..self.route.clone() };
        let changes = call.method != Method::GET;
        Failure::Unreachable { url, cause: Cause::new(error, route, changes) }
    }

    /// Makes the call, and returns what comes back before the body has come.
    ///
    /// # Errors
    /// [`Failure`] if there is no answer, or a redirect.
    pub(super) fn begin(
        &self,
        call: &Call<'_>,
        bearer: Option<&str>,
    ) -> Result<(Head, Body), Failure> {
        let url = format!("{}{}", self.address.url, call.path);
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&url)
            .header("accept", call.accept)
            .header("user-agent", concat!("breakglass/", env!("CARGO_PKG_VERSION")))
            .header("content-type", call.content_type);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if let Some(id) = call.last_event_id {
            request = request.header(LAST_EVENT_ID, id);
        }
        if let Some(key) = call.key {
            // A string of structured fields (RFC 9651).
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        let request = request
            .body(call.body.clone().unwrap_or_default())
            .map_err(|error| Failure::Invalid(format!("{url}: {error}")))?;
        let request =
            self.agent.configure_request(request).timeout_global(Some(call.timeout)).build();
        let response = self.agent.run(request).map_err(|error| self.unreachable(call, &error))?;
        let head = Head::new(url, &response);
        head.check_redirect()?;
        Ok((head, response.into_body()))
    }
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
