//! Path templates: `/v1/orders/{id}/items/**`.

use super::readings::{is_name, settle};
use super::{PlainPath, Readings};

/// A path template. `{name}` is exactly one segment that is not empty; `**`, only as the last
/// segment, is one or more of the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
    rest: bool,
}

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    Literal {
        text: String,
        /// As it is compared with a reading.
        settled: Vec<u8>,
    },
    Any,
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// A message that says what was expected.
    pub fn parse(text: &str) -> Result<PathTemplate, String> {
        let wrong = |why: &str| {
            Err(format!(
                "`{}` is not a path template: {why}; write one such as \"/v1/orders/{{id}}\" or \"/v1/orders/**\"",
                text.escape_debug()
            ))
        };
        let Some(body) = text.strip_prefix('/') else {
            return wrong("it must begin with `/`");
        };
        if text.contains('?') {
            return wrong("a query takes no part in matching");
        }
        let mut segments = Vec::new();
        let mut rest = false;
        for segment in body.split('/') {
            if rest {
                return wrong("`**` must be the last segment");
            }
            match segment {
                "**" => rest = true,
                _ if segment.starts_with('{') && segment.ends_with('}') => {
                    let name = segment.trim_start_matches('{').trim_end_matches('}');
                    let named = segment.len() == name.len().saturating_add(2);
                    if !named || !is_identifier(name) {
                        return wrong("a variable is `{name}`, of letters, digits and `_`");
                    }
                    segments.push(Segment::Any);
                }
                _ if segment.contains(['{', '}', '*']) => {
                    return wrong("`{name}` and `**` must be whole segments");
                }
                _ => segments.push(Segment::Literal {
                    text: segment.to_owned(),
                    settled: settle(segment.as_bytes().to_vec()),
                }),
            }
        }
        // What cannot be the path of a permitted request can match nothing.
        let plain = text.replace(['{', '}', '*'], "x");
        if PlainPath::parse(plain.as_bytes()).is_err() {
            return wrong(
                "such a path can be read in two ways, and no request with it gets a permit",
            );
        }
        Ok(PathTemplate { text: text.to_owned(), segments, rest })
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it covers paths of any length and names no segment of them: `/**`, `/{name}/**`.
    #[must_use]
    pub fn names_no_segment(&self) -> bool {
        self.rest && self.segments.iter().all(|segment| *segment == Segment::Any)
    }

    /// The allowing side: whether the template covers exactly this path, byte by byte.
    #[must_use]
    pub fn allows(&self, path: &PlainPath<'_>) -> bool {
        let mut given = path.segments();
        for wanted in &self.segments {
            let matches = match (wanted, given.next()) {
                (Segment::Literal { text, .. }, Some(segment)) => segment == text,
                (Segment::Any, Some(segment)) => !segment.is_empty(),
                (_, None) => false,
            };
            if !matches {
                return false;
            }
        }
        match given.next() {
            None => !self.rest,
            Some(segment) => self.rest && !segment.is_empty(),
        }
    }

    /// The refusing side: whether the template covers any reading of a path, without regard to
    /// case; `/x/**` covers `/x` and `/x/` too. A last segment that the template names may have an
    /// extension.
    #[must_use]
    pub fn refuses(&self, readings: &Readings<'_>) -> bool {
        readings.any(|reading| self.refuses_reading(reading))
    }

    fn refuses_reading(&self, reading: &[u8]) -> bool {
        self.refuses_segments(segments_of(reading))
    }

    /// The same for the segments of one reading.
    pub(super) fn refuses_segments<'s>(&self, segments: impl Iterator<Item = &'s [u8]>) -> bool {
        let mut given = segments.peekable();
        let covered = self.wanted().iter().all(|wanted| match given.next() {
            Some(segment) => wanted.is_covered(segment, given.peek().is_none()),
            None => false,
        });
        covered && (self.rest || given.next().is_none())
    }

    /// The segments that a reading must begin with: a trailing slash in the template is none.
    pub(super) fn wanted(&self) -> &[Segment] {
        match self.segments.split_last() {
            Some((Segment::Literal { text, .. }, before)) if text.is_empty() => before,
            _ => &self.segments,
        }
    }

    /// Whether more segments may follow.
    pub(crate) fn has_rest(&self) -> bool {
        self.rest
    }
}

