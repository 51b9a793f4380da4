//! Headers by which a request names another path or another host than its own.
//!
//! | header | who writes it | who obeys it | under a token |
//! |---|---|---|---|
//! | `x-original-url`, `x-rewrite-url` | clients; IIS's ARR and URL Rewrite | Symfony and Laminas of old, ASP.NET, Drupal | refused |
//! | `x-original-uri` | ingress-nginx, for its auth requests | services that are asked about others' requests | refused |
//! | `x-forwarded-path`, `x-http-path-override` | Kong; clients | frameworks that build URLs of it | refused |
//! | `x-envoy-original-path`, `x-forwarded-uri` | Envoy and Traefik, at each rewrite | services that want the path before it | a reading |
//! | `x-forwarded-prefix`, `x-script-name` | each proxy that takes a prefix off | Spring, Werkzeug, ASP.NET: put before the path | a reading |
//! | `forwarded`, `x-forwarded-host` and the like | each edge proxy | most frameworks: in place of `host` | a reading |
//!
//! For the refusing side each is one more reading of the path or the host.

use std::borrow::Cow;

use super::readings::{MAX_WORK, MORE_WORK, Work};
use super::{HostName, Readings};

/// What a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// A path, as a client writes it: no proxy in front has to.
    Path,
    /// A path, as proxies write it.
    PathOfProxy,
    /// What stands in front of the path.
    Prefix,
    /// A host.
    Host,
    /// Hosts in `host=` parameters (RFC 7239).
    Forwarded,
}

/// Every such header, in lower case.
const HEADERS: [(&str, Names); 16] = [
    ("x-original-url", Names::Path),
    ("x-rewrite-url", Names::Path),
    ("x-original-uri", Names::Path),
    ("x-forwarded-path", Names::Path),
    ("x-http-path-override", Names::Path),
    ("x-envoy-original-path", Names::PathOfProxy),
    ("x-forwarded-uri", Names::PathOfProxy),
    ("x-forwarded-prefix", Names::Prefix),
    ("x-script-name", Names::Prefix),
    ("forwarded", Names::Forwarded),
    ("x-forwarded-host", Names::Host),
    ("x-forwarded-server", Names::Host),
    ("x-original-host", Names::Host),
    ("x-envoy-original-host", Names::Host),
    ("x-host", Names::Host),
    ("x-http-host-override", Names::Host),
];

/// The most readings of paths and hosts that the headers of one request may have together; one that has
/// more counts as every path and every host.
const MAX_SECOND: usize = 32;

/// What a request's headers name besides its own path and host.
#[derive(Debug, Default)]
pub(crate) struct SecondResources {
    paths: Vec<Vec<u8>>,
    prefixes: Vec<Vec<u8>>,
    hosts: Vec<SecondHost>,
    /// The first header that no request under a token may have.
    refused: Option<&'static str>,
    too_many: bool,
}

/// A host that a header names.
#[derive(Debug)]
enum SecondHost {
    Known(HostName),
    /// It cannot be read, which is every host.
    Any,
}

impl SecondResources {
    /// Takes in a header, if it is one of these. `reads_as` says whether an upstream takes the one name
    /// for the other; `harmless` are the names that no upstream here obeys.
    pub(crate) fn add(
        &mut self,
        name: &[u8],
        value: &[u8],
        harmless: &[String],
        reads_as: impl Fn(&[u8], &[u8]) -> bool,
    ) {
        if !matches!(name.first(), Some(b'x' | b'X' | b'f' | b'F')) {
            return;
        }
        let known = HEADERS.iter().find(|(header, _)| reads_as(name, header.as_bytes()));
        let Some((header, names)) = known else { return };
        if harmless.iter().any(|harmless| reads_as(name, harmless.as_bytes())) {
            return;
        }
        let value = value.trim_ascii();
        match names {
            Names::Path => {
                self.refused = self.refused.or(Some(header));
                self.add_paths(value);
            }
            Names::PathOfProxy => self.add_paths(value),
            Names::Prefix => self.add_prefixes(value),
            Names::Host => self.add_hosts(elements(value)),
            Names::Forwarded => self.add_hosts(forwarded_hosts(value).iter().map(Vec::as_slice)),
        }
        let many = [self.paths.len(), self.prefixes.len(), self.hosts.len()];
        self.too_many |= many.into_iter().any(|many| many > MAX_SECOND);
    }

    /// A path may hold commas, and a list of paths does.
    fn add_paths(&mut self, value: &[u8]) {
        self.paths.push(value.to_vec());
        if value.contains(&b',') {
            self.paths.extend(elements(value).take(MAX_SECOND).map(<[u8]>::to_vec));
        }
    }

    /// Of a list of prefixes some take one, and some all, one behind the other.
    fn add_prefixes(&mut self, value: &[u8]) {
        self.prefixes.push(value.to_vec());
        if value.contains(&b',') {
            self.prefixes.extend(elements(value).take(MAX_SECOND).map(<[u8]>::to_vec));
            self.prefixes.push(elements(value).collect::<Vec<_>>().concat());
        }
    }

    fn add_hosts<'v>(&mut self, values: impl Iterator<Item = &'v [u8]>) {
        for value in values.take(MAX_SECOND.saturating_add(1)) {
            self.hosts.push(match HostName::from_authority(value) {
                Some(host) => SecondHost::Known(host),
                None => SecondHost::Any,
            });
        }
    }

    /// The name of the first header that no request under a token may have.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.refused
    }

    /// Every reading of every path that `path` and the headers name, the path's own ones first.
    pub(crate) fn readings<'p>(&'p self, path: &'p [u8]) -> Vec<Readings<'p>> {
        let mut work = Work::of(MAX_WORK);
        let mut readings = vec![Readings::first(path, &mut work)];
        if self.too_many {
            readings.push(Readings::Anything);
            return readings;
        }
        work.add(MORE_WORK);
        let paths = self.paths.iter().map(|path| Readings::within(path, &mut work));
        readings.extend(paths);
        for prefix in &self.prefixes {
            // After what counts as every path no other one says more.
            if readings.iter().skip(1).any(Readings::is_anything) {
                break;
            }
            let slash: &[u8] = if path.starts_with(b"/") { b"" } else { b"/" };
            let prefix = prefix.strip_suffix(b"/").unwrap_or(prefix);
            let path = [prefix, slash, path].concat();
            readings.push(Readings::within(&path, &mut work).into_owned());
        }
        readings
    }

    /// The hosts that the headers name; `None` is every host.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = Option<&HostName>> {
        let every = self.too_many.then_some(None);
        self.hosts.iter().map(SecondHost::known).chain(every)
    }
}

impl SecondHost {
    fn known(&self) -> Option<&HostName> {
        match self {
            SecondHost::Known(host) => Some(host),
            SecondHost::Any => None,
        }
    }
}

/// The elements of a list (RFC 9110 section 5.6.1), empty ones left out.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The values of all `host=` parameters of a `forwarded` header (RFC 7239 section 4), however it is
/// damaged: quotes are taken off, and within them nothing separates but for those who do not know quotes.
fn forwarded_hosts(value: &[u8]) -> Vec<Vec<u8>> {
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

    fn hosts(value: &str) -> Vec<String> {
        let hosts = forwarded_hosts(value.as_bytes());
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
            let found = hosts(value);
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
