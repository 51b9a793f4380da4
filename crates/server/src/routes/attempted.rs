//! Around every endpoint: what known callers were refused and what auditors read becomes a row of the evidence
//! database, later; a stranger that is refused is counted, and at most one a second is logged;
//! at the endpoints that only proxies call, one a minute for each address.
//!
//! An answer is an attempt if its status is 403, 404 or 409, or it asks for another sign-in, or if its endpoint has put a [`Reason`] into its
//! extensions although it succeeded, or says whom it refused ([`RefusedCaller`]). What was merely not understood (400, 413, ..) is none.

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::App;
use crate::auth::identity::{CallerSlot, KnownCaller, RefusedCaller, known};
use crate::clock::rfc3339;
use crate::evidence::{Attempt, CallerKind, Outcome, Taken};
use crate::problem::Reason;
use crate::tls::{Certificate, ClientCertificate};

/// The longest query that is kept, in bytes.
const MAX_QUERY: usize = 512;

/// The longest id that is kept, in bytes.
const MAX_ID: usize = 64;

/// What is known of a request once it was answered.
struct Asked {
    method: Method,
    uri: Uri,
    endpoint: Option<MatchedPath>,
    source: Option<SocketAddr>,
    certificate: Option<Arc<ClientCertificate>>,
}

/// In the extensions of an answer that is an error by its status alone, and that a client expects: it is no refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotYet;

pub(super) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let slot = CallerSlot::default();
    let extensions = request.extensions_mut();
    extensions.insert(slot.clone());
    let asked = Asked {
        endpoint: extensions.get::<MatchedPath>().cloned(),
        // Without the address where the connection's side did not say it.
        source: extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0),
        certificate: extensions.get::<Arc<ClientCertificate>>().cloned(),
        method: request.method().clone(),
        uri: request.uri().clone(),
    };
    // Where no endpoint asks who is calling.
    let headers = asked.endpoint.is_none().then(|| request.headers().clone());
    let response = next.run(request).await;
    if response.extensions().get::<NotYet>().is_some() {
        return response;
    }
    let status = response.status();
    let reason = response.extensions().get::<Reason>().copied();
    let outcome = match (status.is_success(), reason) {
        (true, Some(_)) => Outcome::Refused,
        (true, None) if asked.is_evidence() => Outcome::Read,
        (true, None) => return response,
        (false, _) => Outcome::Refused,
    };
    if let Some(RefusedCaller(caller)) = response.extensions().get().cloned() {
        asked.note(&app, Outcome::Refused, caller, status, reason);
        return response;
    }
    let caller = slot.get().or_else(|| anywhere(&app, headers.as_ref(), &asked));
    match caller {
        // Proxies read no evidence, and what they put there is no reading.
        Some((CallerKind::Proxy, _)) if outcome == Outcome::Read => {}
        Some(caller) if status.is_success() || is_by_right(status, reason) => {
            asked.note(&app, outcome, caller, status, reason);
        }
        Some(_) => {}
        None if status.is_client_error() => asked.note_stranger(&app, status, reason),
        None => {}
    }
    response
}

fn anywhere(app: &App, headers: Option<&HeaderMap>, asked: &Asked) -> Option<KnownCaller> {
    known(headers?, asked.certificate.as_deref(), app)
}

/// Whether such an answer says that the caller may not, or not any more.
fn is_by_right(status: StatusCode, reason: Option<Reason>) -> bool {
    reason == Some(Reason::InsufficientUserAuthentication)
        || matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::CONFLICT)
}

