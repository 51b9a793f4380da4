//! The cookies in which a browser keeps what the service does not.

use axum::http::HeaderMap;
use axum::http::header::COOKIE as HEADER;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// The sign-in that is under way. It is sent with a navigation from another site too: the provider's.
    SignIn,
    /// What shows that a page of `/device` was opened in this browser: sent with requests of that page alone.
    Device,
}

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Cookie::SignIn => "breakglass_signin",
            Cookie::Device => "breakglass_device",
        }
    }

    const fn same_site(self) -> &'static str {
        match self {
            Cookie::SignIn => "Lax",
            Cookie::Device => "Strict",
        }
    }

    /// The cookie with this value; one of 0 s is deleted. It is sent to this path alone, and over TLS alone, unless the service
    /// is on this machine without it.
    pub(super) fn set(self, issuer: &str, value: &str, path: &str, seconds: u64) -> String {
        let secure = if is_local(issuer) { "" } else { "; Secure" };
        let (name, same_site) = (self.name(), self.same_site());
        format!(
            "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        )
    }

    /// Its value in these headers; nothing where it is not there once.
    pub(super) fn find(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(HEADER).iter().filter_map(|line| line.to_str().ok());
        let pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == self.name()).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none())
    }
}

fn is_local(issuer: &str) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(':') || rest.starts_with('/');
    local.iter().any(|start| issuer.strip_prefix(start).is_some_and(ends))
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
            let cookie = Cookie::SignIn.set(issuer, "v", "/p", 1);
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            let device = Cookie::Device.set(issuer, "v", "/p", 1);
            assert!(device.contains("; HttpOnly; SameSite=Strict"), "{device}");
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
        assert_eq!(Cookie::SignIn.find(&headers(&["a=b; breakglass_signin=x; c=d"])), Some("x"));
        assert_eq!(Cookie::SignIn.find(&headers(&["a=b", "breakglass_signin=x"])), Some("x"));
        for lines in [&["a=b"][..], &["breakglass_signin=x; breakglass_signin=y"]] {
            assert_eq!(Cookie::SignIn.find(&headers(lines)), None);
        }
    }
}
