//! The characters of a segment in other ways.

use std::fmt::Write as _;

/// A kind, and a segment in it.
pub(super) type Changed = (&'static str, Vec<u8>);

/// One character in another way; `None` where it has none.
type Way = fn(char) -> Option<String>;

/// The ways, each for every character alone and for all of a segment.
const WAYS: [(&str, Way); 18] = [
    ("letters: encoding", |c| Some(percent(c, false))),
    ("letters: encoding, upper case", |c| Some(percent(c, true))),
    ("letters: encoding of the other case", |c| Some(percent(other_case(c)?, false))),
    ("letters: double encoding", |c| Some(percent(c, false).replace('%', "%25"))),
    ("letters: double encoding, upper case", |c| Some(percent(c, true).replace('%', "%25"))),
    ("letters: triple encoding", |c| Some(percent(c, false).replace('%', "%2525"))),
    ("letters: encoded escape", encoded_escape),
    ("letters: half encoded escape", half_encoded_escape),
    ("letters: %u", |c| Some(format!("%u{:04x}", u32::from(c)))),
    ("letters: %U", |c| Some(format!("%U{:04X}", u32::from(c)))),
    ("letters: overlong, two bytes", |c| overlong(c, &[0xc0])),
    ("letters: overlong, three bytes", |c| overlong(c, &[0xe0, 0x80])),
    ("letters: overlong, four bytes", |c| overlong(c, &[0xf0, 0x80, 0x80])),
    ("letters: case", |c| other_case(c).map(String::from)),
    ("letters: full width", |c| full_width(c).map(utf8_escaped)),
    ("letters: full width, %u", |c| Some(format!("%u{:04x}", u32::from(full_width(c)?)))),
    ("letters: compatible form", |c| compatible(c).map(utf8_escaped)),
    ("letters: folds to it", |c| folding(c).map(utf8_escaped)),
];

/// What is put between two characters, and undone by who ignores it.
const BETWEEN: [(&str, &[&str]); 4] = [
    ("letters: nothing to see", &["%e2%80%8b", "%e2%80%8d", "%c2%ad", "%ef%bb%bf", "%e2%81%a0"]),
    ("letters: combining", &["%cc%81", "%cd%8f", "%cc%b8"]),
    (
        "letters: forbidden in names",
        &["%2a", "*", "%3a", ":", "%7c", "|", "%3c", "<", "%22", "\"", "%3f"],
    ),
    ("letters: controls", &["%00", "%01", "%09", "%0a", "%7f", "%c2%80"]),
];

/// The segment in every way.
pub(super) fn changed(segment: &str) -> Vec<Changed> {
    let characters: Vec<char> = segment.chars().collect();
    let last = characters.len() - 1;
    let mut changed = Vec::new();
    for (class, way) in WAYS {
        let mut at = |chosen: &dyn Fn(usize) -> bool| {
            let mut text = String::new();
            for (index, character) in characters.iter().enumerate() {
                let other = if chosen(index) { way(*character) } else { None };
                text.push_str(&other.unwrap_or_else(|| character.to_string()));
            }
            if text != segment {
                changed.push((class, text.into_bytes()));
            }
        };
        at(&|_| true);
        at(&|index| index % 2 == 1);
        for only in 0..=last {
            at(&|index| index == only);
        }
    }
    // Not escaped at all: what a client of today sends for a name that is not ASCII.
    let raw: String = characters.iter().map(|c| full_width(*c).unwrap_or(*c)).collect();
    changed.push(("letters: full width, raw", raw.into_bytes()));
    for (class, all) in BETWEEN {
        for (index, between) in all.iter().enumerate() {
            let (before, after) = characters.split_at((index % characters.len()).max(1));
            for parts in [(before, after), (&characters[..0], &characters[..])] {
                let text: String = parts
                    .0
                    .iter()
                    .copied()
                    .chain(between.chars())
                    .chain(parts.1.iter().copied())
                    .collect();
                changed.push((class, text.into_bytes()));
            }
        }
    }
    changed
}

fn escaped(bytes: &[u8], upper: bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = if upper { write!(text, "%{byte:02X}") } else { write!(text, "%{byte:02x}") };
        text
    })
}

fn percent(character: char, upper: bool) -> String {
    escaped(character.to_string().as_bytes(), upper)
}

fn utf8_escaped(character: char) -> String {
    percent(character, false)
}

/// `%61` with its digits escaped: `%%36%31`.
fn encoded_escape(character: char) -> Option<String> {
    let code = u8::try_from(character).ok()?;
    Some(format!("%{}", escaped(format!("{code:02x}").as_bytes(), false)))
}

/// `%61` with one digit escaped: `%6%31`.
fn half_encoded_escape(character: char) -> Option<String> {
    let code = u8::try_from(character).ok()?;
    let (first, second) = (code >> 4, code & 0xf);
    Some(format!("%{first:x}{}", escaped(format!("{second:x}").as_bytes(), false)))
}

/// UTF-8 that is longer than it may be: what is before the last two bytes is `start`.
fn overlong(character: char, start: &[u8]) -> Option<String> {
    let code = u8::try_from(character).ok().filter(u8::is_ascii)?;
    let mut bytes = start.to_vec();
    if let [.., last] = bytes.as_mut_slice()
        && start.len() == 1
    {
        *last |= code >> 6;
    } else if let Some(last) = bytes.last_mut() {
        *last = 0x80 | (code >> 6);
    }
    bytes.push(0x80 | (code & 0x3f));
    Some(escaped(&bytes, false))
}

fn other_case(character: char) -> Option<char> {
    match character {
        'a'..='z' => Some(character.to_ascii_uppercase()),
        'A'..='Z' => Some(character.to_ascii_lowercase()),
        _ => None,
    }
}

fn full_width(character: char) -> Option<char> {
    character.is_ascii_graphic().then(|| char::from_u32(u32::from(character) + 0xfee0)).flatten()
}

/// What NFKC makes the character: mathematical letters and digits.
fn compatible(character: char) -> Option<char> {
    let first = match character {
        'a'..='z' => 0x1d41a - u32::from('a'),
        'A'..='Z' => 0x1d400 - u32::from('A'),
        '0'..='9' => 0x1d7ce - u32::from('0'),
        '.' => 0x2024 - u32::from('.'),
        _ => return None,
    };
    char::from_u32(first + u32::from(character))
}

/// What becomes the character in lower or upper case, or a superscript of it.
fn folding(character: char) -> Option<char> {
    Some(match character {
        's' | 'S' => '\u{17f}',
        'k' | 'K' => '\u{212a}',
        'i' | 'I' => '\u{131}',
        'a' => '\u{aa}',
        'o' => '\u{ba}',
        '1' => '\u{b9}',
        '2' => '\u{b2}',
        '3' => '\u{b3}',
        _ => return None,
    })
}
