//! The URL at which another system is asked for one thing by its name: a template with one place for the name.

use std::fmt;

use url::{Position, Url};

use super::sink_texts;

/// What stands for the name while a template is parsed: it has no character that a URL encodes.
const STAND_IN: &str = "breakglass-name";

/// A URL with one place for a name, in its path or its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    /// What stands for the name, such as `{incident}`.
    mark: &'static str,
    /// The URL with [`STAND_IN`], as it is written when it is parsed: host, scheme and port are of it.
    whole: Url,
    before: String,
    after: String,
    in_path: bool,
}

/// The name cannot stand in the URL without changing what else is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one name")]
pub struct NotOneName;

impl UrlTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Says what is expected instead.
    pub(super) fn parse(mark: &'static str, text: &str) -> Result<UrlTemplate, String> {
        let expected = |got: &str| {
            format!(
                "expected a URL with one `{mark}` in its path or query, such as \
                 `https://tickets.internal/api/{mark}`, got {got}"
            )
        };
        match text.matches(mark).count() {
            1 if !text.contains(STAND_IN) => {}
            1 => {
                return Err(format!("expected no `{STAND_IN}` in it, which stands for `{mark}`"));
            }
            count => return Err(expected(&format!("{count}"))),
        }
        let whole = sink_texts::url(&text.replace(mark, STAND_IN))?;
        let path = whole.path().contains(STAND_IN);
        let query = whole.query().is_some_and(|query| query.contains(STAND_IN));
        if path == query || whole[..Position::BeforePath].contains(STAND_IN) {
            return Err(expected("it elsewhere"));
        }
        let Some((before, after)) = whole.as_str().split_once(STAND_IN) else {
            return Err(expected("it elsewhere"));
        };
        let (before, after) = (before.to_owned(), after.to_owned());
        Ok(UrlTemplate { mark, in_path: path, before, after, whole })
    }

    /// The URL for this name: it is percent-encoded, so that it is one segment of the path, or a part of one value of the
    /// query, and nothing else changes.
    ///
    /// # Errors
    /// [`NotOneName`] for `..` and the like: a receiver that decodes a path before it looks at its segments would read
    /// another path.
    pub fn of(&self, name: &str) -> Result<Url, NotOneName> {
        let climbs = |text: &str| text.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
        let decoded = percent_decoded(name);
        if self.in_path && (climbs(name) || climbs(&decoded)) {
            return Err(NotOneName);
        }
        let text = format!("{}{}{}", self.before, encoded(name), self.after);
        // What is parsed is what was written, byte for byte: no dot segment was resolved, and nothing was encoded again.
        match Url::parse(&text) {
            Ok(url) if url.as_str() == text && url.origin() == self.whole.origin() => Ok(url),
            _ => Err(NotOneName),
        }
    }

    /// The URL with something in the name's place: what is said of it is said of the template.
    pub(super) fn example(&self) -> &Url {
        &self.whole
    }

    /// Where it is, without path and query, which may be secret.
    #[must_use]
    pub fn shown(&self) -> String {
        self.whole.origin().ascii_serialization()
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}{}", self.before, self.mark, self.after)
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986 section 2.3.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// What a receiver reads that decodes once more than it should.
fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (digits, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                decoded.push(char::from(byte));
                decoded.push_str(rest);
            }
            _ => {
                decoded.push('%');
                decoded.push_str(part);
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<UrlTemplate, String> {
        UrlTemplate::parse("{incident}", text)
    }

    #[test]
    fn a_template_has_one_place_in_path_or_query() {
        for good in [
            "https://t.test/api/incidents/{incident}",
            "https://t.test/{incident}/state?x=1",
            "https://t.test/find?number={incident}&limit=1",
            "http://127.0.0.1:8080/i-{incident}.json",
        ] {
            assert_eq!(parse(good).unwrap().to_string(), good);
        }
        for (bad, words) in [
            ("https://t.test/", "got 0"),
            ("https://t.test/{incident}/{incident}", "got 2"),
            ("https://{incident}.t.test/", "got it elsewhere"),
            ("https://t.test:{incident}/", "without user name"),
            ("https://{incident}@t.test/", "without user name"),
            ("https://t.test/#{incident}", "without user name"),
            ("{incident}://t.test/", "without user name"),
            ("ftp://t.test/{incident}", "expected `https://"),
            ("https://t.test/{incident} ", "expected `https://"),
            ("https://t.test/breakglass-name/{incident}", "stands for `{incident}`"),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(words), "{bad}: {error}");
        }
    }

    #[test]
    fn a_name_changes_no_other_part_of_the_url() {
        let path = parse("https://t.test/api/{incident}/state?x=1").unwrap();
        let query = parse("https://t.test/find?n={incident}&x=1").unwrap();
        for (incident, written) in [
            ("INC-4711", "INC-4711"),
            ("a/b", "a%2Fb"),
            ("a?b", "a%3Fb"),
            ("a#b", "a%23b"),
            ("a%2fb", "a%252fb"),
            ("a&b=c", "a%26b%3Dc"),
            ("a:b@c", "a%3Ab%40c"),
            ("a\\b", "a%5Cb"),
            ("a;b+c", "a%3Bb%2Bc"),
            ("a\r\nb\u{7f}", "a%0D%0Ab%7F"),
            ("{incident}", "%7Bincident%7D"),
            ("\u{e9}", "%C3%A9"),
            ("...", "..."),
            ("", ""),
        ] {
            let url = path.of(incident).unwrap();
            assert_eq!(url.as_str(), format!("https://t.test/api/{written}/state?x=1"));
            assert_eq!(url.path_segments().unwrap().count(), 3);
            let url = query.of(incident).unwrap();
            assert_eq!(url.as_str(), format!("https://t.test/find?n={written}&x=1"));
            let pairs: Vec<_> = url.query_pairs().collect();
            assert_eq!((pairs.len(), &*pairs[0].1), (2, incident));
        }
        for climbing in
            ["..", ".", "../x", "x/..", "x/../../y", "..\\x", "%2e%2e", "%2E./x", "a/.%2e"]
        {
            assert_eq!(path.of(climbing), Err(NotOneName), "{climbing}");
            assert!(query.of(climbing).is_ok(), "{climbing}");
        }
        // The template itself completes a dot segment.
        let dotted = parse("https://t.test/api/.{incident}/state").unwrap();
        assert_eq!(dotted.of("."), Err(NotOneName));
        assert_eq!(dotted.of("%2e"), Err(NotOneName));
    }

    proptest::proptest! {
        #[test]
        fn any_text_leaves_host_and_structure_as_they_are(incident in ".{0,40}") {
            let path = parse("https://t.test/api/{incident}?x=1").unwrap();
            if let Ok(url) = path.of(&incident) {
                proptest::prop_assert_eq!(url.host_str(), Some("t.test"));
                proptest::prop_assert_eq!(url.path_segments().unwrap().count(), 2);
                proptest::prop_assert!(url.path().starts_with("/api/"));
                proptest::prop_assert_eq!(url.query(), Some("x=1"));
                proptest::prop_assert_eq!(url.fragment(), None);
            }
        }
    }
}
