//! What is recorded of the bodies that pass: their length, their digest, and, where a scope asks for
//! it, how they begin.
//!
//! Bodies are read as they pass. Nothing is held back, and no more is kept of one than was asked for.

mod redact;
mod traffic;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use redact::Redaction;
pub use traffic::Traffic;

use crate::headers::Headers;

/// What a scope asks for.
#[derive(Debug, Clone, Default)]
pub enum BodyAudit {
    /// Nothing but the number of bytes.
    #[default]
    None,
    /// The SHA-256 of the whole body.
    Digest,
    /// That, and how the body begins.
    Capture(Rc<Capture>),
}

impl BodyAudit {
    /// The headers that are looked at, in lower case.
    pub(crate) fn headers(&self) -> Vec<String> {
        let BodyAudit::Capture(capture) = self else { return Vec::new() };
        let needed = ["content-type", "content-encoding"].map(str::to_owned);
        needed.into_iter().chain(capture.headers.iter().cloned()).collect()
    }
}

/// How much is kept of a body, and what never is.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The most that is kept of the body, in bytes.
    pub max_bytes: usize,
    /// What is taken out of it.
    pub redact: Redaction,
    /// The headers that are kept, in lower case.
    pub headers: Vec<String>,
}

/// The longest header value that is kept, in bytes.
const MAX_HEADER_BYTES: usize = 256;

/// What is recorded of one body.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BodyRecord {
    /// SHA-256 of the bytes that passed, in lower-case hex.
    sha256: String,
    /// The bytes that passed.
    bytes: u64,
    /// Whether these are all: false if the request ended before the body did.
    complete: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    captured: Option<Captured>,
}

/// What is kept of one body.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Captured {
    /// The headers that the scope names.
    headers: BTreeMap<String, String>,
    /// How the body begins, redacted; null if it is withheld.
    content: Option<String>,
    /// Whether there was more.
    truncated: bool,
    /// Why there is no content: `content_type`, `encoded`, `not_text`, `not_json`.
    withheld: Option<&'static str>,
}

/// One body on its way.
struct Watch {
    hash: Sha256,
    bytes: u64,
    capture: Option<Capturing>,
}

#[derive(Debug)]
struct Capturing {
    wanted: Rc<Capture>,
    headers: BTreeMap<String, String>,
    content_type: Option<Vec<u8>>,
    encoded: bool,
    beginning: Vec<u8>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watch").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Watch {
    /// `None` if nothing is asked for.
    fn new(wanted: &BodyAudit) -> Option<Watch> {
        let capture = match wanted {
            BodyAudit::None => return None,
            BodyAudit::Digest => None,
            BodyAudit::Capture(wanted) => Some(Capturing {
                wanted: Rc::clone(wanted),
                headers: BTreeMap::new(),
                content_type: None,
                encoded: false,
                beginning: Vec::new(),
            }),
        };
        Some(Watch { hash: Sha256::new(), bytes: 0, capture })
    }

    fn chunk(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if let Some(capture) = &mut self.capture {
            let room = capture.wanted.max_bytes.saturating_sub(capture.beginning.len());
            capture.beginning.extend(bytes.iter().take(room));
        }
    }

    /// `total` bytes have passed, and these are `all` there are.
    fn record(&self, total: u64, all: bool) -> BodyRecord {
        BodyRecord {
            sha256: crate::hex::lower(&self.hash.clone().finalize()),
            bytes: self.bytes,
            // Bytes that could not be read are not in the digest.
            complete: all && self.bytes == total,
            captured: self.capture.as_ref().map(|capture| capture.captured(self.bytes)),
        }
    }
}

impl Capturing {
    fn headers(&mut self, headers: &Headers) {
        for (name, value) in headers.iter() {
            match name {
                b"content-type" => self.content_type = Some(value.to_ascii_lowercase()),
                b"content-encoding" => self.encoded |= !value.eq_ignore_ascii_case(b"identity"),
                _ => {}
            }
            let Some(kept) = self.wanted.headers.iter().find(|kept| kept.as_bytes() == name) else {
                continue;
            };
            let value = value.get(..MAX_HEADER_BYTES).unwrap_or(value);
            self.headers.insert(kept.clone(), String::from_utf8_lossy(value).into_owned());
        }
    }

    fn captured(&self, bytes: u64) -> Captured {
        let truncated = bytes > self.beginning.len() as u64;
        let (content, withheld) = match self.content(truncated) {
            Ok(content) => (Some(content), None),
            Err(why) => (None, Some(why)),
        };
        Captured { headers: self.headers.clone(), content, truncated, withheld }
    }

