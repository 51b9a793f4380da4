//! The cookie in which a browser keeps its sign-in that is under way.

use axum::http::HeaderMap;
use axum::http::header::COOKIE as HEADER;

/// The name of the cookie with the sign-in that is under way.
const COOKIE: &str = "breakglass_signin";

/// The cookie with this value; one of 0 s is deleted. It is sent to the callback alone, by a navigation from another site
/// alone (`Lax`), and over TLS alone, unless the service is on this machine without it.
pub(super) fn set_cookie(issuer: &str, value: &str, path: &str, seconds: u64) -> String {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(':') || rest.starts_with('/');
    let is_local = local.iter().any(|start| issuer.strip_prefix(start).is_some_and(ends));
    let secure = if is_local { "" } else { "; Secure" };
    format!("{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// Its value in these headers; nothing where it is not there once.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(HEADER).iter().filter_map(|line| line.to_str().ok());
    let pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_tls_alone_unless_the_service_is_on_this_machine() {
        for (issuer, is_secure) in [
            ("https://approvals.test", true),
            ("http://approvals.test", true),
            ("http://127.0.0.1.evil.test", true),
            ("http://127.0.0.1:8300", false),
            ("http://localhost/x", false),
            ("http://[::1]:1", false),
        ] {
            let cookie = set_cookie(issuer, "v", "/p", 1);
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            assert_eq!(cookie.ends_with("; Secure"), is_secure, "{issuer}");
        }
    }

    #[test]
    fn one_value_is_read_among_other_cookies() {
        let headers = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(HEADER, axum::http::HeaderValue::from_static(line));
            }
            headers
        };
        assert_eq!(cookie(&headers(&["a=b; breakglass_signin=x; c=d"])), Some("x"));
        assert_eq!(cookie(&headers(&["a=b", "breakglass_signin=x"])), Some("x"));
        for lines in [&["a=b"][..], &["breakglass_signin=x; breakglass_signin=y"]] {
            assert_eq!(cookie(&headers(lines)), None);
        }
    }
}
