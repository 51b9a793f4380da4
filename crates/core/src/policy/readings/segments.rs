//! Changes of the segments: their separators, and what an application takes off their names.

/// The leading slash, if there is one, and the segments after it.
fn split(text: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (root, body) = match text {
        [b'/', body @ ..] => (&b"/"[..], body),
        body => (&b""[..], body),
    };
    (root, body.split(|byte| *byte == b'/'))
}

fn join(root: &[u8], segments: &[&[u8]]) -> Vec<u8> {
    [root, &segments.join(&b'/')].concat()
}

/// `text` if it is another one than `before`.
fn changed(before: &[u8], text: Vec<u8>) -> Option<Vec<u8>> {
    (text != before).then_some(text)
}

/// Whether `text` holds two bytes next to one another.
fn has(text: &[u8], pair: &[u8; 2]) -> bool {
    text.windows(2).any(|two| two == pair)
}

fn each(text: &[u8], change: impl Fn(&[u8]) -> &[u8]) -> Option<Vec<u8>> {
    let (root, segments) = split(text);
    changed(text, join(root, &segments.map(change).collect::<Vec<_>>()))
}

/// Everything before the first byte that `ends` it.
fn until(text: &[u8], ends: impl Fn(&u8) -> bool) -> &[u8] {
    text.split(ends).next().unwrap_or_default()
}

fn cut(text: &[u8], ends: impl Fn(&u8) -> bool) -> Option<Vec<u8>> {
    let kept = until(text, ends);
    (kept.len() < text.len()).then(|| kept.to_vec())
}

/// Ends at a query.
pub(super) fn until_query(text: &[u8]) -> Option<Vec<u8>> {
    cut(text, |byte| *byte == b'?')
}

/// Ends at a fragment.
pub(super) fn until_fragment(text: &[u8]) -> Option<Vec<u8>> {
    cut(text, |byte| *byte == b'#')
}

/// Ends at a NUL: C strings.
pub(super) fn until_nul(text: &[u8]) -> Option<Vec<u8>> {
    cut(text, |byte| *byte == 0)
}

/// Ends at a control character: line protocols, and patterns whose `$` stands before a line's end.
pub(super) fn until_control(text: &[u8]) -> Option<Vec<u8>> {
    cut(text, u8::is_ascii_control)
}

/// Takes a backslash for a slash.
pub(super) fn backslashes(text: &[u8]) -> Option<Vec<u8>> {
    changed(text, text.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect())
}

/// Without the `;` parameters of each segment (RFC 3986 section 3.3).
pub(super) fn without_parameters(text: &[u8]) -> Option<Vec<u8>> {
    each(text, |segment| until(segment, |byte| *byte == b';'))
}

/// Slashes merged.
pub(super) fn without_empty(text: &[u8]) -> Option<Vec<u8>> {
    if !has(text, b"//") {
        return None;
    }
    let (root, segments) = split(text);
    let segments: Vec<_> = segments.filter(|segment| !segment.is_empty()).collect();
    changed(text, join(root, &segments))
}

/// Leading slashes merged, and no other.
pub(super) fn without_leading(text: &[u8]) -> Option<Vec<u8>> {
    let slashes = text.iter().take_while(|byte| **byte == b'/').count();
    (slashes > 1).then(|| text.get(slashes.saturating_sub(1)..).unwrap_or_default().to_vec())
}

/// Dot segments resolved (RFC 3986 section 5.2.4).
pub(super) fn without_dots(text: &[u8]) -> Option<Vec<u8>> {
    if !has(text, b"/.") && text.first() != Some(&b'.') {
        return None;
    }
    let (root, segments) = split(text);
    let mut resolved = Vec::new();
    for segment in segments {
        match segment {
            b"." => {}
            b".." => {
                resolved.pop();
            }
            _ => resolved.push(segment),
        }
    }
    changed(text, join(root, &resolved))
}

/// Without blanks around segments.
pub(super) fn without_blanks(text: &[u8]) -> Option<Vec<u8>> {
    each(text, |segment| or_itself(trim_blanks(segment), segment))
}

/// Without dots at the ends of segments: Windows, and what cleans names for it.
pub(super) fn without_trailing_dots(text: &[u8]) -> Option<Vec<u8>> {
    each(text, |segment| {
        let mut kept = segment;
        while let Some(shorter) = kept.strip_suffix(b".") {
            kept = shorter;
        }
        or_itself(kept, segment)
    })
}

