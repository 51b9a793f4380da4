//! `request_body` and `response_body` of a scope: what is recorded of what passes.

use std::rc::Rc;

use crate::bodies::{BodyAudit, Capture, Redaction};
use crate::json::Json;

use super::source::header_name;
use super::{Fields, Place, list, number, parsed, text};

/// The most that can be kept of a body, in bytes: a record is one line in a log.
const MAX_CAPTURE_BYTES: u64 = 16 * 1024;

/// How much is kept of a body, unless the scope says otherwise, in bytes.
const DEFAULT_CAPTURE_BYTES: u64 = 1024;

/// The headers that carry credentials: no record has them.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-breakglass-token"];

/// Reads `"none"`, `"digest"`, or an object that says what is captured.
pub(crate) fn body_audit<'a>(json: &'a Json, place: &Place<'a>) -> Option<BodyAudit> {
    match json.as_str() {
        Some("none") => Some(BodyAudit::None),
        Some("digest") => Some(BodyAudit::Digest),
        None if json.as_object().is_some() => {
            let mut fields = Fields::open(json, place)?;
            let capture = fields.required("capture", capture);
            fields.close()?;
            Some(BodyAudit::Capture(Rc::new(capture?)))
        }
        _ => place.error(r#"expected "none", "digest", or {"capture": {...}}"#),
    }
}

fn capture<'a>(json: &'a Json, place: &Place<'a>) -> Option<Capture> {
    let mut fields = Fields::open(json, place)?;
    let max_bytes = fields.or("max_bytes", DEFAULT_CAPTURE_BYTES, number(1, MAX_CAPTURE_BYTES));
    let redact = fields.or("redact", Redaction::default(), redaction);
    let headers = fields.or("headers", Vec::new(), list(parsed(kept_header)));
    fields.close()?;
    Some(Capture {
        max_bytes: usize::try_from(max_bytes?).ok()?,
        redact: redact?,
        headers: headers?,
    })
}

fn redaction<'a>(json: &'a Json, place: &Place<'a>) -> Option<Redaction> {
    let rules = list(text)(json, place)?;
    Redaction::parse(rules).map_or_else(|message| place.error(message), Some)
}

fn kept_header(text: &str) -> Result<String, String> {
    let name = header_name(text)?;
    if SECRET_HEADERS.contains(&name.as_str()) {
        return Err(format!("`{name}` carries a credential, which no record may have"));
    }
    Ok(name)
}
