//! What a server may make of a request's target: everything that servers are known to decode, drop and
//! fold, all of it, as often as it goes. Not the filter's own code, and not its thought: no set of
//! readings, but one that is as lenient as all servers together.

/// Whether a lenient server may take this target for `path`, or for something below it, wherever in the
/// target that path begins.
pub(super) fn may_read_as(target: &[u8], path: &str) -> bool {
    let wanted: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let target = path_of(target);
    if is_plain(target) {
        let text = String::from_utf8_lossy(target).to_lowercase();
        let names: Vec<_> = text.split('/').map(str::to_owned).collect();
        return has(&names[1..names.len().min(wanted.len() + 1)], &wanted);
    }
    let decoded = decode(target);
    let cut = decoded.split(['?', '#', '\0']).next().unwrap_or_default();
    let ways = [(cut, true), (cut, false), (&*decoded, true), (&*decoded, false)];
    ways.into_iter().any(|(text, up)| {
        [true, false].into_iter().any(|cut| has(&segments(text, up, cut), &wanted))
    })
}

/// What is before the query of the line; a query that only decoding brings may be part of the path.
pub(super) fn path_of(target: &[u8]) -> &[u8] {
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

/// Whether every server reads a path as it stands: names of letters, digits, `_` and `-`, with single dots
/// between them.
pub(super) fn is_plain(path: &[u8]) -> bool {
    let path = String::from_utf8_lossy(path);
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let names = path.strip_prefix('/');
    names.is_some_and(|names| names.split('/').all(|name| name.split('.').all(is_word)))
}

/// Escapes of every class, overlong and compatible forms, case and backslashes, until nothing changes.
fn decode(target: &[u8]) -> String {
    let mut now = target.to_vec();
    loop {
        let text = String::from_utf8_lossy(&overlong(&unescape(&now))).into_owned();
        let next = text.chars().map(fold).collect::<String>().to_lowercase();
        if next.as_bytes() == now {
            return next;
        }
        now = next.into_bytes();
    }
}

/// `%XX` is a byte and `%uXXXX` a character.
fn unescape(text: &[u8]) -> Vec<u8> {
    let hex = |digits: Option<&[u8]>| {
        let digits = std::str::from_utf8(digits?).ok()?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let wide = after.first().is_some_and(|byte| matches!(byte, b'u' | b'U'));
        let character = (first == b'%' && wide).then(|| hex(after.get(1..5))).flatten();
        let byte = (first == b'%').then(|| hex(after.get(..2))).flatten();
        if let Some(character) = character.and_then(char::from_u32) {
            out.extend(character.to_string().into_bytes());
            rest = &after[5..];
        } else if let Some(byte) = byte {
            out.push(u8::try_from(byte).unwrap());
            rest = &after[2..];
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

/// ASCII in two, three or four bytes of UTF-8, and the same with a last byte that is none of UTF-8's.
fn overlong(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        (out, rest) = match (first, after) {
            (0xc0 | 0xc1, [last, after @ ..]) => {
                ([out, vec![((first & 1) << 6) | (last & 0x3f)]].concat(), after)
            }
            (0xe0, [second @ (0x80 | 0x81), last, after @ ..])
            | (0xf0, [0x80, second @ (0x80 | 0x81), last, after @ ..]) => {
                ([out, vec![((second & 1) << 6) | (last & 0x3f)]].concat(), after)
            }
            _ => ([out, vec![*first]].concat(), after),
        };
    }
    out
}

/// The ASCII character that a character is to one who folds compatible forms, and looks.
fn fold(character: char) -> char {
    let ascii = |from: u32, to: char| char::from_u32(u32::from(character) - from + u32::from(to));
    match character {
        '\u{ff01}'..='\u{ff5e}' => ascii(0xff01, '!').unwrap(),
        '\u{1d41a}'..='\u{1d433}' => ascii(0x1d41a, 'a').unwrap(),
        '\u{1d7ce}'..='\u{1d7d7}' => ascii(0x1d7ce, '0').unwrap(),
        '\\' | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29f5}' | '\u{29f8}' => '/',
        '\u{2024}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}' => '.',
        '\u{aa}' => 'a',
        '\u{ba}' => 'o',
        '\u{b9}' => '1',
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{131}' => 'i',
        '+' => ' ',
        other => other,
    }
}

/// What is dropped from names, by one server or another: nothing of it can be seen, or is in a file's name.
fn is_dropped(character: char) -> bool {
    character.is_control()
        || "<>:*|\"?\u{ad}\u{200b}\u{200d}\u{2060}\u{feff}\u{fe0f}\u{fffd}".contains(character)
        || ('\u{300}'..='\u{36f}').contains(&character)
}

/// The names between slashes, without blanks and dots at their ends; dot segments, with parameters or
/// not, go up or do not; a NUL ends a name, or is dropped.
fn segments(text: &str, up: bool, cut: bool) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for segment in text.split('/') {
        let end = segment.find('\0').filter(|_| cut).unwrap_or(segment.len());
        let name: String =
            segment[..end].chars().filter(|character| !is_dropped(*character)).collect();
        let name = name.trim();
        let plain = name.split(';').next().unwrap_or_default();
        if up && plain == ".." {
            names.pop();
        } else if !plain.trim_matches(['.', ' ']).is_empty() {
            names.push(name.to_owned());
        }
    }
    names
}

/// Whether the wanted names stand there one after the other, from any place on: what is before them may
/// be a host, or a folder that a server takes away. Parameters, an extension or a dot may follow each.
fn has(names: &[String], wanted: &[&str]) -> bool {
    let is = |name: &String, wanted: &&str| {
        let rest = name.trim_start().strip_prefix(wanted);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    names.windows(wanted.len()).any(|window| window.iter().zip(wanted).all(|(n, w)| is(n, w)))
}

#[test]
fn the_oracle_knows_what_servers_read() {
    for target in [
        "/v1/orders",
        "/v1/orders/17",
        "/v1%2Forders",
        "/v1%5corders?x",
        "/V1/Orders",
        "/v1/%6frders",
        "//v1//orders",
        "/x/../v1/orders",
        "/v1;a=b/orders;c",
        "/v1/orders.",
        "/v1./orders%20",
        "/v1/orders.json",
        "/%ef%bc%8fv1/orders",
        "/v1%u002forders",
        "/v1%c0%aforders",
        "/v1%e0%80%aforders",
        "/v1/orders%00.png",
        "/v1%252forders",
        "http://x/v1/orders",
        "//x/v1/orders",
        "/health/..%2fv1%2forders",
        "/v1/or\\..\\orders",
        "/v1/ord*ers",
    ] {
        assert!(may_read_as(target.as_bytes(), "/v1/orders"), "{target}");
    }
    for target in [
        "/health",
        "/public/a/b.css",
        "/health?/v1/orders",
        "/v1",
        "/orders",
        "/v1/order",
        "/v1/ordersx",
        "/v1/x/orders",
        "/v1-orders",
        "/?/v1/orders",
    ] {
        assert!(!may_read_as(target.as_bytes(), "/v1/orders"), "{target}");
    }
}
