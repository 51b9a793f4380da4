//! A path that is a reference: what a URL parser takes for scheme, user, host and port is no part of the
//! path (RFC 3986 section 4.2, WHATWG URL section 4.4).

/// The paths that parsers find behind an authority or a scheme: none where there is neither.
///
/// The parsers differ in where an authority begins (after two slashes; after all slashes and backslashes
/// that there are) and where it ends (at a slash; at `?` and `#` too; at a backslash too; after the last
/// `@`, for those that look for the user first).
pub(super) fn paths(text: &[u8]) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let rest = match after_scheme(text) {
        Some(rest) => {
            // `http:/x` and `http:x` are relative to a base of the same scheme.
            paths.push(rooted(rest));
            rest
        }
        None => text,
    };
    let slashes = rest.iter().take_while(|byte| is_slash(**byte)).count();
    if slashes < 2 && paths.is_empty() {
        return paths;
    }
    for start in [slashes.min(2), slashes] {
        let authority = rest.get(start..).unwrap_or_default();
        let user = authority.iter().rposition(|byte| *byte == b'@').unwrap_or(0);
        for (from, ends) in [(0, &b"/"[..]), (0, b"/?#"), (0, b"/?#\\"), (user, b"/?#\\")] {
            let host = authority.get(from..).unwrap_or_default();
            let end = host.iter().position(|byte| ends.contains(byte)).unwrap_or(host.len());
            paths.push(rooted(host.get(end..).unwrap_or_default()));
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

fn is_slash(byte: u8) -> bool {
    byte == b'/' || byte == b'\\'
}

/// What is behind `scheme:`, at the beginning; a slash in front of `scheme://` is one that was put there.
fn after_scheme(text: &[u8]) -> Option<&[u8]> {
    let slashes = text.iter().take_while(|byte| is_slash(**byte)).count();
    let unrooted = text.get(slashes..).unwrap_or_default();
    let colon = unrooted.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = unrooted.split_at_checked(colon)?;
    let rest = rest.strip_prefix(b":")?;
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    let is_reference =
        slashes == 0 || (rest.len() > 1 && rest.iter().take(2).all(|byte| is_slash(*byte)));
    (is_scheme && is_reference).then_some(rest)
}

fn rooted(path: &[u8]) -> Vec<u8> {
    match path {
        [b'/', ..] => path.to_vec(),
        _ => [b"/", path].concat(),
    }
}