impl Segment {
    /// The refusing side: whether a segment of a reading is this one. `last`: the reading ends with it.
    pub(super) fn is_covered(&self, segment: &[u8], last: bool) -> bool {
        match self {
            Segment::Literal { settled, .. } => is_name(segment, settled, last),
            Segment::Any => true,
        }
    }

    /// The same for a segment of which only the beginning is known.
    pub(super) fn begins_with(&self, beginning: &[u8]) -> bool {
        match self {
            Segment::Literal { settled, .. } => settled
                .get(..beginning.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(beginning)),
            Segment::Any => true,
        }
    }
}

/// The segments of a reading without its first slash: none of the root.
pub(super) fn segments_of(reading: &[u8]) -> impl Iterator<Item = &[u8]> {
    reading.split(|byte| *byte == b'/').filter(|_| !reading.is_empty())
}

fn is_identifier(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn allows(template: &str, path: &str) -> bool {
        let path = PlainPath::parse(path.as_bytes()).unwrap();
        PathTemplate::parse(template).unwrap().allows(&path)
    }

    fn refuses(template: &str, path: &str) -> bool {
        PathTemplate::parse(template).unwrap().refuses(&Readings::of(path.as_bytes()))
    }

    #[test]
    fn allows_exactly_what_it_says() {
        for (template, path) in [
            ("/", "/"),
            ("/v1/orders", "/v1/orders"),
            ("/v1/orders", "/v1/orders?x=/y"),
            ("/v1/orders/{id}", "/v1/orders/7"),
            ("/v1/orders/{id}/items/**", "/v1/orders/7/items/1"),
            ("/v1/orders/{id}/items/**", "/v1/orders/7/items/1/2/"),
            ("/**", "/x"),
        ] {
            assert!(allows(template, path), "{template} must allow {path}");
        }
    }

    #[test]
    fn does_not_allow_what_it_does_not_say() {
        for (template, path) in [
            ("/", "/x"),
            ("/v1/orders", "/v1/orders/"),
            ("/v1/orders", "/v1/ordersx"),
            ("/v1/orders", "/v1/Orders"),
            ("/v1/orders", "/v1/%6frders"),
            ("/v1/orders", "/v1"),
            ("/v1/orders/{id}", "/v1/orders/"),
            ("/v1/orders/{id}", "/v1/orders/7/x"),
            ("/v1/orders/{id}/items/**", "/v1/orders/7/items"),
            ("/v1/orders/{id}/items/**", "/v1/orders/7/items/"),
            ("/**", "/"),
        ] {
            assert!(!allows(template, path), "{template} must not allow {path}");
        }
    }

    #[test]
    fn refuses_whatever_could_be_meant() {
        for (template, path) in [
            ("/admin/**", "/admin"),
            ("/admin/**", "/admin/"),
            ("/admin/**", "/ADMIN/x"),
            ("/admin/**", "/pub/..;/admin/x"),
            ("/Admin/{id}", "/admin/7/"),
            ("/admin", "/admin/"),
            ("/admin/", "/admin"),
            ("/**", "/"),
        ] {
            assert!(refuses(template, path), "{template} must refuse {path}");
        }
        for (template, path) in
            [("/admin/**", "/administrator"), ("/admin/{id}", "/admin"), ("/admin", "/admin/x")]
        {
            assert!(!refuses(template, path), "{template} must not refuse {path}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_template() {
        for text in [
            "",
            "v1",
            "/v1/**/x",
            "/v1/*",
            "/v1/{}",
            "/v1/{a-b}",
            "/v1/{{a}}",
            "/v1/x{id}",
            "/v1//x",
            "/v1/../x",
            "/v1?x",
            "/v1/%2f",
            "/v1;x",
            "/***",
            "/a b",
        ] {
            assert!(PathTemplate::parse(text).is_err(), "{text}");
        }
    }
}
