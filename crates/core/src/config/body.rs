//! `request_body` and `response_body` of a scope: what is recorded of what passes.

use std::rc::Rc;

use breakglass_types::names::TOKEN_HEADER;

use crate::bodies::{BodyAudit, Capture, Redaction};
use crate::json::Json;
use crate::schema::{
    Object, Place, Reader, Takes, list, number, object, or, or_none, parsed, required, text,
};

use super::source::header_name;

/// The most that can be kept of a body, in bytes: a record is one line in a log.
const MAX_CAPTURE_BYTES: u64 = 16 * 1024;

/// The headers that carry credentials: no record has them.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "set-cookie", TOKEN_HEADER];

/// `"none"`, `"digest"`, or an object that says what is captured.
#[derive(Debug)]
pub(crate) struct BodyAuditReader;

/// See [`BodyAuditReader`].
pub(crate) const fn body_audit() -> BodyAuditReader {
    BodyAuditReader
}

impl Reader for BodyAuditReader {
    type Value = BodyAudit;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<BodyAudit> {
        match json {
            Json::String(word) if word == "none" => Some(BodyAudit::None),
            Json::String(word) if word == "digest" => Some(BodyAudit::Digest),
            Json::Object(_) => {
                let Recorded { capture } = object().read(json, place)?;
                let Captured { max_bytes, redact, headers } = capture;
                Some(BodyAudit::Capture(Rc::new(Capture { max_bytes, redact, headers })))
            }
            _ => place.error(r#"expected "none", "digest", or {"capture": {...}}"#),
        }
    }

    fn takes(&self) -> Takes {
        let words = Takes::Words(vec!["none", "digest"]);
        Takes::Either(vec![words, object::<Recorded>().takes()])
    }
}

object! {
    /// What is recorded of a body.
    struct Recorded {
        /// How the body begins, and its digest.
        capture: Captured = required(object()),
    }
}

impl Object for Recorded {}

object! {
    /// How much is kept of a body, and what never is.
    struct Captured {
        /// How much is kept of the beginning, in bytes.
        max_bytes: usize = or(1024, number(1, MAX_CAPTURE_BYTES)),
        /// JSON members that are taken out: by name, wherever they are and without regard to case, or,
        /// with a slash before them, by JSON pointer (RFC 6901); in JSON that is the text of a string too,
        /// and as the `value` beside a member that names them.
        redact: Redaction = or_none(list(text()).and_then(redaction)),
        /// The headers that are kept, but those that carry credentials.
        headers: Vec<String> = or_none(list(parsed("header name", kept_header))),
    }
}

impl Object for Captured {}

fn redaction(rules: Vec<String>, place: &Place<'_>) -> Option<Redaction> {
    Redaction::parse(rules).map_or_else(|message| place.error(message), Some)
}

fn kept_header(text: &str) -> Result<String, String> {
    let name = header_name(text)?;
    if SECRET_HEADERS.contains(&name.as_str()) {
        return Err(format!("`{name}` carries a credential, which no record may have"));
    }
    Ok(name)
}
