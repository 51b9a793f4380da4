//! One claim, and the values that it may have.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::limits::{LAST_INSTANT, MAX_NAME_BYTES, MAX_TEXT_BYTES};
use crate::scope_rules::ScopeDigest;

/// Why claims cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClaims {
    /// The payload is not a JSON object.
    #[error("the claims are not an object")]
    NotAnObject,
    /// A required claim is not there.
    #[error("claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim has another type, or a value outside its bounds.
    #[error("claim `{0}` is invalid")]
    Invalid(&'static str),
}

/// A claim that may be absent.
pub(super) struct Claim<'a> {
    pub(super) name: &'static str,
    pub(super) value: Option<&'a Json>,
}

/// A claim that is there.
pub(super) struct Present<'a> {
    pub(super) name: &'static str,
    pub(super) value: &'a Json,
}

impl<'a> Claim<'a> {
    pub(super) fn required(self) -> Result<Present<'a>, InvalidClaims> {
        let value = self.value.ok_or(InvalidClaims::Missing(self.name))?;
        Ok(Present { name: self.name, value })
    }

    pub(super) fn optional<T>(
        self,
        read: impl FnOnce(Present<'a>) -> Result<T, InvalidClaims>,
    ) -> Result<Option<T>, InvalidClaims> {
        self.value.map(|value| read(Present { name: self.name, value })).transpose()
    }
}

impl Present<'_> {
    pub(super) fn invalid(&self) -> InvalidClaims {
        InvalidClaims::Invalid(self.name)
    }

    /// A NumericDate in whole seconds: `round` is for one with a fraction.
    pub(super) fn instant(&self, round: fn(f64) -> f64) -> Result<u64, InvalidClaims> {
        let whole = self.value.as_u64().or_else(|| {
            let rounded = round(self.value.as_f64().filter(|seconds| *seconds >= 0.0)?);
            // Every whole number in this range has a double of its own.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "in range, and whole"
            )]
            (0.0..=LAST_INSTANT as f64).contains(&rounded).then_some(rounded as u64)
        });
        whole.filter(|instant| *instant <= LAST_INSTANT).ok_or(self.invalid())
    }

    pub(super) fn string(&self, valid: impl FnOnce(&str) -> bool) -> Result<String, InvalidClaims> {
        self.value.as_str().filter(|text| valid(text)).map(str::to_owned).ok_or(self.invalid())
    }

    pub(super) fn name(&self) -> Result<String, InvalidClaims> {
        self.string(is_name)
    }

    pub(super) fn token(&self) -> Result<String, InvalidClaims> {
        self.string(|text| is_name(text) && text.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    pub(super) fn text(&self) -> Result<String, InvalidClaims> {
        self.string(|text| text.len() <= MAX_TEXT_BYTES)
    }

    pub(super) fn words(&self) -> Result<Vec<String>, InvalidClaims> {
        let text = self.value.as_str().ok_or(self.invalid())?;
        text.split(' ')
            .map(|word| if is_name(word) { Ok(word.to_owned()) } else { Err(self.invalid()) })
            .collect()
    }

    pub(super) fn names(&self) -> Result<Vec<String>, InvalidClaims> {
        let items = self.value.as_array().ok_or(self.invalid())?;
        items.iter().map(|value| Present { name: self.name, value }.name()).collect()
    }

    /// Digests by the names of scopes.
    pub(super) fn digests(&self) -> Result<BTreeMap<String, ScopeDigest>, InvalidClaims> {
        let members = self.value.as_object().ok_or(self.invalid())?;
        let read = members.iter().map(|(name, value)| {
            let digest = value.as_str().and_then(ScopeDigest::from_text).filter(|_| is_name(name));
            digest.map(|digest| (name.clone(), digest)).ok_or(self.invalid())
        });
        read.collect()
    }

    /// A string or a non-empty array of strings (RFC 7519 section 4.1.3).
    pub(super) fn one_or_more_names(&self) -> Result<Vec<String>, InvalidClaims> {
        if self.value.as_str().is_some() {
            return Ok(vec![self.name()?]);
        }
        let names = self.names()?;
        if names.is_empty() { Err(self.invalid()) } else { Ok(names) }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control)
}
