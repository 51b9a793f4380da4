//! What the texts in an entry must be.

use std::path::PathBuf;

use breakglass_audit::text::misleads;
use breakglass_config_schema::Place;
use breakglass_types::limits::MAX_NAME_BYTES;
use url::Url;

use crate::endpoint::endpoint;

use super::well_known::TENANT;

/// The longest name of a provider or of a level, in bytes.
const MAX_ENTRY_NAME_BYTES: usize = 40;

/// The name of a provider or of a level.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = text.len() <= MAX_ENTRY_NAME_BYTES
        && text.bytes().all(is_allowed)
        && !text.starts_with('-')
        && !text.ends_with('-');
    match is_name {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected at most {MAX_ENTRY_NAME_BYTES} lower-case letters, digits and hyphens, such as `corp`, got `{}`",
            text.escape_debug()
        )),
    }
}

pub(super) fn issuer(text: &str) -> Result<String, String> {
    if text.matches(TENANT).count() > 1 {
        return Err(format!("expected `{TENANT}` once, got `{text}`"));
    }
    let url = endpoint(&text.replace(TENANT, "common"))?;
    if url.query().is_some() {
        return Err(format!("expected an issuer without a query, got `{text}`"));
    }
    Ok(text.to_owned())
}

/// Reads the URL of a proxy: by HTTP alone, because what is sent through it is encrypted for the place behind it.
///
/// # Errors
/// Says what is expected.
pub fn proxy(text: &str) -> Result<Url, String> {
    let expected = || format!("expected a URL such as `http://proxy.internal:3128`, got `{text}`");
    let url = Url::parse(text).map_err(|_| expected())?;
    match url.scheme() == "http" && url.has_host() && url.path() == "/" && url.query().is_none() {
        true => Ok(url),
        false => Err(expected()),
    }
}

/// An id of a client, or another audience: opaque, and in visible ASCII with blanks (RFC 6749 appendix A.1).
pub(super) fn client_id(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    match text.len() <= MAX_NAME_BYTES && text.bytes().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected at most {MAX_NAME_BYTES} visible ASCII characters, got `{}`",
            text.escape_debug()
        )),
    }
}

/// A scope, an `acr` or another value that stands in a list with blanks (RFC 6749 section 3.3).
pub(super) fn scope(text: &str) -> Result<String, String> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    match text.len() <= MAX_NAME_BYTES && text.bytes().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected visible ASCII characters without blanks, got `{}`",
            text.escape_debug()
        )),
    }
}

/// The name of a claim, or a value that one must have.
pub(super) fn visible(text: &str) -> Result<String, String> {
    match text.len() <= MAX_NAME_BYTES && !text.chars().any(misleads) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "expected at most {MAX_NAME_BYTES} bytes of characters that can be seen, got `{}`",
            text.escape_debug()
        )),
    }
}

pub(super) fn path(path: &str) -> Result<PathBuf, String> {
    Ok(path.into())
}

/// No value is in a list twice.
pub(super) fn distinct<T: PartialEq>(values: Vec<T>, place: &Place<'_>) -> Option<Vec<T>> {
    let mut clean = Some(());
    for (index, value) in values.iter().enumerate() {
        if values.iter().take(index).any(|earlier| earlier == value) {
            clean = place.item(index).error("named twice");
        }
    }
    clean.map(|()| values)
}
