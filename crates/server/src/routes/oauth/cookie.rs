//! The cookies in which a browser keeps what the service does not.

use axum::http::HeaderMap;
use axum::http::header::COOKIE as HEADER;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// The sign-in that is under way. It comes with a navigation from another site too: the provider's.
    SignIn,
    /// What shows that a page of `/device` was opened in this browser. It comes with nothing that another site sends.
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

    /// The cookie with this value; one of 0 s is deleted. Where the service is reached by TLS its name begins with `__Host-`
    /// (RFC 6265bis section 4.1.3.2): browsers take it from this host alone, so no other host of the domain can make a
    /// browser go on with a sign-in that an attacker began. Such a cookie has no path. Without TLS, on this machine, it is
    /// sent to `path` alone.
    pub(super) fn set(self, issuer: &str, value: &str, path: &str, seconds: u64) -> String {
        let (name, same_site) = (self.full_name(issuer), self.same_site());
        let (path, secure) = if is_local(issuer) { (path, "") } else { ("/", "; Secure") };
        format!(
            "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        )
    }

    /// Its value in these headers; nothing where it is not there once.
    pub(super) fn find(self, issuer: &str, headers: &HeaderMap) -> Option<String> {
        let expected = self.full_name(issuer);
        let lines = headers.get_all(HEADER).iter().filter_map(|line| line.to_str().ok());
        let pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == expected).map(|(_, value)| value);
        values.next().filter(|_| values.next().is_none()).map(str::to_owned)
    }

    fn full_name(self, issuer: &str) -> String {
        let prefix = if is_local(issuer) { "" } else { "__Host-" };
        format!("{prefix}{}", self.name())
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

    const ISSUER: &str = "https://approvals.test";

    #[test]
    fn it_is_of_this_host_and_for_tls_unless_the_service_is_on_this_machine() {
        for (issuer, is_secure) in [
            (ISSUER, true),
            ("http://approvals.test", true),
            ("http://127.0.0.1.evil.test", true),
            ("http://127.0.0.1:8300", false),
            ("http://localhost/x", false),
            ("http://[::1]:1", false),
        ] {
            for (cookie, same_site) in [(Cookie::SignIn, "Lax"), (Cookie::Device, "Strict")] {
                let text = cookie.set(issuer, "v", "/p", 1);
                assert!(text.contains(&format!("; HttpOnly; SameSite={same_site}")), "{text}");
                assert_eq!(text.ends_with("; Secure"), is_secure, "{issuer}");
                assert_eq!(text.starts_with("__Host-"), is_secure, "{issuer}");
                assert_eq!(text.contains("; Path=/; "), is_secure, "{issuer}");
            }
        }
    }

    #[test]
    fn one_value_is_read_among_other_cookies() {
        let find = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(HEADER, axum::http::HeaderValue::from_static(line));
            }
            Cookie::SignIn.find(ISSUER, &headers)
        };
        assert_eq!(find(&["a=b; __Host-breakglass_signin=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(find(&["a=b", "__Host-breakglass_signin=x"]).as_deref(), Some("x"));
        for lines in [
            &["a=b"][..],
            &["__Host-breakglass_signin=x; __Host-breakglass_signin=y"],
            // Another host of the domain can set this one.
            &["breakglass_signin=x"],
        ] {
            assert_eq!(find(lines), None);
        }
    }
}
