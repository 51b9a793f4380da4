//! Methods, and the headers that ask an upstream to see another one.

use crate::config::is_token_byte;

/// Headers by which some frameworks replace the method, in lower case.
pub const OVERRIDE_HEADERS: [&str; 3] =
    ["x-http-method", "x-http-method-override", "x-method-override"];

/// Whether `text` is a method (RFC 9110 section 9.1) in upper case, as every registered one is.
#[must_use]
pub fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| is_token_byte(byte) && !byte.is_ascii_lowercase())
}

/// Whether it is a method of HTTP, PATCH or WebDAV: RFC 9110, 5789, 4918, 3253, 3648, 3744, 5323, 4791, 5842.
pub(crate) fn is_registered(method: &[u8]) -> bool {
    matches!(
        method,
        b"GET"
            | b"HEAD"
            | b"POST"
            | b"PUT"
            | b"DELETE"
            | b"CONNECT"
            | b"OPTIONS"
            | b"TRACE"
            | b"PATCH"
            | b"COPY"
            | b"LOCK"
            | b"MKCOL"
            | b"MOVE"
            | b"PROPFIND"
            | b"PROPPATCH"
            | b"UNLOCK"
            | b"BASELINE-CONTROL"
            | b"CHECKIN"
            | b"CHECKOUT"
            | b"LABEL"
            | b"MERGE"
            | b"MKACTIVITY"
            | b"MKWORKSPACE"
            | b"REPORT"
            | b"UNCHECKOUT"
            | b"UPDATE"
            | b"VERSION-CONTROL"
            | b"ORDERPATCH"
            | b"ACL"
            | b"SEARCH"
            | b"MKCALENDAR"
            | b"BIND"
            | b"REBIND"
            | b"UNBIND"
    )
}
