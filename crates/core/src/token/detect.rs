//! Whether a header value contains a token of ours, however it is written there.
//!
//! A header with a scheme is shared with other systems, so a token of ours must be told from theirs before
//! it is verified, and also where it would never verify: cut, doubled, after another scheme. The search
//! therefore needs no whole JWS. It looks for base64url text that decodes, at any of the four positions in
//! which base64 can start, to a JSON member `typ` with a value of ours (RFC 7515 section 4.1.9).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::config::Issuer;

use super::jws::media_type;

/// Types that tokens of other systems have too. A token with one of them is ours only if its `iss` is.
const GENERAL_TYPES: [&str; 4] = ["jwt", "at+jwt", "jose", "jws"];

/// Decodes a piece of base64url: padding and the unused bits of the last character do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether `value` contains a token that one of `issuers` may have signed, whole or damaged: its `typ` is
/// one of theirs, and so is its `iss` as far as that can be read. Linear in the length of `value`.
pub(crate) fn contains_our_token(value: &[u8], issuers: &[Issuer]) -> bool {
    let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
    if value.iter().filter(is_blank).count() <= 1 {
        return contains(value, issuers);
    }
    // A token that was copied from several lines has blanks in it. Joined, the words around a token
    // become a part of its first segment, which the search at every position takes apart again.
    let joined: Vec<u8> = value.iter().filter(|byte| !is_blank(byte)).copied().collect();
    contains(&joined, issuers)
}

fn contains(text: &[u8], issuers: &[Issuer]) -> bool {
    may_have_typ(text) && text.split(|byte| *byte == b',').any(|part| part_is_ours(part, issuers))
}

/// One element of a list: whether a segment names a `typ` of ours, by the `iss` in the segments after it.
fn part_is_ours(part: &[u8], issuers: &[Issuer]) -> bool {
    let has_type = |issuer: &Issuer, typ: &str| issuer.typ.iter().any(|known| known == typ);
    let is_of_an_issuer = |typ: &String| issuers.iter().any(|issuer| has_type(issuer, typ));
    let types = |segment: &[u8]| -> Vec<String> {
        if !may_have_typ(segment) {
            return Vec::new();
        }
        let types = members(segment, "typ").into_iter().map(|typ| media_type(&typ));
        types.filter(is_of_an_issuer).collect()
    };
    // From the end, so that each segment is read once: what follows a header is known when it is reached.
    let mut after = Names::default();
    for segment in part.rsplit(|byte| !is_base64url(*byte)) {
        let is_ours = |typ: &String| {
            let mut named = issuers.iter().filter(|issuer| after.issuers.contains(&*issuer.issuer));
            match GENERAL_TYPES.contains(&typ.as_str()) {
                true => named.any(|issuer| has_type(issuer, typ)),
                false => !after.has_issuer || named.next().is_some(),
            }
        };
        if types(segment).iter().any(is_ours) {
            return true;
        }
        for name in members(segment, "iss") {
            after.has_issuer = true;
            after
                .issuers
                .extend(issuers.iter().map(|issuer| &*issuer.issuer).filter(|one| **one == name));
        }
    }
    false
}

/// Which `iss` were found.
#[derive(Default)]
struct Names<'a> {
    /// Any.
    has_issuer: bool,
    /// Those of configured issuers.
    issuers: BTreeSet<&'a str>,
}

/// The strings that JSON members called `name` have in what a segment decodes to.
fn members(segment: &[u8], name: &str) -> Vec<String> {
    let key = format!("\"{name}\"");
    let positions = (0..4).filter_map(|start| segment.get(start..)).map(decode);
    positions.flat_map(|bytes| strings_after(&bytes, key.as_bytes())).collect()
}

/// The strings that follow each `key` and a colon in a text that may be a part of a JSON object.
fn strings_after(text: &[u8], key: &[u8]) -> Vec<String> {
    let found = text.windows(key.len()).enumerate().filter(|(_, window)| *window == key);
    let string = |(at, _): (usize, &[u8])| {
        let rest = text.get(at.saturating_add(key.len())..)?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?;
        serde_json::Deserializer::from_slice(rest).into_iter::<String>().next()?.ok()
    };
    found.filter_map(string).collect()
}

/// What base64url decodes to; a last character that is not a whole byte is dropped.
fn decode(text: &[u8]) -> Vec<u8> {
    let rest = text.len().wrapping_rem(4);
    let whole = if rest == 1 { text.len().saturating_sub(1) } else { text.len() };
    LENIENT.decode(text.get(..whole).unwrap_or_default()).unwrap_or_default()
}

/// Whether base64 text may decode to something with `"typ"` in it: the characters that those five bytes
/// alone decide, at each of their three positions. It spares nearly all other values the search.
fn may_have_typ(text: &[u8]) -> bool {
    text.windows(6).any(|window| matches!(window, b"InR5cC" | b"J0eXAi" | b"idHlwI"))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
