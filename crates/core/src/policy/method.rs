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
