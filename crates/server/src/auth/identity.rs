//! Who is calling: a person or a proxy, as types, so that no endpoint can take one for the other.
//!
//! The guard of a route calls [`authenticate`], once, and an endpoint takes the caller from there ([`AsPerson`],
//! [`AsAuditor`], [`AsProxy`]). An endpoint without a guard has no caller, and answers no request.
//!
//! A credential is an API token whose SHA-256 is in the configuration, or an access token of a session of a person who signed
//! in at an identity provider. Digests are compared in
//! constant time, and all of them, so that an answer's time says nothing about any of them. A proxy may have a client
//! certificate instead, or as well: see [`super::certificate`].

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::certificate::Owner;
use super::live_sessions::{LiveToken, session_ended};
use crate::access::{Access, Actor, SignIn};
use crate::app::App;
use crate::config::{Config, Credential, Digest, Person, Proxy};
use crate::connections::{self, Known as Peer};
use crate::evidence::CallerKind;
use crate::problem::{Problem, Reason};
use crate::session_token::ACCESS_PREFIX;
use crate::store::Request;
use crate::tls::ClientCertificate;

/// The caller is this person.
#[derive(Debug, Clone)]
pub struct AsPerson(pub Arc<Person>);

/// The caller is this person, who signed in like this: for what opens access.
#[derive(Debug, Clone)]
pub struct AsActor(pub Actor);

/// The caller is this proxy.
#[derive(Debug, Clone)]
pub struct AsProxy(pub Arc<Proxy>);

/// The caller is this person, who may audit.
#[derive(Debug, Clone)]
pub struct AsAuditor(pub Arc<Person>);

/// A caller whose credential the configuration lists, or who has a session.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// A person.
    Person(Arc<Person>),
    /// A proxy.
    Proxy(Arc<Proxy>),
}

/// Where [`authenticate`] leaves the caller for the extractors: an extension of the request. Nothing outside this
/// file can make one.
#[derive(Clone)]
struct Authenticated(Caller, SignIn);

impl Caller {
    fn known(&self) -> KnownCaller {
        match self {
            Caller::Person(person) => (CallerKind::Person, person.name.clone()),
            Caller::Proxy(proxy) => (CallerKind::Proxy, proxy.name.clone()),
        }
    }
}

/// A caller by kind and name.
pub(crate) type KnownCaller = (CallerKind, String);

/// Where [`authenticate`] leaves who is calling, for those around an endpoint: an extension of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerSlot(Arc<OnceLock<KnownCaller>>);

impl CallerSlot {
    pub(crate) fn get(&self) -> Option<KnownCaller> {
        self.0.get().cloned()
    }
}

/// A caller that an endpoint knows without a credential in the headers, and refuses: an extension of the answer, for
/// those around the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct RefusedCaller(pub(crate) KnownCaller);

/// Who is calling by these headers and this certificate, where no endpoint has asked.
pub(crate) fn known(
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    app: &App,
) -> Option<KnownCaller> {
    identify(headers, certificate, app, &app.config()).ok().map(|caller| caller.0.known())
}

/// The SHA-256 of an API token.
#[must_use]
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

/// What a request keeps of the credential that submitted it: SHA-256 over the configured digest of the token, or over who
/// signed in, by whatever session.
/// A database that is read tells nothing with which anybody could call.
#[must_use]
pub fn fingerprint(person: &Person) -> Digest {
    match &person.credential {
        Credential::ApiToken(digest) => Sha256::digest(digest).into(),
        // No digest has a text before it, and neither issuer nor subject has a line break in it.
        Credential::Account { issuer, subject } => {
            Sha256::digest(format!("account\n{issuer}\n{subject}")).into()
        }
    }
}

/// Whether `person` calls with the credential that submitted `request`. Of a request of an earlier version
/// nobody knows, and its short life goes on as it began.
#[must_use]
pub fn has_submitted(person: &Person, request: &Request) -> bool {
    request.submitted_with.is_none_or(|credential| credential == fingerprint(person))
}