    /// How the body begins, or why that is withheld: what cannot be redacted is not shown.
    fn content(&self, truncated: bool) -> Result<String, &'static str> {
        if self.beginning.is_empty() {
            return Ok(String::new());
        }
        if self.encoded {
            return Err("encoded");
        }
        let kind = self.content_type.as_deref().and_then(Kind::of).ok_or("content_type")?;
        let text = text(&self.beginning, truncated).ok_or("not_text")?;
        match kind {
            Kind::Json => self.wanted.redact.json(text, truncated).ok_or("not_json"),
            Kind::Text if self.wanted.redact.is_empty() => Ok(text.to_owned()),
            Kind::Text => Err("content_type"),
        }
    }
}

/// What a body is, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
}

impl Kind {
    /// `None` for what may be binary. `content_type` is in lower case.
    fn of(content_type: &[u8]) -> Option<Kind> {
        let media_type = content_type.split(|byte| *byte == b';').next()?.trim_ascii();
        if media_type == b"application/json" || media_type.ends_with(b"+json") {
            return Some(Kind::Json);
        }
        let text = media_type.starts_with(b"text/")
            || media_type == b"application/xml"
            || media_type.ends_with(b"+xml")
            || media_type == b"application/x-www-form-urlencoded";
        text.then_some(Kind::Text)
    }
}

/// The text, if it is some: UTF-8 without control characters. The last character of what was
/// truncated may be cut in two.
fn text(bytes: &[u8], truncated: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if truncated && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars().all(plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn watch(redact: &[&str], max_bytes: usize) -> Watch {
        let redact = Redaction::parse(redact.iter().map(|rule| (*rule).to_owned())).unwrap();
        let headers = vec!["content-type".to_owned()];
        Watch::new(&BodyAudit::Capture(Rc::new(Capture { max_bytes, redact, headers }))).unwrap()
    }

    fn seen(mut watch: Watch, headers: &[(&str, &str)], chunks: &[&[u8]]) -> serde_json::Value {
        let pairs = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        watch.capture.as_mut().unwrap().headers(&Headers::from_pairs(pairs));
        chunks.iter().for_each(|chunk| watch.chunk(chunk));
        serde_json::to_value(watch.record(watch.bytes, false)).unwrap()
    }

    const JSON: [(&str, &str); 1] = [("content-type", "application/json; charset=utf-8")];

    #[test]
    fn a_digest_is_of_all_bytes_however_they_come() {
        let mut watch = Watch::new(&BodyAudit::Digest).unwrap();
        watch.chunk(b"ab");
        watch.chunk(b"");
        watch.chunk(b"c");
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            serde_json::to_value(watch.record(watch.bytes, false)).unwrap(),
            serde_json::json!({"sha256": abc, "bytes": 3, "complete": false})
        );
        assert!(Watch::new(&BodyAudit::None).is_none());
    }

    #[test]
    fn a_capture_keeps_the_beginning_and_the_headers_that_are_named() {
        let headers = [JSON[0], ("x-secret", "hush")];
        let record = seen(watch(&[], 8), &headers, &[br#"{"a":"#, b"12345678}"]);
        assert_eq!(record["content"], r#"{"a":123"#);
        assert_eq!((&record["truncated"], &record["bytes"]), (&true.into(), &14.into()));
        assert_eq!(record["headers"], serde_json::json!({"content-type": JSON[0].1}));
        assert_eq!(record["withheld"], serde_json::Value::Null);
    }

    #[test]
    fn what_cannot_be_shown_safely_is_withheld() {
        let text = [("content-type", "text/plain")];
        let zipped = [JSON[0], ("content-encoding", "gzip")];
        let grpc = [("content-type", "application/grpc")];
        let (all, password) = (Vec::new(), vec!["password"]);
        for (redact, headers, body, why) in [
            (&all, &[][..], &b"x"[..], "content_type"),
            (&all, &grpc, b"x", "content_type"),
            (&password, &text, b"password=x", "content_type"),
            (&all, &zipped, b"x", "encoded"),
            (&all, &text, b"a\0b", "not_text"),
            (&all, &text, b"a\xffb", "not_text"),
            (&all, &JSON, b"{'a': 1}", "not_json"),
        ] {
            let record = seen(watch(redact, 100), headers, &[body]);
            assert_eq!(record["withheld"], why, "{record}");
            assert_eq!(record["content"], serde_json::Value::Null);
        }
        let shown = seen(watch(&[], 3), &text, &["aé€".as_bytes()]);
        assert_eq!(shown["content"], "aé", "a character that is cut in two is left out");
    }
}
