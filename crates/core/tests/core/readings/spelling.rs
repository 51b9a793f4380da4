//! Spellings of what a rule covers: a plain path, to which a few random things are done that some server
//! undoes, and some that none does.

use std::fmt::Write as _;

use crate::random::Random;

/// Names for a `{variable}` and for what is below a rule.
const NAMES: [&str; 6] = ["x", "a", "7", "grp/proj", "a.b", "users"];

/// What is put anywhere.
const NOISE: [&str; 40] = [
    "/",
    "//",
    "\\",
    ";",
    ";x",
    "%",
    "%2",
    "%25",
    "%2f",
    "%2F",
    "%5c",
    "%2e",
    ".",
    "..",
    "/./",
    "/../",
    "%00",
    "%0a",
    "%23",
    "#",
    "%3f",
    "%3b",
    "*",
    "%2a",
    ":",
    "|",
    "\"",
    " ",
    "%20",
    "%09",
    "@",
    "%u002f",
    "%u002e",
    "%uff0f",
    "%c0%af",
    "%c0%ae",
    "%e0%80%af",
    "%ff",
    "%ef%bc%8f",
    "%252f",
];

/// What is put in front.
const FRONT: [&str; 16] = [
    "/",
    "//h",
    "/\\h",
    "\\\\h",
    "///h",
    "//u:p@h:80",
    "http://h",
    "http:",
    "http:/",
    "/./",
    "/x/..",
    "/..",
    "/.;x/..",
    "/%2fh",
    "/x/%2e%2e",
    "//h\\",
];

/// What is put behind.
const BEHIND: [&str; 18] = [
    "/", ".", "..", "%20", ".%20.", ";x", "%3bx", "%00x", "%23x", "%3fx", "#x", ".json", "%2ejson",
    "::$DATA", "%0a", "/.", "/x/..", "*",
];

/// A path that some server might take for one that `rule` covers, or might not.
pub(super) fn of(rule: &str, random: &mut Random) -> String {
    let mut path = String::new();
    for segment in rule.split('/').skip(1) {
        path.push('/');
        match segment {
            "**" => path.push_str(NAMES[random.below(NAMES.len())]),
            _ if segment.starts_with('{') => {
                path.push_str(&NAMES[random.below(NAMES.len())].replace('/', "%2f"));
            }
            _ => path.push_str(segment),
        }
    }
    for _ in 0..=random.below(4) {
        path = respelled(&path, random);
    }
    // A request's path begins with a slash, or is an absolute form.
    if path.starts_with(['/', 'h']) { path } else { format!("/{path}") }
}

fn respelled(path: &str, random: &mut Random) -> String {
    let characters: Vec<char> = path.chars().collect();
    let at = random.below(characters.len() + 1);
    let (before, after): (String, String) =
        (characters[..at].iter().collect(), characters[at..].iter().collect());
    let slash = path.char_indices().filter(|(_, c)| *c == '/').map(|(index, _)| index);
    let slash = slash.collect::<Vec<_>>();
    match random.below(8) {
        0 | 1 => encoded(&characters, at, random),
        2 | 3 => format!("{before}{}{after}", NOISE[random.below(NOISE.len())]),
        4 => format!("{}{path}", FRONT[random.below(FRONT.len())]),
        5 => format!("{path}{}", BEHIND[random.below(BEHIND.len())]),
        6 if !slash.is_empty() => {
            let index = slash[random.below(slash.len())];
            let instead = [
                "%2f", "%5c", "\\", "%u002f", "%c0%af", "//", "/./", "%252f", ";/", "/.%20/",
                "/x/../",
            ];
            format!(
                "{}{}{}",
                &path[..index],
                instead[random.below(instead.len())],
                &path[index + 1..]
            )
        }
        _ => path.to_uppercase(),
    }
}

/// One character in another way.
fn encoded(characters: &[char], at: usize, random: &mut Random) -> String {
    let mut path = String::new();
    let way = random.below(6);
    for (index, character) in characters.iter().enumerate() {
        if index != at || !character.is_ascii_graphic() {
            path.push(*character);
            continue;
        }
        let code = u32::from(*character);
        let _ = match way {
            0 | 1 => write!(path, "%{code:02x}"),
            2 => write!(path, "%25{code:02X}"),
            3 => write!(path, "%u{code:04x}"),
            4 => write!(path, "%{:02x}%{:02x}", 0xc0 | (code >> 6), 0x80 | (code & 0x3f)),
            // The full-width form.
            _ => write!(path, "%{:02x}%{:02x}%{:02x}", 0xef, 0xbc + u8::from(code > 0x5f), {
                let low = code + 0xfee0;
                0x80 | (low & 0x3f)
            }),
        };
    }
    path
}