impl FromRequestParts<App> for AsPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<AsPerson, Problem> {
        match authenticated(parts)?.0 {
            Caller::Person(person) => Ok(AsPerson(person)),
            Caller::Proxy(_) => Err(people_only()),
        }
    }
}

impl FromRequestParts<App> for AsActor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsActor, Problem> {
        let AsPerson(person) = AsPerson::from_request_parts(parts, app).await?;
        Ok(AsActor(Actor { person, sign_in: authenticated(parts)?.1 }))
    }
}

/// The right is looked up here too: the table that the guard asks is not the only word on it.
impl FromRequestParts<App> for AsAuditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsAuditor, Problem> {
        let AsPerson(person) = AsPerson::from_request_parts(parts, app).await?;
        Access::of(&app.config()).check_auditor(&person)?;
        Ok(AsAuditor(person))
    }
}

impl FromRequestParts<App> for AsProxy {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<AsProxy, Problem> {
        match authenticated(parts)?.0 {
            Caller::Proxy(proxy) => Ok(AsProxy(proxy)),
            Caller::Person(_) => Err(proxies_only()),
        }
    }
}

/// The session by which [`authenticate`] knows the caller.
pub(super) fn session_of(parts: &Parts) -> Option<Arc<str>> {
    match &parts.extensions.get::<Authenticated>()?.1 {
        SignIn::Credential => None,
        SignIn::Session { id, .. } => Some(Arc::clone(id)),
    }
}

fn authenticated(parts: &Parts) -> Result<Authenticated, Problem> {
    let caller = parts.extensions.get::<Authenticated>().cloned();
    caller.ok_or_else(|| Problem::internal(&"the route has no guard that authenticates its caller"))
}

/// The refusal of a proxy where only people may call.
pub(crate) fn people_only() -> Problem {
    Problem::new(
        Reason::PeopleOnly,
        "this is a proxy's credential, and proxies may only ask about grants: use your own",
    )
}

/// The refusal of a person where only proxies may call.
pub(crate) fn proxies_only() -> Problem {
    Problem::new(
        Reason::ProxiesOnly,
        "this is a person's credential: use one that is listed under `proxies`",
    )
}

/// An entry of the configuration by which a caller is known.
pub trait Known {
    /// Its name.
    fn name(&self) -> &str;
    /// Whether both are known by the same credential.
    fn has_credential_of(&self, other: &Self) -> bool;
}

impl Known for Proxy {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_credential_of(&self, other: &Proxy) -> bool {
        self.token_sha256 == other.token_sha256
            && self.certificate_san == other.certificate_san
            && self.certificate_sha256 == other.certificate_sha256
    }
}

/// The entry of `caller` as the configuration has it now: for a caller that has waited, because the
/// configuration may have been replaced meanwhile.
///
/// # Errors
/// A refusal if the caller's name or credential is not there any more.
pub fn still_configured<T: Known>(entries: &[Arc<T>], caller: &T) -> Result<Arc<T>, Problem> {
    let same = |entry: &&Arc<T>| entry.name() == caller.name() && entry.has_credential_of(caller);
    entries.iter().find(same).cloned().ok_or_else(unknown_credential)
}

pub(super) fn unknown_credential() -> Problem {
    Problem::new(
        Reason::CredentialUnknown,
        "this API token is nobody's: its SHA-256 is not in the service's configuration",
    )
}

