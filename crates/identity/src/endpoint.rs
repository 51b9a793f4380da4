//! The URLs of a provider: where secrets and codes go.

use url::{Host, Url};

/// Reads a URL to which secrets may be sent: `https`, or `http` on this machine itself; without user name, password or
/// fragment.
///
/// # Errors
/// Says what is expected and what was found.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let expected = || {
        format!(
            "expected `https://..`, or `http://` on a loopback address such as `127.0.0.1`, got `{}`",
            crate::shown::shown(text)
        )
    };
    // The URL parser forgives blanks, tabs and line breaks.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(expected());
    }
    let url = Url::parse(text).map_err(|_| expected())?;
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match is_plain && (url.scheme() == "https" || is_local_http(&url)) {
        true => Ok(url),
        false => Err(expected()),
    }
}

/// Whether it is plain HTTP to this machine itself.
pub(crate) fn is_local_http(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_loopback
}
