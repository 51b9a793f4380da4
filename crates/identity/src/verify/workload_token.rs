//! Tokens of workloads: pipelines and services, each known by a token of its own issuer (of GitLab, GitHub, Kubernetes, ..).

use std::time::Duration;

use breakglass_core::token::Algorithm;
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;

use crate::limits::{MAX_WORKLOAD_TOKEN_BYTES, WORKLOAD_TOKEN_LIFETIME};

use super::TokenError;
use super::expected::{Expectation, Rules, Sealed};
use super::reading::Claims;

/// Whose tokens name workloads, and what is expected of one.
#[derive(Debug, Clone)]
pub struct WorkloadIssuer {
    /// The `iss`, byte for byte.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// By which algorithms they may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The longest `exp - iat`.
    pub max_lifetime: Duration,
}

impl WorkloadIssuer {
    /// The longest lifetime where none is configured: a day.
    pub const DEFAULT_LIFETIME: Duration = WORKLOAD_TOKEN_LIFETIME;
}

/// A workload, as its issuer names it. Which one it is here, conditions on its claims say.
#[derive(Debug)]
pub struct WorkloadToken {
    /// `iss`.
    pub iss: String,
    /// `sub`.
    pub sub: String,
    /// When it ends.
    pub ends: Instant,
    /// All claims: a JSON object.
    pub json: Json,
}

impl Sealed for WorkloadIssuer {}

impl Expectation for WorkloadIssuer {
    type Token = WorkloadToken;

    fn rules(&self) -> Rules<'_> {
        Rules {
            what: "workload token",
            max_bytes: MAX_WORKLOAD_TOKEN_BYTES,
            // An access token of an issuer of people (RFC 9068, `at+jwt`) is none, nor is its logout token.
            media_types: &["jwt"],
            algorithms: &self.algorithms,
            max_lifetime: Some(self.max_lifetime),
            without_exp: None,
        }
    }

    fn read(&self, claims: &Claims<'_>, _: Instant) -> Result<WorkloadToken, TokenError> {
        let iss = claims.text("iss").filter(|iss| *iss == self.issuer);
        let iss = iss.ok_or_else(|| claims.wrong("iss", &format!("`{}`", self.issuer)))?;
        claims.check_audience(&self.audiences)?;
        Ok(WorkloadToken {
            iss: iss.to_owned(),
            sub: claims.id("sub")?,
            ends: claims.required_instant("exp")?,
            json: claims.json.clone(),
        })
    }
}
