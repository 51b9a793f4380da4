//! `token_sources`: where a token may be.

use breakglass_types::names::{PROBE_HEADER, TOKEN_HEADER};

use crate::headers::reads_as;
use crate::json::Json;
use crate::object;
use crate::schema::{Object, Place, boolean, optional, or, parsed, required};

object! {
    /// The headers that may carry a token. Without `token_sources`, the header of its own is one. The challenge of a
    /// refusal (`WWW-Authenticate`) has the scheme of the first: `Breakglass` where it has none; see
    /// [reasons.md](reasons.md#who-learns-what).
    ///
    /// Nothing else is searched: a token in another header (`proxy-authorization`, `cookie`,
    /// `sec-websocket-protocol`), in the query (`access_token`) or in a body opens nothing, leaves no record, and
    /// reaches the upstream as it came. A trailer that is called like a source opens nothing either: a token in
    /// it is removed, and the request is refused if it has no record yet, by when its headers and body have
    /// reached the upstream.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct TokenSource {
        /// The header's name, in whatever case.
        pub header: String = required(parsed("header name", header_name)),
        /// The authentication scheme before the token (RFC 9110 section 11.1); required with
        /// `authorization`. A header with a scheme is shared: what contains no token of ours stays untouched.
        /// A token is ours by the `typ` in its header and, as far as it can be read, its `iss` (by both where
        /// the `typ` is `JWT`, `at+jwt`, `jose` or `jws`, which others use too). It is taken as
        /// `<scheme> <token>` and nothing else in the header; damaged, after another scheme or beside another
        /// element it is refused.
        pub scheme: Option<String> = optional("none", parsed("scheme", scheme)),
        /// Whether the upstream may see the token. Where a client signs its headers (AWS's SigV4), one that is removed
        /// breaks the signature: let it sign another set of headers, or set this.
        pub forward: bool = or(false, boolean()),
    }
}

impl Object for TokenSource {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        if reads_as(self.header.as_bytes(), PROBE_HEADER.as_bytes()) {
            return place.field("header").error(format!(
                "`{PROBE_HEADER}` is for the challenges of `breakglass probe`: take another one"
            ));
        }
        if self.header == "authorization" && self.scheme.is_none() {
            return place
                .field("scheme")
                .error("is required with `authorization`, such as \"Bearer\"");
        }
        Some(())
    }
}

/// The header that is ours alone, as a configuration would name it.
pub(super) fn dedicated() -> Json {
    Json::Object([("header".to_owned(), Json::from(TOKEN_HEADER))].into())
}

/// No header is a source twice.
pub(super) fn distinct(sources: Vec<TokenSource>, place: &Place<'_>) -> Option<Vec<TokenSource>> {
    for (index, source) in sources.iter().enumerate() {
        if sources.iter().take(index).any(|earlier| earlier.header == source.header) {
            return place.item(index).field("header").error("is listed twice");
        }
    }
    Some(sources)
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
