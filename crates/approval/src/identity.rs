//! Who is calling: a person or a proxy, as types, so that no endpoint can take one for the other.
//!
//! A credential is an API token whose SHA-256 is in the configuration. Digests are compared in
//! constant time, and all of them, so that an answer's time says nothing about any of them.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::config::{Config, Digest, Person, Proxy};
use crate::connections::{self, Known};
use crate::problem::{Problem, Reason};

/// The caller is this person.
#[derive(Debug, Clone)]
pub struct AsPerson(pub Arc<Person>);

/// The caller is this proxy.
#[derive(Debug, Clone)]
pub struct AsProxy(pub Arc<Proxy>);

enum Caller {
    Person(Arc<Person>),
    Proxy(Arc<Proxy>),
}

/// The SHA-256 of an API token.
#[must_use]
pub fn digest(token: &str) -> Digest {
    Sha256::digest(token.as_bytes()).into()
}

impl FromRequestParts<App> for AsPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsPerson, Problem> {
        match caller(parts, &app.config())? {
            Caller::Person(person) => Ok(AsPerson(person)),
            Caller::Proxy(_) => Err(Problem::new(
                Reason::PeopleOnly,
                "this is a proxy's credential, and proxies may only ask about grants: use your own",
            )),
        }
    }
}

impl FromRequestParts<App> for AsProxy {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsProxy, Problem> {
        match caller(parts, &app.config())? {
            Caller::Proxy(proxy) => Ok(AsProxy(proxy)),
            Caller::Person(_) => Err(Problem::new(
                Reason::ProxiesOnly,
                "this is a person's credential: use one that is listed under `proxies`",
            )),
        }
    }
}

fn caller(parts: &Parts, config: &Config) -> Result<Caller, Problem> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().and_then(bearer),
        _ => None,
    };
    let Some(token) = token else {
        return Err(Problem::new(
            Reason::CredentialMissing,
            "send exactly one header `Authorization: Bearer <API token>`",
        ));
    };
    let caller = find(config, &digest(token)).ok_or_else(|| {
        Problem::new(
            Reason::CredentialUnknown,
            "this API token is nobody's: its SHA-256 is not in the service's configuration",
        )
    })?;
    if let Some(connection) = parts.extensions.get::<connections::Caller>() {
        connection.is(match &caller {
            Caller::Person(_) => Known::Person,
            Caller::Proxy(proxy) => Known::Proxy(&proxy.name),
        })?;
    }
    Ok(caller)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

fn find(config: &Config, digest: &Digest) -> Option<Caller> {
    let same = |other: &Digest| bool::from(digest.ct_eq(other));
    let mut found = None;
    for person in &config.people {
        if same(&person.token_sha256) {
            found = Some(Caller::Person(Arc::clone(person)));
        }
    }
    for proxy in &config.proxies {
        if same(&proxy.token_sha256) {
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
