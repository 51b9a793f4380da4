//! Reading claims that an issuer signed.

use std::time::Duration;

use breakglass_audit::text::misleads;
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;
use breakglass_types::limits::LAST_INSTANT;

use crate::limits::MAX_SUBJECT_BYTES;

use super::TokenError;

/// The claims of a token whose signature was checked.
#[derive(Debug)]
pub struct Claims<'a> {
    /// Which kind of token it is, for messages.
    pub(super) what: &'static str,
    /// A JSON object.
    pub(super) json: &'a Json,
}

impl Claims<'_> {
    pub(super) fn wrong(&self, claim: &str, expected: &str) -> TokenError {
        let (claim, expected) = (claim.to_owned(), expected.to_owned());
        TokenError::Claim { what: self.what, claim, expected }
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.json.member(claim).and_then(Json::as_str)
    }

    /// A text that names a person, a session or a token: not empty, bounded, and of characters that can be seen.
    pub(super) fn id(&self, claim: &str) -> Result<String, TokenError> {
        id(self.json.member(claim)).ok_or_else(|| self.wrong(claim, &id_expected()))
    }

    pub(super) fn optional_id(&self, claim: &str) -> Result<Option<String>, TokenError> {
        self.json.member(claim).map(|_| self.id(claim)).transpose()
    }

    pub(super) fn required_instant(&self, claim: &str) -> Result<Instant, TokenError> {
        let expected = "seconds since 1970";
        self.optional_instant(claim)?.ok_or_else(|| self.wrong(claim, expected))
    }

    pub(super) fn optional_instant(&self, claim: &str) -> Result<Option<Instant>, TokenError> {
        let read = |value| instant(value).ok_or_else(|| self.wrong(claim, "seconds since 1970"));
        self.json.member(claim).map(read).transpose()
    }

    /// `aud`: a string or an array of strings (RFC 7519 section 4.1.3).
    pub(super) fn audiences(&self) -> Result<Vec<&str>, TokenError> {
        let audiences = match self.json.member("aud") {
            Some(Json::String(one)) => Some(vec![one.as_str()]),
            Some(Json::Array(items)) => items.iter().map(Json::as_str).collect(),
            _ => None,
        };
        audiences
            .filter(|audiences| !audiences.is_empty())
            .ok_or_else(|| self.wrong("aud", "a text or a list of texts"))
    }

    /// One of `wanted` must be among the audiences.
    pub(super) fn check_audience(&self, wanted: &[String]) -> Result<(), TokenError> {
        let audiences = self.audiences()?;
        match wanted.iter().any(|one| audiences.contains(&one.as_str())) {
            true => Ok(()),
            false => Err(self.wrong("aud", &format!("`{}`", wanted.join("` or `")))),
        }
    }

    /// Keycloak says in the payload too which kind of token it is.
    pub(super) fn check_claimed_type(&self, expected: &str) -> Result<(), TokenError> {
        match self.json.member("typ") {
            Some(typ) if typ.as_str() != Some(expected) => {
                Err(self.wrong("typ", &format!("`{expected}`")))
            }
            _ => Ok(()),
        }
    }
}

/// See [`Claims::id`].
pub(crate) fn id(value: Option<&Json>) -> Option<String> {
    let is_id = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_SUBJECT_BYTES && !text.chars().any(misleads)
    };
    value?.as_str().filter(is_id).map(str::to_owned)
}

pub(crate) fn id_expected() -> String {
    format!("a text of 1 to {MAX_SUBJECT_BYTES} bytes whose characters can be seen")
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction: it is left out.
pub(super) fn instant(value: &Json) -> Option<Instant> {
    let seconds = value.as_u64().or_else(|| {
        let seconds = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
        Some(seconds.as_secs())
    });
    seconds.filter(|seconds| *seconds <= LAST_INSTANT).map(Instant::from_seconds)
}
