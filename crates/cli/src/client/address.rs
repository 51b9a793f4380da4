//! Where the service is, and by which way: its URL, and proxies that the environment names.

use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use super::failure::Failure;
use crate::answer::brief;
use breakglass_server::random::API_TOKEN_PREFIX;

/// The variables that name a proxy, in the order in which the HTTP client reads them.
const PROXY_VARIABLES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Where the service is.
#[derive(Debug)]
pub(super) struct Address {
    /// Scheme, authority and path, without a slash at its end.
    pub(super) url: String,
    pub(super) authority: String,
    uri: Uri,
}

/// The way there.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) proxy: Option<Proxy>,
    /// The proxy in words, and where it comes from; also one that is set and not used.
    pub(super) words: Option<String>,
}

impl Address {
    /// Reads the setting.
    pub(super) fn parse(setting: Option<&str>) -> Result<Address, Failure> {
        let text = setting.map(str::trim).unwrap_or_default();
        let set = "set `--url` or BREAKGLASS_URL to";
        let invalid = |cause: String| Err(Failure::Invalid(cause));
        if text.is_empty() {
            return invalid(format!(
                "{set} the service's URL, such as `https://approvals.internal`"
            ));
        }
        // It may be a password: it is not repeated.
        if text.contains('@') {
            return invalid(format!(
                "{set} a URL without user name and password: your API token is all that the service asks for"
            ));
        }
        if text.starts_with(API_TOKEN_PREFIX) {
            return invalid(format!("{set} the service's URL, got what looks like an API token"));
        }
        let shown = brief(text);
        let Some((scheme, rest)) = text.split_once("://") else {
            return invalid(format!(
                "`{shown}` has no scheme: {set} `{}://{shown}`",
                if is_loopback(text) { "http" } else { "https" }
            ));
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "https" && scheme != "http" {
            return invalid(format!("{set} a URL with `https://` or `http://`, got `{shown}`"));
        }
        if rest.contains(['?', '#']) {
            return invalid(format!("{set} a URL without `?` and `#`, got `{shown}`"));
        }
        let url = format!("{scheme}://{}", rest.trim_end_matches('/'));
        let uri =
            url.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        match uri.as_ref().and_then(Uri::authority).map(ToString::to_string).zip(uri) {
            Some((authority, uri)) => Ok(Address { url, authority, uri }),
            None => {
                invalid(format!("{set} a URL such as `https://approvals.internal`, got `{shown}`"))
            }
        }
    }

    /// The way there, by what the environment says of proxies.
    ///
    /// 1. With `https://` a proxy sees the host's name, and bytes that it cannot read.
    /// 2. With `http://` it would see the API token: refused.
    /// 3. The machine itself is reached without one.
    pub(super) fn way(&self) -> Result<Way, Failure> {
        let direct = |words| Ok(Way { proxy: None, words });
        let Some(proxy) = Proxy::try_from_env() else { return direct(None) };
        if is_loopback(&self.authority) || proxy.is_no_proxy(&self.uri) {
            return direct(None);
        }
        let named =
            |name: &&&str| std::env::var(name).is_ok_and(|value| Proxy::new(&value).is_ok());
        let variable = PROXY_VARIABLES.iter().find(named).copied().unwrap_or("the environment");
        let (host, port) = (proxy.host(), proxy.port());
        let scheme = proxy.uri().scheme_str().unwrap_or("http");
        if scheme.starts_with("socks") {
            return direct(Some(format!(
                "without the proxy {host}:{port} of {variable}: SOCKS is not supported"
            )));
        }
        if self.uri.scheme_str() == Some("http") {
            let own = self.uri.host().unwrap_or_default();
            return Err(Failure::Invalid(format!(
                "{variable} names the proxy {host}:{port}, which would see your API token on the way to `{}`: use \
                 `https://`, or reach the service without the proxy with NO_PROXY={own}",
                self.url
            )));
        }
        let words = Some(format!("through the proxy {host}:{port} of {variable}"));
        Ok(Way { proxy: Some(proxy), words })
    }
}

/// Whether `authority` (host, with or without port) is this machine.
fn is_loopback(authority: &str) -> bool {
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls() {
        for (text, url) in [
            ("https://approvals.internal", "https://approvals.internal"),
            (" HTTPS://approvals.internal/ \n", "https://approvals.internal"),
            ("http://[::1]:8300/breakglass/", "http://[::1]:8300/breakglass"),
        ] {
            assert_eq!(Address::parse(Some(text)).unwrap().url, url);
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        for (text, words) in [
            ("", "such as `https://approvals.internal`"),
            (
                "approvals.internal",
                "`approvals.internal` has no scheme: set `--url` or BREAKGLASS_URL to `https://approvals.internal`",
            ),
            ("localhost:8300", "to `http://localhost:8300`"),
            ("127.0.0.1:8300/x", "to `http://127.0.0.1:8300/x`"),
            ("[::1]:8300", "to `http://[::1]:8300`"),
            ("localhost.evil.example", "to `https://localhost.evil.example`"),
            ("https:/approvals.internal", "has no scheme"),
            ("ftp://approvals.internal", "with `https://` or `http://`"),
            ("https://alice:secret@approvals.internal", "without user name and password"),
            ("https://approvals.internal?x=1", "without `?`"),
            ("breakglass_secret", "got what looks like an API token"),
            ("https://", "got `https://`"),
            ("https://:443", "got `https://:443`"),
            ("https://a b", "got `https://a b`"),
        ] {
            let error = Address::parse(Some(text)).unwrap_err();
            assert_eq!(error.exit(), crate::exit::Exit::Invalid);
            let error = error.to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("BREAKGLASS_URL") && !error.contains("secret"), "{error}");
        }
    }
}
