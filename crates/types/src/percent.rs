//! Percent-encoding (RFC 3986 section 2.1), for the two places into which texts are put.

use std::fmt::Write as _;

/// `text` as a value in a query: what is not unreserved (RFC 3986 section 2.3) is encoded.
#[must_use]
pub fn query_value(text: &str) -> String {
    encoded(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// `text` as the value of a header: visible ASCII as it is, everything else, and `%`, encoded.
#[must_use]
pub fn header_value(text: &str) -> String {
    encoded(text, |byte| byte.is_ascii_graphic() && byte != b'%')
}

fn encoded(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn encodes_what_would_mean_something_there() {
        for (text, query, header) in [
            ("aZ09-._~", "aZ09-._~", "aZ09-._~"),
            ("a&b=c+d#e", "a%26b%3Dc%2Bd%23e", "a&b=c+d#e"),
            ("100%", "100%25", "100%25"),
            ("a b\r\n", "a%20b%0D%0A", "a%20b%0D%0A"),
            ("é", "%C3%A9", "%C3%A9"),
            ("", "", ""),
        ] {
            assert_eq!(query_value(text), query, "{text:?}");
            assert_eq!(header_value(text), header, "{text:?}");
        }
    }
}
