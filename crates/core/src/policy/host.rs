//! Hosts: normalised when they are read, compared with `==` after.

/// The host of a request's `:authority`: lower case, without port and without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Reads an authority (RFC 9110 section 4.2). `None` for what is no host: user information,
    /// spaces, bytes beyond ASCII, an empty name, a port that is no number.
    #[must_use]
    pub fn from_authority(authority: &[u8]) -> Option<HostName> {
        let authority = std::str::from_utf8(authority).ok()?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                // One address has many spellings; it is written in one.
                (format!("[{}]", address.parse::<std::net::Ipv6Addr>().ok()?), port)
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (host, port) = authority.split_at_checked(end)?;
                let host = host.strip_suffix('.').unwrap_or(host);
                if !is_dns_name(host) {
                    return None;
                }
                (host.to_ascii_lowercase(), port)
            }
        };
        let port_is_valid = match port.strip_prefix(':') {
            Some(digits) => digits.parse::<u16>().is_ok(),
            None => port.is_empty(),
        };
        port_is_valid.then_some(HostName(host))
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A host in the configuration: exact, or `*.suffix` for everything below the suffix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Without the `*`; begins with a dot where there was one.
    text: String,
    wildcard: bool,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A message that says what was expected.
    pub fn parse(text: &str) -> Result<HostPattern, String> {
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, text),
        };
        let host = HostName::from_authority(name.as_bytes())
            .filter(|_| !name.contains(':') || name.starts_with('['))
            .filter(|_| !(wildcard && name.starts_with('[')))
            .ok_or_else(|| {
                format!(
                    "`{}` is not a host; write a name such as \"orders.internal\" or \
                     \"*.internal\", without scheme, port or path",
                    text.escape_debug()
                )
            })?;
        let text = if wildcard { format!(".{}", host.0) } else { host.0 };
        Ok(HostPattern { text, wildcard })
    }

    /// Whether the pattern covers `host`. `*.internal` covers `a.internal` and `a.b.internal`, not
    /// `internal` itself.
    #[must_use]
    pub fn covers(&self, host: &HostName) -> bool {
        if self.wildcard {
            host.0.len() > self.text.len() && host.0.ends_with(&self.text)
        } else {
            host.0 == self.text
        }
    }

    /// As it would be written in a configuration.
    #[must_use]
    pub fn to_text(&self) -> String {
        if self.wildcard { format!("*{}", self.text) } else { self.text.clone() }
    }
}

fn is_dns_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn host(text: &str) -> Option<String> {
        HostName::from_authority(text.as_bytes()).map(|host| host.0)
    }

    #[test]
    fn normalises_what_names_one_host() {
        for text in
            ["orders.internal", "ORDERS.Internal", "orders.internal.", "orders.internal:443"]
        {
            assert_eq!(host(text).as_deref(), Some("orders.internal"), "{text}");
        }
        assert_eq!(host("[2001:DB8::1]:80").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(host("127.0.0.1:8080").as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn refuses_what_is_no_host() {
        for text in [
            "",
            ".",
            "a..b",
            "user@orders.internal",
            "orders.internal:x",
            "orders.internal:99999",
            "a b",
            "[::1",
            "[x]",
            "orders.internal/",
            "a:80:80",
            "\u{e9}.internal",
            "[::1]x",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
        assert_eq!(HostName::from_authority(b"\xff"), None);
    }

    #[test]
    fn a_pattern_covers_its_host_or_what_is_below_its_suffix() {
        let covers = |pattern: &str, host: &str| {
            HostPattern::parse(pattern)
                .unwrap()
                .covers(&HostName::from_authority(host.as_bytes()).unwrap())
        };
        assert!(covers("Orders.internal", "orders.INTERNAL:80"));
        assert!(!covers("orders.internal", "x.orders.internal"));
        assert!(covers("*.internal", "orders.internal") && covers("*.internal", "a.b.internal"));
        assert!(!covers("*.internal", "internal") && !covers("*.internal", "xinternal"));
        assert!(covers("[::1]", "[::1]:80") && covers("[::1]", "[0:0::0001]"));
        assert!(covers("[2001:db8:0::1]", "[2001:DB8::1]"));
        for pattern in ["", "*", "*.", "*.*.x", "https://x", "x:80", "x/y", "*.[::1]"] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
