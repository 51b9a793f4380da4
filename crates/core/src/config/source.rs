//! `token_sources`: where a token may be.

use crate::json::Json;

use super::{Fields, Place, boolean, list, parsed};

/// The header that is ours alone.
pub(crate) const DEDICATED_HEADER: &str = "x-breakglass-token";

/// A header that may carry a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSource {
    /// The header's name, in lower case.
    pub header: String,
    /// The authentication scheme before the token (RFC 9110 section 11.1), in lower case. A header
    /// with a scheme is shared with others: a token in it that is not ours stays untouched.
    pub scheme: Option<String>,
    /// Whether the upstream may see the token.
    pub forward: bool,
}

impl Default for TokenSource {
    fn default() -> TokenSource {
        TokenSource { header: DEDICATED_HEADER.to_owned(), scheme: None, forward: false }
    }
}

pub(super) fn read_all<'a>(json: &'a Json, place: &Place<'a>) -> Option<Vec<TokenSource>> {
    let sources = list(read)(json, place)?;
    for (index, source) in sources.iter().enumerate() {
        if sources.iter().take(index).any(|earlier| earlier.header == source.header) {
            return place.item(index).field("header").error("is listed twice");
        }
    }
    Some(sources)
}

fn read<'a>(json: &'a Json, place: &Place<'a>) -> Option<TokenSource> {
    let mut fields = Fields::open(json, place)?;
    let header = fields.required("header", parsed(header_name));
    let scheme = fields.optional("scheme", parsed(scheme));
    let forward = fields.or("forward", false, boolean);
    fields.close()?;
    let (header, scheme) = (header?, scheme?);
    if header == "authorization" && scheme.is_none() {
        return place.field("scheme").error("is required with `authorization`, such as \"Bearer\"");
    }
    Some(TokenSource { header, scheme, forward: forward? })
}

/// A header name in lower case (RFC 9110 section 5.1).
pub(super) fn header_name(text: &str) -> Result<String, String> {
    if text.starts_with(':') || !text.bytes().all(is_token_byte) {
        return Err(format!("`{}` is not a header name", text.escape_debug()));
    }
    Ok(text.to_ascii_lowercase())
}

fn scheme(text: &str) -> Result<String, String> {
    if !text.bytes().all(is_token_byte) {
        return Err(format!("`{}` is not an authentication scheme", text.escape_debug()));
    }
    Ok(text.to_ascii_lowercase())
}

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
