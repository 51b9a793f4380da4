//! A second, slow and obvious implementation of the readings of a path: everything that some server does
//! to the text, one function each, applied in every order, with nothing taken for granted.

use std::collections::{HashSet, VecDeque};

use unicode_normalization::UnicodeNormalization as _;

/// Where the search ends. What it has found until then is a reading all the same.
const MAX_TEXTS: usize = 2_000;

type Step = (&'static str, fn(&[u8]) -> Vec<u8>);

/// What servers do.
const STEPS: [Step; 31] = [
    ("lower case", |text| text.to_ascii_lowercase()),
    ("decode letters and digits", |text| decode(text, |byte| byte.is_ascii_alphanumeric())),
    ("decode other ASCII", |text| {
        decode(text, |byte| {
            byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"/\\.;?#%".contains(&byte)
        })
    }),
    ("decode beyond ASCII", |text| decode(text, |byte| !byte.is_ascii())),
    ("decode %2f", |text| decode(text, |byte| byte == b'/')),
    ("decode %5c", |text| decode(text, |byte| byte == b'\\')),
    ("decode %2e", |text| decode(text, |byte| byte == b'.')),
    ("decode %3b", |text| decode(text, |byte| byte == b';')),
    ("decode %3f", |text| decode(text, |byte| byte == b'?')),
    ("decode %23", |text| decode(text, |byte| byte == b'#')),
    ("decode %25", |text| decode(text, |byte| byte == b'%')),
    ("decode everything", |text| decode(text, |_| true)),
    ("decodeURI", |text| decode(text, |byte| !b";/?:@&=+$,#".contains(&byte))),
    ("decode %u", units),
    ("overlong UTF-8", overlong),
    ("NFKC", |text| match std::str::from_utf8(text) {
        Ok(text) => text.nfkc().collect::<String>().into_bytes(),
        Err(_) => text.to_vec(),
    }),
    ("ignore what is no UTF-8", |text| {
        String::from_utf8_lossy(text).replace('\u{fffd}', "").into_bytes()
    }),
    ("backslashes", |text| {
        text.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
    }),
    ("drop ;parameters", |text| each(text, |name| name.split(';').next().unwrap().to_owned())),
    ("drop the query", |text| text.split(|byte| *byte == b'?').next().unwrap().to_vec()),
    ("drop the fragment", |text| text.split(|byte| *byte == b'#').next().unwrap().to_vec()),
    ("end at NUL", |text| text.split(|byte| *byte == 0).next().unwrap().to_vec()),
    ("merge slashes", |text| {
        let mut merged = text.to_vec();
        merged.dedup_by(|a, b| *a == b'/' && *b == b'/');
        merged
    }),
    ("merge leading slashes", |text| {
        let slashes = text.iter().take_while(|byte| **byte == b'/').count();
        [if slashes > 0 { &b"/"[..] } else { b"" }, &text[slashes..]].concat()
    }),
    ("resolve dots", dots),
    ("strip blanks", |text| each(text, |name| name.trim_matches(' ').to_owned())),
    ("Windows names", |text| {
        each(text, |name| name.trim_start_matches(' ').trim_end_matches(['.', ' ']).to_owned())
    }),
    ("drop *\"<>|? and controls", |text| each(text, |name| name.replace(unsafe_in_names, ""))),
    ("sanitize-filename", |text| {
        each(text, |name| {
            let name = name.replace(|c| unsafe_in_names(c) || c == ':' || c == '\\', "");
            name.replace("%2f", "").replace("%2F", "").replace("%5c", "").replace("%5C", "")
        })
    }),
    ("RFC 3986 and urllib", |text| reference(text, b"/?#", false)),
    ("WHATWG", |text| reference(text, b"/\\?#", true)),
];

fn unsafe_in_names(c: char) -> bool {
    "*\"<>|?".contains(c) || c.is_control()
}

fn decode(text: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let digits = text.get(at + 1..at + 3).and_then(|two| std::str::from_utf8(two).ok());
        let digits = digits.filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.map(|two| u8::from_str_radix(two, 16).unwrap()) {
            Some(byte) if text[at] == b'%' && wanted(byte) => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(text[at]);
                at += 1;
            }
        }
    }
    decoded
}

fn units(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let escape = text.get(at..at + 6).filter(|six| six[0] == b'%' && six[1] | 32 == b'u');
        let digits = escape.and_then(|six| std::str::from_utf8(&six[2..]).ok());
        let digits = digits.filter(|four| four.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.map(|four| u32::from_str_radix(four, 16).unwrap()) {
            Some(unit) => {
                let character = char::from_u32(unit).unwrap_or('\u{fffd}');
                decoded.extend(character.to_string().bytes());
                at += 6;
            }
            None => {
                decoded.push(text[at]);
                at += 1;
            }
        }
    }
    decoded
}

