//! Parameters of a query that name a second resource, however they are spelled.
//!
//! Servers differ in what parts parameters (`&`, `;` too), in whether they decode before they look for that, in
//! where a query begins, and in what they do to names (case, blanks, brackets, forms of Unicode).

use std::borrow::Cow;

use super::names::ParameterName;
use crate::policy::Readings;
use crate::policy::readings::settle;

/// How often a query is decoded; one that could be decoded more often counts as too many.
const MAX_PASSES: usize = 8;

/// What begins a parameter; nothing of a path before any of these is one.
const BEGINNINGS: &[u8] = b"?&;#";

/// The parameters of a query that name second resources.
#[derive(Debug, Default)]
pub(super) struct Named<'k> {
    pub(super) found: Vec<(&'k ParameterName, Vec<u8>)>,
    /// Nobody could say what there is.
    pub(super) too_many: bool,
}

/// Looks for the parameters in a request's `:path`.
pub(super) fn named<'k>(path: &[u8], parameters: &'k [ParameterName]) -> Named<'k> {
    let mut named = Named::default();
    if parameters.is_empty() || !path.iter().any(|byte| *byte == b'%' || BEGINNINGS.contains(byte))
    {
        return named;
    }
    let mut texts = vec![Cow::Borrowed(path)];
    while let Some(text) = texts.last()
        && hides_parameters(text)
    {
        let next = decoded(text);
        if next == **text {
            break;
        }
        if texts.len() > MAX_PASSES {
            named.too_many = true;
            break;
        }
        texts.push(Cow::Owned(next));
    }
    for text in &texts {
        for (name, value) in pairs(text) {
            for parameter in parameters.iter().filter(|known| is_called(name, &known.name)) {
                let short =
                    value.split(|byte| BEGINNINGS.contains(byte)).next().unwrap_or_default();
                named.found.push((parameter, value.to_vec()));
                if short.len() < value.len() {
                    named.found.push((parameter, short.to_vec()));
                }
            }
        }
    }
    if named.found.is_empty() {
        return named;
    }
    let is_there = |wanted: &str| {
        texts.iter().any(|text| pairs(text).any(|(name, _)| is_called(name, wanted)))
    };
    named.found.retain(|(parameter, _)| parameter.with.as_deref().is_none_or(is_there));
    named.found.dedup_by(|a, b| a.1 == b.1 && std::ptr::eq(a.0, b.0));
    named
}

/// The names and values of a text's parameters. A value goes on to the next `&`.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let begins = text.iter().enumerate().filter(|(_, byte)| BEGINNINGS.contains(byte));
    begins.map(|(at, _)| {
        let rest = text.get(at.saturating_add(1)..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'=' || BEGINNINGS.contains(byte));
        let (name, rest) = rest.split_at_checked(end.unwrap_or(rest.len())).unwrap_or((rest, b""));
        let value = rest.strip_prefix(b"=").unwrap_or_default();
        (name, value.split(|byte| *byte == b'&').next().unwrap_or_default())
    })
}

/// Whether a text holds parameters, or parts of them, that only decoding brings to light: encoded separators,
/// and what could be escapes after it.
fn hides_parameters(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let hides = matches!(
            rest,
            [b'2', b'3' | b'5' | b'6', ..]
                | [b'3', b'b' | b'B' | b'd' | b'D' | b'f' | b'F', ..]
                | [b'%', ..]
                | [_, b'%', ..]
        );
        if hides {
            return true;
        }
    }
    false
}

/// With each escape decoded once, whatever it is.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = match rest {
            [b'%', high, low, ..] => digit(high).zip(digit(low)),
            _ => None,
        };
        let (byte, after) = match digits {
            Some((high, low)) => (high << 4 | low, rest.get(3..).unwrap_or_default()),
            None => (*byte, after),
        };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// Whether a server may take a parameter's name for `wanted`, which is in lower case.
fn is_called(name: &[u8], wanted: &str) -> bool {
    let wanted = wanted.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    if name.iter().all(is_plain) {
        return name.eq_ignore_ascii_case(wanted);
    }
    let settled = settle(name.to_vec());
    if settled.is_ascii() && !settled.contains(&b'%') {
        return is_bare(&settled, wanted);
    }
    // A `/` of a name would part segments: it is no part of any name that is wanted here.
    Readings::of(&[b"/", name].concat()).any(|reading| is_bare(reading, wanted))
}

/// Whether a name is `wanted` but for what servers take off: blanks and controls around it, what follows a
/// NUL, and the brackets of lists.
fn is_bare(name: &[u8], wanted: &[u8]) -> bool {
    let name = name.split(|byte| *byte == b'[' || *byte == 0).next().unwrap_or_default();
    let is_blank = |byte: &u8| *byte == b'+' || *byte == b' ' || byte.is_ascii_control();
    let start = name.iter().position(|byte| !is_blank(byte)).unwrap_or(name.len());
    let end =
        name.iter().rposition(|byte| !is_blank(byte)).map_or(start, |at| at.saturating_add(1));
    name.get(start..end).unwrap_or_default().eq_ignore_ascii_case(wanted)
}
