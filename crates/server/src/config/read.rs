//! What the texts in a configuration must be.

use std::net::SocketAddr;
use std::path::PathBuf;

use breakglass_config_schema::Place;
use breakglass_types::names::check_audience;
use regex_lite::Regex;

use crate::limits::MAX_GRANT_S;
use crate::{duration, text};

/// The SHA-256 of an API token.
pub type Digest = [u8; 32];

/// A hundred years, in seconds.
const MAX_DAYS_S: i64 = 36_500 * 86_400;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("expected an address such as `127.0.0.1:8300`, got `{text}`"))
}

pub(super) fn name(name: &str) -> Result<String, String> {
    text::configured_name(name).map(|()| name.to_owned())
}

/// A pattern is for the whole incident.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    // By itself first: a `)` must not close the group that is put around it.
    Regex::new(text)
        .and_then(|_| Regex::new(&format!("\\A(?:{text})\\z")))
        .map_err(|error| format!("expected a regular expression such as `INC-[0-9]+`: {error}"))
}

pub(super) fn audience(text: &str) -> Result<String, String> {
    check_audience(text)?;
    name(text)
}

pub(super) fn scope_name(name: &str) -> Result<String, String> {
    text::scope(name).map(|()| name.to_owned())
}

pub(super) fn summary(text: &str) -> Result<String, String> {
    text::summary(text).map(|()| text.to_owned())
}

pub(super) fn issuer(url: &str) -> Result<String, String> {
    text::scope(url)?;
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) {
        return Err(format!("expected a URL such as `https://approvals.internal`, got `{url}`"));
    }
    Ok(url.to_owned())
}

/// Where heads of the trail are sent: nothing on the way may change or read them, or the credential.
pub(super) fn head_url(url: &str) -> Result<String, String> {
    let expected = || {
        format!(
            "expected `https://..`, or `http://` on a loopback address such as `127.0.0.1`, got `{url}`"
        )
    };
    text::scope(url)?;
    let (is_tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(expected()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_local = authority == "localhost"
        || authority.starts_with("localhost:")
        || authority.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
        || authority
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match !authority.is_empty() && !authority.contains('@') && (is_tls || is_local) {
        true => Ok(url.to_owned()),
        false => Err(expected()),
    }
}

pub(super) fn path(path: &str) -> Result<PathBuf, String> {
    Ok(path.into())
}

/// In seconds.
pub(super) fn bounded_duration(text: &str) -> Result<i64, String> {
    let seconds = duration::parse(text).map_err(|error| format!("{error}, got `{text}`"))?;
    if seconds > MAX_GRANT_S {
        return Err(format!("expected at most {}, got `{text}`", duration::format(MAX_GRANT_S)));
    }
    Ok(seconds)
}

/// In seconds, a day or more.
pub(super) fn days(text: &str) -> Result<i64, String> {
    let seconds = duration::parse(text).map_err(|error| format!("{error}, got `{text}`"))?;
    // The upper bound keeps instants within what RFC 3339 can write.
    if !(86_400..=MAX_DAYS_S).contains(&seconds) {
        return Err(format!("expected 1day to 36500days, got `{text}`"));
    }
    Ok(seconds)
}

/// A wrong digest is never echoed: somebody may have put the token itself here.
pub(super) fn digest(hex: &str) -> Result<Digest, String> {
    let expected = "expected the SHA-256 of the API token as 64 hexadecimal digits \
                    (`breakglass keygen api-token` prints both)";
    breakglass_types::hex::decode(hex).ok_or_else(|| expected.to_owned())
}

/// A DNS name or a URI, as it is in a certificate.
pub(super) fn san(text: &str) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "expected a DNS name or a URI such as `envoy.edge.internal`, in visible ASCII, got `{}`",
            text.escape_debug()
        ));
    }
    if text.contains('*') {
        return Err(format!(
            "expected one name: a `*` stands for no other names here, got `{text}`"
        ));
    }
    Ok(text.to_owned())
}

/// The SHA-256 of a client certificate, as `openssl x509 -fingerprint -sha256` prints it, or without colons.
pub(super) fn certificate_digest(hex: &str) -> Result<Digest, String> {
    let expected = || {
        format!(
            "expected the SHA-256 of the certificate's DER as 64 hexadecimal digits \
             (`openssl x509 -in FILE -noout -fingerprint -sha256`), got `{hex}`"
        )
    };
    breakglass_types::hex::decode(&hex.replace(':', "").to_ascii_lowercase()).ok_or_else(expected)
}

/// No entry is in a list twice.
pub(super) fn distinct<T: PartialEq>(names: Vec<T>, place: &Place<'_>) -> Option<Vec<T>> {
    let mut clean = Some(());
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            clean = place.item(index).error("named twice");
        }
    }
    clean.map(|()| names)
}