fn overlong(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let next = |skip: usize| text.get(at + skip).copied().unwrap_or(0);
        let bits = |byte: u8| u32::from(byte & 0x3f);
        let continues = |count: usize| (1..=count).all(|skip| next(skip) & 0xc0 == 0x80);
        let (value, length) = match text[at] {
            lead @ 0xc0..=0xdf if continues(1) => {
                ((u32::from(lead & 0x1f) << 6) | bits(next(1)), 2)
            }
            lead @ 0xe0..=0xef if continues(2) => {
                ((u32::from(lead & 0x0f) << 12) | (bits(next(1)) << 6) | bits(next(2)), 3)
            }
            _ => (u32::MAX, 1),
        };
        if value < 0x80 {
            decoded.push(u8::try_from(value).unwrap());
        } else {
            decoded.extend_from_slice(&text[at..at + length]);
        }
        at += length;
    }
    decoded
}

/// Does something to the name of each segment.
fn each(text: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let segments =
        text.split(|byte| *byte == b'/').map(|segment| match std::str::from_utf8(segment) {
            Ok(name) => change(name).into_bytes(),
            Err(_) => {
                // Bytes that are no UTF-8 are letters, for as long as nobody decodes them.
                let letter = |byte: &u8| {
                    if byte.is_ascii() {
                        char::from(*byte)
                    } else {
                        char::from_u32(0xe000 + u32::from(*byte)).unwrap()
                    }
                };
                let byte = |letter: char| {
                    u8::try_from(if letter.is_ascii() {
                        u32::from(letter)
                    } else {
                        u32::from(letter) - 0xe000
                    })
                    .unwrap()
                };
                change(&segment.iter().map(letter).collect::<String>()).chars().map(byte).collect()
            }
        });
    segments.collect::<Vec<_>>().join(&b'/')
}

fn dots(text: &[u8]) -> Vec<u8> {
    let rooted = text.first() == Some(&b'/');
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in text[usize::from(rooted)..].split(|byte| *byte == b'/') {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    [if rooted { &b"/"[..] } else { b"" }, &kept.join(&b'/')].concat()
}

/// The path of a reference.
fn reference(text: &[u8], ends: &[u8], lenient: bool) -> Vec<u8> {
    let is_slash = |byte: &u8| *byte == b'/' || (lenient && *byte == b'\\');
    let scheme = text.iter().position(|byte| b":/\\?#".contains(byte)).filter(|at| {
        text[*at] == b':'
            && *at > 0
            && text[0].is_ascii_alphabetic()
            && text[..*at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
    });
    let rest = scheme.map_or(text, |colon| &text[colon + 1..]);
    let slashes = rest.iter().take_while(|byte| is_slash(byte)).count();
    if slashes < 2 {
        return match scheme {
            Some(_) if slashes == 0 => [b"/", rest].concat(),
            _ => rest.to_vec(),
        };
    }
    let authority = &rest[if lenient { slashes } else { 2 }..];
    let end = authority.iter().position(|byte| ends.contains(byte)).unwrap_or(authority.len());
    [if authority.get(end) == Some(&b'/') { &b""[..] } else { b"/" }, &authority[end..]].concat()
}

/// Whether a server could take `path` for what `template` covers, and by which steps.
pub(crate) fn covers(template: &str, path: &str) -> Option<Vec<&'static str>> {
    let path = path.split('?').next().unwrap();
    let start = path.as_bytes().to_vec();
    let template = Template::new(template);
    let mut found: HashSet<Vec<u8>> = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([(start, Vec::new())]);
    while let Some((text, steps)) = queue.pop_front() {
        if template.matches(&text) {
            return Some(steps);
        }
        for (name, step) in STEPS {
            let next = step(&text);
            if next != text && found.len() < MAX_TEXTS && found.insert(next.clone()) {
                let mut steps = steps.clone();
                steps.push(name);
                queue.push_back((next, steps));
            }
        }
    }
    None
}

/// A template's segments, decoded; `None` is a variable.
struct Template {
    wanted: Vec<Option<String>>,
    rest: bool,
}

impl Template {
    fn new(template: &str) -> Template {
        let (wanted, rest) = match template.strip_suffix("/**") {
            Some(wanted) => (wanted, true),
            None => (template, false),
        };
        let literal = |name: &str| {
            let decoded = String::from_utf8(decode(name.as_bytes(), |_| true)).unwrap();
            (!name.starts_with('{')).then(|| decoded.to_lowercase())
        };
        Template { wanted: wanted.split('/').skip(1).map(literal).collect(), rest }
    }

    /// Whether a text is what the template says, letter by letter but for case and an extension.
    fn matches(&self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text);
        let text = text.strip_prefix('/').unwrap_or(&text).trim_end_matches('/');
        let count = if text.is_empty() { 0 } else { text.split('/').count() };
        if count < self.wanted.len() || (count > self.wanted.len() && !self.rest) {
            return false;
        }
        self.wanted.iter().zip(text.split('/')).enumerate().all(|(index, (wanted, given))| {
            let Some(wanted) = wanted else { return true };
            let given = given.to_lowercase();
            let stem = (index + 1 == count).then(|| given.rsplit_once('.')).flatten();
            *wanted == given || stem.is_some_and(|(stem, _)| stem == wanted)
        })
    }
}