/// Who is calling, by the credential of the request; also leaves the caller for the endpoint and for those around it.
///
/// # Errors
/// [`Reason::CredentialMissing`] or [`Reason::CredentialUnknown`]; or another, where the connection takes no
/// more of this caller.
pub(crate) fn authenticate(
    parts: &mut Parts,
    app: &App,
    config: &Config,
) -> Result<Caller, Problem> {
    let certificate = parts.extensions.get::<Arc<ClientCertificate>>();
    let (caller, sign_in) = identify(&parts.headers, certificate.map(Arc::as_ref), app, config)?;
    if let Some(slot) = parts.extensions.get::<CallerSlot>() {
        // It is filled once: a request has one credential.
        let _ = slot.0.set(caller.known());
    }
    if let Some(connection) = parts.extensions.get::<connections::Caller>() {
        connection.is(match &caller {
            Caller::Person(_) => Peer::Person,
            Caller::Proxy(proxy) => Peer::Proxy(&proxy.name),
        })?;
    }
    parts.extensions.insert(Authenticated(caller.clone(), sign_in));
    Ok(caller)
}

/// Who is calling by everything that the request presents.
fn identify(
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
    app: &App,
    config: &Config,
) -> Result<(Caller, SignIn), Problem> {
    let mut sign_in = SignIn::Credential;
    let by_token = match presented(headers) {
        Presented::Nothing => None,
        Presented::Token(token) => {
            let digest = digest(token);
            match find(config, &digest) {
                Some(caller) => Some(caller),
                None if token.starts_with(ACCESS_PREFIX) => {
                    let (person, session) = of_session(app, config, &digest)?;
                    sign_in = session;
                    Some(Caller::Person(person))
                }
                None => return Err(unknown_credential()),
            }
        }
        Presented::Unreadable => return Err(missing_credential()),
    };
    let owner = certificate.map(|certificate| Owner::of(certificate, config)).transpose()?;
    let caller = match (by_token, owner) {
        (None, None) => Err(missing_credential()),
        (Some(caller), None) => Ok(caller),
        (None, Some(owner)) => owner.into_proxy().map(Caller::Proxy),
        (Some(Caller::Person(person)), Some(owner)) => {
            owner.check_person()?;
            Ok(Caller::Person(person))
        }
        (Some(Caller::Proxy(proxy)), Some(owner)) => {
            owner.check_proxy(&proxy)?;
            Ok(Caller::Proxy(proxy))
        }
    };
    Ok((caller?, sign_in))
}

/// The person whose session has this access token, and the session.
fn of_session(
    app: &App,
    config: &Config,
    digest: &Digest,
) -> Result<(Arc<Person>, SignIn), Problem> {
    let found = app.sessions().find(digest, app.now());
    let of = |LiveToken { session: id, account, factor, by_device, .. }: LiveToken| {
        let sign_in = SignIn::Session { id, factor, by_device };
        Some((config.people.account(&account)?, sign_in))
    };
    found.and_then(of).ok_or_else(session_ended)
}

/// What a request presents as an API token.
enum Presented<'a> {
    Nothing,
    Token(&'a str),
    Unreadable,
}

pub(crate) fn missing_credential() -> Problem {
    Problem::new(
        Reason::CredentialMissing,
        "send exactly one header `Authorization: Bearer <API token>`",
    )
}

/// Whether the request has no header with a credential.
pub(super) fn presents_no_token(headers: &HeaderMap) -> bool {
    matches!(presented(headers), Presented::Nothing)
}

fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Presented::Nothing,
        (Some(value), None) => {
            value.to_str().ok().and_then(bearer).map_or(Presented::Unreadable, Presented::Token)
        }
        (Some(_), Some(_)) => Presented::Unreadable,
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

fn find(config: &Config, digest: &Digest) -> Option<Caller> {
    let same = |other: &Digest| bool::from(digest.ct_eq(other));
    let mut found = None;
    for person in &config.people {
        if person.credential.api_token().is_some_and(same) {
            found = Some(Caller::Person(Arc::clone(person)));
        }
    }
    for proxy in &config.proxies {
        if proxy.token_sha256.as_ref().is_some_and(same) {
            found = Some(Caller::Proxy(Arc::clone(proxy)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_bearer_credential() {
        for (value, token) in [
            ("Bearer t", Some("t")),
            ("bearer  t ", Some("t")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic t", None),
            ("t", None),
        ] {
            assert_eq!(bearer(value), token, "{value:?}");
        }
    }
}
