//! JWT-SVIDs (the SPIFFE JWT-SVID specification, section 3), and the bundles with their keys (SPIFFE Trust Domain and Bundle,
//! section 4).

use std::collections::BTreeMap;

use breakglass_core::token::{Algorithm, KeySet};
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;

use crate::error::ProviderError;
use crate::limits::{MAX_KEY_SET_BYTES, MAX_WORKLOAD_TOKEN_BYTES, WORKLOAD_TOKEN_LIFETIME};

use super::TokenError;
use super::expected::{Expectation, Rules, Sealed};
use super::reading::Claims;

/// A workload, as its SPIFFE trust domain names it.
#[derive(Debug)]
pub struct JwtSvid {
    /// `sub`: such as `spiffe://corp.example/ns/ci/sa/deployer`.
    pub spiffe_id: String,
    /// When it ends.
    pub ends: Instant,
}

/// What is expected of a JWT-SVID. It has no `iss`: whose it is, its key and its trust domain say.
#[derive(Debug, Clone)]
pub struct ExpectedJwtSvid {
    /// The trust domain, such as `corp.example`.
    pub trust_domain: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// By which algorithms it may be signed.
    pub algorithms: Vec<Algorithm>,
}

impl Sealed for ExpectedJwtSvid {}

impl Expectation for ExpectedJwtSvid {
    type Token = JwtSvid;

    fn rules(&self) -> Rules<'_> {
        Rules {
            what: "JWT-SVID",
            max_bytes: MAX_WORKLOAD_TOKEN_BYTES,
            media_types: &["jwt", "jose"],
            algorithms: &self.algorithms,
            max_lifetime: Some(WORKLOAD_TOKEN_LIFETIME),
            without_exp: None,
        }
    }

    fn read(&self, claims: &Claims<'_>, _: Instant) -> Result<JwtSvid, TokenError> {
        claims.check_audience(&self.audiences)?;
        let spiffe_id = claims.id("sub")?;
        let expected = || format!("`spiffe://{}/..`", self.trust_domain);
        match path_of(&spiffe_id, &self.trust_domain).is_some_and(is_path) {
            true => Ok(JwtSvid { spiffe_id, ends: claims.required_instant("exp")? }),
            false => Err(claims.wrong("sub", &expected())),
        }
    }
}

/// What stands in a SPIFFE ID after its trust domain and a slash.
fn path_of<'a>(spiffe_id: &'a str, trust_domain: &str) -> Option<&'a str> {
    spiffe_id.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?.strip_prefix('/')
}

/// SPIFFE ID section 2.2: segments of letters, digits, dots, hyphens and underscores; none is empty, `.` or `..`.
fn is_path(path: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    path.split('/')
        .all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed))
}

/// Reads the keys for JWT-SVIDs of a bundle: those with `"use": "jwt-svid"`, which have no `alg`. The others are for
/// certificates.
///
/// # Errors
/// [`ProviderError::Wrong`] where the body is too large or none of its keys can be used.
pub fn svid_keys(bundle: &[u8]) -> Result<KeySet, ProviderError> {
    let wrong = |why: String| ProviderError::Wrong(format!("SPIFFE bundle: {why}"));
    if bundle.len() > MAX_KEY_SET_BYTES {
        return Err(wrong(format!(
            "expected at most {MAX_KEY_SET_BYTES} bytes, got {}",
            bundle.len()
        )));
    }
    let json = Json::parse(bundle).map_err(|error| wrong(error.to_string()))?;
    let keys = json.member("keys").and_then(Json::as_array).unwrap_or_default();
    let keys = keys.iter().filter_map(as_signing_key).collect();
    let set = Json::Object(BTreeMap::from([("keys".to_owned(), Json::Array(keys))]));
    KeySet::read_remote(&set).map_err(|error| wrong(error.to_string()))
}

/// A key for JWT-SVIDs as one for signatures, which is what the core knows.
fn as_signing_key(key: &Json) -> Option<Json> {
    let mut members = key.as_object()?.clone();
    let purpose = members.insert("use".to_owned(), Json::from("sig"))?;
    (purpose.as_str() == Some("jwt-svid")).then_some(Json::Object(members))
}
