//! The protocol that a request switches to: what a GET becomes then is no GET.
//!
//! It comes in three forms: `Upgrade` with `Connection: upgrade` (RFC 9110 section 7.8), extended CONNECT of HTTP/2
//! and HTTP/3 (RFC 8441, RFC 9220), and CONNECT-UDP (RFC 9298). Envoy makes the first of the others before a
//! filter sees them, and takes `Upgrade` away from a request that does not switch, so any that is there counts.

use crate::config::is_token_byte;

/// The protocols that a request asks for, in lower case; empty if it asks for none. An `Upgrade` header that names
/// none is the name of nothing, which no scope covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedUpgrades(Vec<Vec<u8>>);

impl RequestedUpgrades {
    /// Reads the values of `upgrade` and `:protocol`, each a list.
    #[must_use]
    pub fn read(values: &[&[u8]]) -> RequestedUpgrades {
        let names = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        let names = names.map(|name| name.trim_ascii().to_ascii_lowercase());
        let mut names: Vec<Vec<u8>> = names.filter(|name| !name.is_empty()).collect();
        if names.is_empty() && !values.is_empty() {
            names.push(Vec::new());
        }
        RequestedUpgrades(names)
    }

    /// Whether the request asks for none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names with commas between them, for the audit record; `None` without one.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| self.0.join(&b", "[..]))
    }

    /// The allowing side: whether all that the upstream may choose from is among `names`.
    pub(crate) fn are_all_in(&self, names: &[String]) -> bool {
        self.0.iter().all(|asked| names.iter().any(|name| name.as_bytes() == asked.as_slice()))
    }

    /// The refusing side: whether one of them may be among `names`, in whatever version.
    pub(crate) fn may_be_in(&self, names: &[String]) -> bool {
        self.0.iter().any(|asked| {
            names.iter().any(|name| unversioned(name.as_bytes()) == unversioned(asked))
        })
    }
}

/// A protocol without its version.
fn unversioned(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Reads a protocol in a configuration (RFC 9110 section 7.8), in lower case.
///
/// # Errors
/// A message that says what was expected.
pub(super) fn protocol(text: &str) -> Result<String, String> {
    // There is no wildcard: each protocol is a decision of its own.
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| is_token_byte(byte) && byte != b'*')
    };
    let (name, version) = text.split_once('/').unwrap_or((text, "0"));
    if is_token(name) && is_token(version) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!(
        "`{}` is not a protocol; write it as in the `Upgrade` header, such as \"websocket\" or \"spdy/3.1\"",
        text.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn read(values: &[&str]) -> RequestedUpgrades {
        RequestedUpgrades::read(&values.iter().map(|value| value.as_bytes()).collect::<Vec<_>>())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| protocol(name).unwrap()).collect()
    }

    #[test]
    fn a_list_is_covered_where_each_of_it_is() {
        let socket = names(&["WebSocket"]);
        for values in [
            &["websocket"][..],
            &["WEBSOCKET"],
            &[" websocket\t"],
            &["websocket, ,WebSocket"],
            &["websocket", "", "websocket"],
        ] {
            assert!(read(values).are_all_in(&socket), "{values:?}");
        }
        for values in [
            &["websocket, h2c"][..],
            &["websocket", "spdy/3.1"],
            &["websocket/13"],
            &["web socket"],
            &["websocket;"],
            &["\"websocket\""],
            &["websocke\u{442}"],
            &[""],
            &[" , "],
        ] {
            assert!(!read(values).are_all_in(&socket), "{values:?}");
            assert!(!read(values).is_empty());
        }
        assert!(read(&[]).is_empty() && read(&[]).are_all_in(&[]) && read(&[]).text().is_none());
        assert_eq!(read(&["A,b", "C"]).text().unwrap(), b"a, b, c");
    }

    #[test]
    fn one_of_a_list_is_refused_in_whatever_version() {
        for values in [&["spdy/3.1"][..], &["SPDY"], &["h2c, spdy/2"], &["h2c", "spdy/3.1"]] {
            assert!(read(values).may_be_in(&names(&["spdy/3.1"])), "{values:?}");
            assert!(read(values).may_be_in(&names(&["Spdy"])), "{values:?}");
        }
        for values in [&[][..], &[""], &["spdyx"], &["h2c"], &["x/spdy"]] {
            assert!(!read(values).may_be_in(&names(&["spdy"])), "{values:?}");
        }
    }

    #[test]
    fn a_protocol_is_a_name_with_a_version_or_without() {
        for text in ["websocket", "spdy/3.1", "connect-udp", "h2c", "TLS/1.0"] {
            assert_eq!(protocol(text), Ok(text.to_ascii_lowercase()));
        }
        for text in ["", "/", "a/", "/1", "a/b/c", "web socket", "websocket,h2c", "*", "é"] {
            assert!(protocol(text).is_err(), "{text}");
        }
    }
}
