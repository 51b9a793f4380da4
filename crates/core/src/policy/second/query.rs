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

/// The most text of odd names that is read in every way, in bytes.
const MAX_ODD_BYTES: usize = 512;

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
    let mut left = MAX_ODD_BYTES;
    for (name, value) in texts.iter().flat_map(|text| pairs(text)) {
        let name = Name::read(name, &mut left);
        for parameter in parameters.iter().filter(|known| name.is(&known.name)) {
            let short = value.split(|byte| BEGINNINGS.contains(byte)).next().unwrap_or_default();
            named.found.push((parameter, value.to_vec()));
            if short.len() < value.len() {
                named.found.push((parameter, short.to_vec()));
            }
        }
    }
    if named.found.is_empty() {
        return named;
    }
    let mut left = MAX_ODD_BYTES;
    let mut there: Vec<&str> = Vec::new();
    for (name, _) in texts.iter().flat_map(|text| pairs(text)) {
        let name = Name::read(name, &mut left);
        let withs = parameters.iter().filter_map(|parameter| parameter.with.as_deref());
        there.extend(withs.filter(|with| name.is(with)));
        there.sort_unstable();
        there.dedup();
    }
    named.found.retain(|(parameter, _)| {
        parameter.with.as_deref().is_none_or(|with| there.contains(&with))
    });
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
    let digit = |byte: &u8| breakglass_types::hex::digit(*byte);
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

/// The name of a parameter, as servers may read it.
enum Name<'n> {
    /// In one way, but for its case.
    Plain(&'n [u8]),
    /// With all escapes decoded.
    Settled(String),
    /// In several ways.
    Odd(Readings<'static>),
}

impl<'n> Name<'n> {
    /// `left` is what odd names may have together, in bytes; one for which that is not enough counts as every
    /// name.
    fn read(name: &'n [u8], left: &mut usize) -> Name<'n> {
        if name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte)) {
            return Name::Plain(name);
        }
        match String::from_utf8(settle(name.to_vec())) {
            Ok(settled) if !settled.contains('%') => Name::Settled(settled),
            _ => Name::Odd(match left.checked_sub(name.len()) {
                Some(rest) => {
                    *left = rest;
                    Readings::of(&[b"/", name].concat()).into_owned()
                }
                None => Readings::Anything,
            }),
        }
    }

    /// Whether a server may take it for `wanted`, which is in lower case.
    fn is(&self, wanted: &str) -> bool {
        match self {
            Name::Plain(name) => name.eq_ignore_ascii_case(wanted.as_bytes()),
            Name::Settled(name) => is_bare(name, wanted),
            Name::Odd(readings) => {
                readings.any(|name| is_bare(&String::from_utf8_lossy(name), wanted))
            }
        }
    }
}

/// Whether a name is `wanted` but for what servers take off: blanks and controls around it, what follows a
/// NUL, and the brackets of lists.
fn is_bare(name: &str, wanted: &str) -> bool {
    let name = name.split(['[', '\0']).next().unwrap_or_default();
    let is_blank = |c: char| c == '+' || c.is_whitespace() || c.is_control();
    name.trim_matches(is_blank).eq_ignore_ascii_case(wanted)
}
