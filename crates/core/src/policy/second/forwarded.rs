//! The hosts of a `forwarded` header (RFC 7239).

use std::borrow::Cow;

use super::limits::MAX_SECOND;

/// The values of all `host=` parameters of a `forwarded` header (RFC 7239 section 4), however it is
/// damaged: quotes are taken off, and within them nothing separates but for those who do not know quotes.
pub(super) fn hosts(value: &[u8]) -> Vec<Vec<u8>> {
    let mut hosts = Vec::new();
    for quotes_count in [true, false] {
        for pair in pairs(value, quotes_count) {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = parts.next().unwrap_or_default().trim_ascii();
            if let Some(host) = parts.next().filter(|_| name.eq_ignore_ascii_case(b"host")) {
                let host = unquoted(host.trim_ascii());
                if !host.is_empty() && !hosts.iter().any(|known| *known == *host) {
                    hosts.push(host.into_owned());
                }
                // One more than that many is too many, and each is compared with all before it.
                if hosts.len() > MAX_SECOND {
                    return hosts;
                }
            }
        }
    }
    hosts
}

/// The text between the `;` and `,` of a `forwarded` header.
fn pairs(value: &[u8], quotes_count: bool) -> Vec<&[u8]> {
    let mut pairs = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if quotes_count => quoted = !quoted,
            b';' | b',' if !quoted => {
                pairs.extend(value.get(start..at));
                start = at.saturating_add(1);
            }
            _ => {}
        }
    }
    pairs.extend(value.get(start..));
    pairs
}

/// A quoted string's content (RFC 9110 section 5.6.4); anything else as it is.
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(content) = value.strip_prefix(b"\"") else { return Cow::Borrowed(value) };
    let content = content.strip_suffix(b"\"").unwrap_or(content);
    let mut plain = Vec::with_capacity(content.len());
    let mut escaped = false;
    for byte in content {
        if *byte == b'\\' && !escaped {
            escaped = true;
        } else {
            plain.push(*byte);
            escaped = false;
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn read(value: &str) -> Vec<String> {
        let hosts = hosts(value.as_bytes());
        hosts.into_iter().map(|host| String::from_utf8(host).unwrap()).collect()
    }

    #[test]
    fn finds_the_hosts_of_a_forwarded_header() {
        for (value, wanted) in [
            ("for=192.0.2.1;host=a.internal;proto=https", &["a.internal"][..]),
            ("for=x, Host=\"a.internal:80\"; by=y", &["a.internal:80"]),
            ("host=a, host=b;HOST=c", &["a", "b", "c"]),
            ("host = a", &["a"]),
            ("host=\"a\\.internal\"", &["a.internal"]),
            ("host=\"a", &["a"]),
            ("for=\"x;host=a\"", &["a"]),
            ("for=\"x;host=a", &["a"]),
            ("for=x;proto=http", &[]),
            ("host=;host=\"\"", &[]),
            ("", &[]),
        ] {
            let found = read(value);
            assert!(
                wanted
                    .iter()
                    .all(|wanted| found.iter().any(|host| host.trim_end_matches('"') == *wanted)),
                "{value}: {found:?}"
            );
            assert_eq!(found.is_empty(), wanted.is_empty(), "{value}: {found:?}");
        }
    }
}