impl Asked {
    fn is_evidence(&self) -> bool {
        self.endpoint().starts_with("/v1/audit/")
            && matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether only a proxy asks here.
    fn is_for_proxies(&self) -> bool {
        matches!(
            (self.method.as_str(), self.endpoint()),
            ("GET" | "HEAD", "/v1/revocations")
                | ("POST", "/oauth2/introspect" | "/v1/audit/heads" | "/v1/alerts")
        )
    }

    /// A proxy with a wrong credential, or a caller who presents itself as a proxy.
    fn note_unknown_proxy(&self, app: &App, reason: Option<Reason>) {
        let endpoint = self.endpoint();
        app.metrics().unknown_proxy_refused(endpoint);
        let source = self.source.map(|source| source.ip());
        let Some(unlogged) = app.evidence().recorder().logs_unknown_proxy(source) else { return };
        if let Some(certificate) = &self.certificate {
            return self.warn_of_certificate(certificate.shown(), reason, unlogged);
        }
        let what = match reason {
            Some(Reason::CredentialMissing) => {
                "refused a proxy without a credential: set revocation.credential in the filter's configuration, and \
                 the variable that it names"
            }
            _ => {
                "refused a proxy whose credential is unknown: compare token_sha256 of [[proxies]] with the SHA-256 of \
                 the token that its revocation.credential names; after a change send this service SIGHUP"
            }
        };
        let (source, reason) = (self.source(), reason.map(Reason::word));
        tracing::warn!(endpoint, source, reason, unlogged, "{what}");
    }

    /// The same, of a proxy with a client certificate.
    fn warn_of_certificate(
        &self,
        certificate: &Certificate,
        reason: Option<Reason>,
        unlogged: u64,
    ) {
        tracing::warn!(
            endpoint = self.endpoint(),
            source = self.source(),
            reason = reason.map(Reason::word),
            names = certificate.shown_names(),
            sha256 = certificate.shown_sha256(),
            not_after = rfc3339(certificate.not_after.seconds()),
            unlogged,
            "refused a proxy by its client certificate: compare certificate_san and certificate_sha256 of [[proxies]] \
             with it, and the API token that came with it, if one did; after a change send this service SIGHUP"
        );
    }

    fn endpoint(&self) -> &str {
        self.endpoint.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    /// The id in the path, if it looks like one.
    fn object(&self) -> Option<String> {
        let place = self.endpoint().split('/').position(|part| part.starts_with('{'))?;
        let id = self.uri.path().split('/').nth(place)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        (!id.is_empty() && id.len() <= MAX_ID && id.bytes().all(fits)).then(|| id.to_owned())
    }

    /// The query in visible ASCII.
    fn query(&self) -> Option<String> {
        let query = self.uri.query().filter(|query| !query.is_empty())?;
        let shown = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        Some(query.chars().take(MAX_QUERY).map(shown).collect())
    }

    fn source(&self) -> Option<String> {
        self.source.map(|source| source.ip().to_string())
    }

    fn note(
        &self,
        app: &App,
        outcome: Outcome,
        (kind, caller): KnownCaller,
        status: StatusCode,
        reason: Option<Reason>,
    ) {
        let at = app.now();
        let reason = reason.map(Reason::word);
        let attempt = Attempt {
            at,
            outcome,
            caller: caller.clone(),
            kind,
            source: self.source(),
            method: Some(self.method.as_str().chars().take(16).collect()),
            endpoint: Some(self.endpoint().to_owned()),
            object: self.object(),
            query: self.query().filter(|_| outcome == Outcome::Read),
            status: Some(status.as_u16()),
            reason: reason.map(str::to_owned),
            count: 1,
        };
        let taken = app.evidence().recorder().take(attempt);
        app.metrics().attempted(taken);
        if taken == Taken::Row && outcome == Outcome::Refused {
            let (endpoint, source) = (self.endpoint(), self.source());
            let what = match (kind, reason) {
                (CallerKind::Proxy, Some("people_only")) => {
                    "refused: this is a proxy's credential, and the endpoint is for people"
                }
                (CallerKind::Person, Some("proxies_only")) => {
                    "refused: this is a person's credential, and the endpoint is for proxies: give the proxy one of \
                     its own, and list it under [[proxies]]"
                }
                _ => "refused",
            };
            tracing::warn!(caller, kind = kind.word(), endpoint, reason, source, "{what}");
        }
    }

    fn note_stranger(&self, app: &App, status: StatusCode, reason: Option<Reason>) {
        app.metrics().stranger_refused(status.as_u16());
        if status == StatusCode::UNAUTHORIZED && self.is_for_proxies() {
            return self.note_unknown_proxy(app, reason);
        }
        if let Some(unlogged) = app.evidence().recorder().logs_stranger() {
            let (endpoint, reason, source) =
                (self.endpoint(), reason.map(Reason::word), self.source());
            let status = status.as_u16();
            tracing::warn!(endpoint, status, reason, source, unlogged, "refused a stranger");
        }
    }
}
