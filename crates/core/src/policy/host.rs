//! Hosts: normalised when they are read, compared with `==` after.
//!
//! What might be another spelling of a host is no host: no scope with `hosts` covers it, and every rule
//! that refuses does.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The host of a request's `:authority`: lower case, without port and without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// Reads an authority (RFC 9110 section 4.2). `None` for what is no host: user information,
    /// spaces, bytes beyond ASCII, an empty name, percent-encoding, a port that is not one to five digits up to
    /// 65535 (so also an empty one, which RFC 3986 section 3.2.3 allows and asks to leave away), and an IPv4
    /// address in any form but four decimal numbers (RFC 3986 section 3.2.2).
    #[must_use]
    pub fn from_authority(authority: &[u8]) -> Option<HostName> {
        let authority = std::str::from_utf8(authority).ok()?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                // One address has many spellings; it is written in one. That of an IPv4 address is IPv4's.
                let address = address.parse::<Ipv6Addr>().ok()?;
                if address.to_ipv4_mapped().is_some() {
                    return None;
                }
                (format!("[{address}]"), port)
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (host, port) = authority.split_at_checked(end)?;
                let host = host.strip_suffix('.').unwrap_or(host);
                if !is_dns_name(host) || is_odd_ipv4(host) {
                    return None;
                }
                (host.to_ascii_lowercase(), port)
            }
        };
        let port_is_valid = match port.strip_prefix(':') {
            Some(digits) => is_port(digits),
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

/// `port` of RFC 3986 section 3.2.3, in the range of a port. (`str::parse` alone takes a sign too.)
fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// Whether some software takes a name for an IPv4 address that is not written as one: `127.1`, `0x7f000001`,
/// `2130706433`, `010.0.0.1`. It is one if its last label is a number (WHATWG URL, "ends in a number").
fn is_odd_ipv4(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = digits(last)
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    is_number && host.parse::<Ipv4Addr>().is_err()
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
        for port in ["0", "80", "00080", "443", "65535"] {
            let authority = format!("orders.internal.:{port}");
            assert_eq!(host(&authority).as_deref(), Some("orders.internal"), "{port}");
        }
        // A name with a number in it is a name, and an A-label (RFC 5890) is one as it stands.
        for name in
            ["1.orders.internal", "10-0-0-1.internal", "0x7f.internal", "xn--rders-fxa.internal"]
        {
            assert_eq!(host(name).as_deref(), Some(name));
        }
        assert_eq!(host("127.0.0.1.").as_deref(), Some("127.0.0.1"));
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
            "orders.internal:65536",
            "orders.internal:+80",
            "orders.internal:-80",
            "orders.internal: 80",
            "orders.internal:80 ",
            "orders.internal:8_0",
            "orders.internal:0x50",
            "orders.internal:000080",
            "orders.internal:\u{661}",
            "orders.internal:",
            "orders.internal.:",
            "orders.internal..",
            ".orders.internal",
            " orders.internal",
            "orders.internal\t",
            "%6frders.internal",
            "orders.internal%00",
            "orders.internal%2e",
            "orders.internal,other",
            "user:pass@orders.internal:80",
            "@orders.internal",
            "orders.internal?x",
            "orders.internal#x",
            "orders.internal\\x",
            "ｏrders.internal",
            "orders。internal",
            "\u{ad}orders.internal",
            "[::1]:+80",
            "[::1]:",
            "[::1]:99999",
            "[::1].",
            "[::1%25eth0]",
            "[::1%eth0]",
            "[fe80::1",
            "fe80::1",
            "[v1.x]",
            "[127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "127.1",
            "127.0.0.1.1",
            "127.0.0.256",
            "0127.0.0.1",
            "127.0.0.01",
            "0x7f.0.0.1",
            "0x7f000001",
            "0x",
            "2130706433",
            "127.0.0.0X1",
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
        for pattern in [
            "",
            "*",
            "*.",
            "*.*.x",
            "https://x",
            "x:80",
            "x/y",
            "*.[::1]",
            "[::ffff:1.2.3.4]",
            "10.1",
        ] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