/// What is left of a segment, unless that is nothing: [`without_nothing`] is a change of its own.
fn or_itself<'s>(left: &'s [u8], segment: &'s [u8]) -> &'s [u8] {
    if left.is_empty() { segment } else { left }
}

/// Without the segments of which cleaning leaves nothing.
pub(super) fn without_nothing(text: &[u8]) -> Option<Vec<u8>> {
    let is_nothing = |byte: &u8| byte.is_ascii_control() || b" .<>*|\"?:".contains(byte);
    each(text, |segment| if segment.iter().all(is_nothing) { b"" } else { segment })
}

/// Without the segments that are dots and blanks.
pub(super) fn without_dots_alone(text: &[u8]) -> Option<Vec<u8>> {
    let is_nothing = |byte: &u8| b" .".contains(byte);
    each(text, |segment| if segment.iter().all(is_nothing) { b"" } else { segment })
}

fn trim_blanks(segment: &[u8]) -> &[u8] {
    let mut kept = segment;
    while let Some(shorter) = kept.strip_prefix(b" ").or_else(|| kept.strip_suffix(b" ")) {
        kept = shorter;
    }
    kept
}

/// Without the names of NTFS's streams: `x::$DATA`, `x:$I30:$INDEX_ALLOCATION`.
pub(super) fn without_streams(text: &[u8]) -> Option<Vec<u8>> {
    let stream = |segment: &[u8]| segment.windows(2).position(|pair| pair == b":$");
    stream(text)?;
    each(text, |segment| {
        let end = stream(segment).unwrap_or(segment.len());
        let name = segment.get(..end).unwrap_or_default();
        name.strip_suffix(b":").unwrap_or(name)
    })
}

/// Without `<>*|"?` and control characters, which no file of Windows has in its name.
pub(super) fn without_unsafe(text: &[u8]) -> Option<Vec<u8>> {
    changed(text, clean(text, |byte| matches!(byte, b'<' | b'>' | b'*' | b'|' | b'"' | b'?')))
}

/// The same without `:`.
pub(super) fn without_unsafe_and_colons(text: &[u8]) -> Option<Vec<u8>> {
    let is_unsafe = |byte| matches!(byte, b'<' | b'>' | b'*' | b'|' | b'"' | b'?' | b':');
    changed(text, clean(text, is_unsafe))
}

/// Without separators that are part of a segment's name, as `sanitize-filename` leaves it.
pub(super) fn without_inner_separators(text: &[u8]) -> Option<Vec<u8>> {
    if !text.contains(&b'\\') && !text.windows(3).any(is_escaped_separator) {
        return None;
    }
    let mut kept = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match rest.first_chunk::<3>() {
            Some(three) if is_escaped_separator(three) => rest.get(3..).unwrap_or_default(),
            _ => {
                if *byte != b'\\' {
                    kept.push(*byte);
                }
                after
            }
        };
    }
    Some(kept)
}

fn is_escaped_separator(escape: &[u8]) -> bool {
    escape == b"%2f" || escape == b"%5c"
}

/// Without these bytes and control characters, but for segments that are nothing else.
fn clean(text: &[u8], is_unsafe: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    for (index, segment) in text.split(|byte| *byte == b'/').enumerate() {
        if index > 0 {
            kept.push(b'/');
        }
        let start = kept.len();
        let mut rest = segment;
        loop {
            rest = match rest {
                // A C1 control character is two bytes.
                [0xc2, 0x80..=0x9f, after @ ..] => after,
                [byte, after @ ..] => {
                    if !byte.is_ascii_control() && !is_unsafe(*byte) {
                        kept.push(*byte);
                    }
                    after
                }
                [] => break,
            };
        }
        if kept.len() == start {
            kept.extend_from_slice(segment);
        }
    }
    kept
}

/// Without `/(S(..))`, by which ASP.NET keeps a session in the path.
pub(super) fn without_session(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.windows(4).position(is_session)?;
    let length = text.get(start..)?.windows(2).position(|pair| pair == b"))")?.saturating_add(2);
    let (before, after) = (text.get(..start)?, text.get(start.saturating_add(length)..)?);
    Some([before, after].concat())
}

/// Whether four bytes begin such a session: `/(s(`.
pub(super) fn is_session(bytes: &[u8]) -> bool {
    matches!(bytes, [b'/', b'(', letter, b'('] if letter.is_ascii_alphabetic())
}
