//! The one client, and how it is answered by way of the browser (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded::Serializer;

use crate::problem::Problem;
pub(super) use crate::text::quotable as described;

/// The command line: a public client, because what it is shipped with is no secret (RFC 8252 section 8.5).
pub(in crate::routes) const CLIENT_ID: &str = "breakglass-cli";

/// Where a code may be sent: the literal address, which no other machine and no name can be (RFC 8252 section 8.3), with any
/// port.
pub(super) const REDIRECT_URI: &str = "http://127.0.0.1:<port>/callback";

/// Whether a code may be sent there.
pub(super) fn is_redirect_uri(uri: &str) -> bool {
    let port =
        uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/callback"));
    let is_port =
        |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text);
    port.is_some_and(is_port)
}

/// Where the client waits for its answer.
pub(super) struct ClientRedirect<'a> {
    /// The client's redirect, which was checked.
    pub(super) uri: &'a str,
    /// The client's `state`.
    pub(super) state: Option<&'a str>,
    /// `issuer` of the configuration.
    pub(super) issuer: &'a str,
}

impl ClientRedirect<'_> {
    /// Sends the browser back with a code.
    pub(super) fn code(&self, code: &str) -> Response {
        self.answer(&[("code", code)])
    }

    /// Sends the browser back with an error.
    pub(super) fn error(&self, error: &str, description: &str) -> Response {
        self.answer(&[("error", error), ("error_description", &described(description))])
    }

    fn answer(&self, pairs: &[(&str, &str)]) -> Response {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(pairs);
        query.extend_pairs(self.state.map(|state| ("state", state)));
        query.append_pair("iss", self.issuer);
        redirect(&format!("{}?{}", self.uri, query.finish()))
    }
}

/// Sends the browser there.
pub(super) fn redirect(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return Problem::internal(&"a location that is no header value").into_response();
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::FOUND, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_sent_to_the_loopback_address_alone() {
        for uri in ["http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback"] {
            assert!(is_redirect_uri(uri), "{uri}");
        }
        for uri in [
            "",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:+1/callback",
            "http://127.0.0.1:01/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:80/callback/",
            "http://127.0.0.1:80/callback?x",
            "http://127.0.0.1:80@evil.test/callback",
            "http://127.0.0.1:80.evil.test/callback",
            "http://localhost:80/callback",
            "https://127.0.0.1:80/callback",
            "http://127.0.0.2:80/callback",
            "HTTP://127.0.0.1:80/callback",
            "http://[::1]:80/callback",
        ] {
            assert!(!is_redirect_uri(uri), "{uri}");
        }
    }

    #[test]
    fn a_description_has_only_what_the_rfc_allows() {
        assert_eq!(described("a `b` \"c\" \\ \u{e4}\n~"), "a 'b' 'c' ? ??~");
    }
}
