//! Callers without a credential, of a public client (RFC 6749 section 2.1): what they may do, their request has to show.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::identity::{AsPerson, presents_no_token};
use crate::app::App;
use crate::config::Person;
use crate::problem::Problem;
use crate::tls::ClientCertificate;

/// The caller is this person, or a public client that presents no credential: what it may do, it has to show.
#[derive(Debug, Clone)]
pub enum AsPersonOrClient {
    /// This person.
    Person(Arc<Person>),
    /// Any client.
    Client,
}

/// Where [`is_client`] leaves that there is no credential: an extension of the request. Nothing outside this file can make one.
#[derive(Clone)]
struct NoCredential;

/// Whether the request presents no credential, of any kind; also leaves it for the endpoint.
pub(crate) fn is_client(parts: &mut Parts) -> bool {
    let has_certificate = parts.extensions.get::<Arc<ClientCertificate>>().is_some();
    let is_client = !has_certificate && presents_no_token(&parts.headers);
    if is_client {
        parts.extensions.insert(NoCredential);
    }
    is_client
}

impl FromRequestParts<App> for AsPersonOrClient {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<AsPersonOrClient, Problem> {
        if parts.extensions.get::<NoCredential>().is_some() {
            return Ok(AsPersonOrClient::Client);
        }
        let AsPerson(person) = AsPerson::from_request_parts(parts, app).await?;
        Ok(AsPersonOrClient::Person(person))
    }
}
