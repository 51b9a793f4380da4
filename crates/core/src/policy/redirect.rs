//! Where an answer sends the client, and whether that is where the request went.
//!
//! Clients differ in how they read a `Location`: browsers take `\` for `/` and drop tabs and line ends, some follow
//! `https:/host`, some look for a host behind an `@` in the query. Only what leads to the request's own authority in
//! each of these readings stays; everything else leads elsewhere.

use crate::headers::Headers;

use super::HostName;

/// Where a request went, as its client named it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// `None` where the authority is no plain one: no authority is the same then.
    authority: Option<Authority>,
    is_https: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Authority {
    host: HostName,
    /// Whether a dot ends the name: a resolver may find another host without it.
    is_rooted: bool,
    port: Option<u16>,
}

/// What an answer says that leads elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Elsewhere {
    /// Scheme, host and port, where they are plainly written. The rest of a `Location` may hold secrets.
    pub(crate) to: Option<String>,
}

impl Origin {
    /// From the `:authority` and the headers of the request.
    pub(crate) fn of(authority: &[u8], headers: &Headers) -> Origin {
        let is_secure = |scheme: &[u8]| {
            let scheme = scheme.trim_ascii();
            scheme.eq_ignore_ascii_case(b"https") || scheme.eq_ignore_ascii_case(b"wss")
        };
        // Of the two the one that says https counts: a step from there to http is what must not be missed.
        let is_https = headers.iter().any(|(name, value)| match name {
            b":scheme" => is_secure(value),
            b"x-forwarded-proto" => value.split(|byte| *byte == b',').any(is_secure),
            _ => false,
        });
        let authority = std::str::from_utf8(authority).ok().and_then(Authority::parse);
        Origin { authority, is_https }
    }

    /// What in the headers of a response leads elsewhere, if anything: a `Location` of a 3xx, or a `Refresh`.
    pub(crate) fn is_left_by(&self, response: &Headers) -> Option<Elsewhere> {
        let mut statuses = response.iter().filter(|(name, _)| *name == b":status");
        let is_redirect = statuses.all(|(_, status)| status.starts_with(b"3"));
        let mut targets = response.iter().filter_map(|(name, value)| match name {
            b"location" if is_redirect => Some(std::str::from_utf8(value).ok()),
            b"refresh" => Some(std::str::from_utf8(value).ok().map(refresh_target)),
            _ => None,
        });
        let stays = |target: &str| self.keeps(target) && self.keeps_each(target);
        let left = targets.find(|target| !target.is_some_and(stays))?;
        Some(Elsewhere { to: left.and_then(plain_target) })
    }

    /// Envoy writes several `Location` lines as one, with commas between them. Whether each of those that stand
    /// behind a comma, and have an authority of their own, leads to the same.
    fn keeps_each(&self, value: &str) -> bool {
        let behind = value.split(',').skip(1).map(|part| part.trim_matches([' ', '\t']));
        let begins = |part: &str, with: &str| {
            part.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        let marks = ["//", "/\\", "\\", "http:", "https:"];
        let mut own = behind.filter(|part| marks.iter().any(|mark| begins(part, mark)));
        own.all(|part| self.keeps(part))
    }

    /// Whether a URI reference (RFC 3986 section 4.1) leads to the same authority, however it is read.
    fn keeps(&self, reference: &str) -> bool {
        let reference = reference.trim_matches([' ', '\t']);
        let is_odd = |character: char| character.is_control() || character == '\u{feff}';
        if reference.contains(is_odd) || reference.trim() != reference {
            return false;
        }
        let end = reference.find(['?', '#']).unwrap_or(reference.len());
        let (hierarchy, tail) = reference.split_at_checked(end).unwrap_or_default();
        if hierarchy.contains('\\') {
            return false;
        }
        let first = hierarchy.split('/').next().unwrap_or_default();
        if let Some((scheme, _)) = first.split_once(':') {
            let is_https = scheme.eq_ignore_ascii_case("https");
            if !is_https && (self.is_https || !scheme.eq_ignore_ascii_case("http")) {
                return false;
            }
            let rest = hierarchy.get(scheme.len()..).unwrap_or_default();
            return rest.strip_prefix("://").is_some_and(|rest| self.is_at(rest, tail, is_https));
        }
        match hierarchy.strip_prefix("//") {
            Some(rest) => self.is_at(rest, tail, self.is_https),
            None => is_plain_path(hierarchy),
        }
    }

    /// Whether what stands behind `//` begins with the same authority.
    fn is_at(&self, rest: &str, tail: &str, is_https: bool) -> bool {
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(at, p)| (at, Some(p)));
        // Without a path some look for the host behind the `@` of a query or fragment.
        if path.is_none() && tail.contains(['@', '\\']) {
            return false;
        }
        let (Some(origin), Some(target)) = (&self.authority, Authority::parse(authority)) else {
            return false;
        };
        let (from, to) = (origin.port_for(self.is_https), target.port_for(is_https));
        let is_upgrade = !self.is_https && is_https && (from, to) == (HTTP, HTTPS);
        (&origin.host, origin.is_rooted) == (&target.host, target.is_rooted)
            && (from == to || is_upgrade)
    }
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

impl Authority {
    /// A host as every client reads it, and a port.
    fn parse(text: &str) -> Option<Authority> {
        let host = HostName::from_authority(text.as_bytes())?;
        let end_of_host = text.rfind(']').unwrap_or_default();
        let (name, port) = match text.rfind(':').filter(|colon| *colon > end_of_host) {
            Some(colon) => {
                let (name, port) = text.split_at_checked(colon)?;
                (name, Some(port.strip_prefix(':')?.parse().ok()?))
            }
            None => (text, None),
        };
        Some(Authority { host, is_rooted: name.ends_with('.'), port })
    }

    fn port_for(&self, is_https: bool) -> u16 {
        self.port.unwrap_or(if is_https { HTTPS } else { HTTP })
    }
}

/// Whether no client finds an authority in a reference without one (RFC 3986 section 4.2, `path-absolute`,
/// `path-noscheme` or `path-empty`).
fn is_plain_path(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let path = path.replace("%2f", "/").replace("%5c", "/").replace("%2e", ".");
    let inner = path.strip_prefix('/');
    // What is put behind `https://host` without a slash could be user information; what is not ASCII could be
    // taken for blanks or slashes.
    let first = inner.unwrap_or(&path).split('/').next().unwrap_or_default();
    if !first.chars().next().is_none_or(|first| first.is_ascii())
        || (inner.is_none() && first.contains('@'))
    {
        return false;
    }
    let segments: Vec<&str> = inner.unwrap_or(&path).split('/').collect();
    let has_dots = segments.iter().any(|segment| matches!(*segment, "." | ".."));
    let Some((_, before_last)) = segments.split_last() else { return true };
    // `/.//host` is `//host` without its dots.
    let is_empty_first = before_last.first().is_some_and(|segment| segment.is_empty());
    let has_empty = before_last.iter().any(|segment| segment.is_empty());
    !(is_empty_first || (has_dots && has_empty))
}

/// The reference in a `Refresh`: behind the seconds, `;` or `,` and `url=`, and within quotes
/// (HTML, "shared declarative refresh steps").
fn refresh_target(value: &str) -> &str {
    let is_blank = |character: char| character == ' ' || character == '\t';
    let is_time = |character: char| character.is_ascii_digit() || character == '.';
    let rest = value.trim_start_matches(|character| is_time(character) || is_blank(character));
    let rest = rest.strip_prefix([';', ',']).unwrap_or(rest).trim_start_matches(is_blank);
    let named = rest.split_at_checked(3).filter(|(name, _)| name.eq_ignore_ascii_case("url"));
    let named = named.and_then(|(_, rest)| rest.trim_start_matches(is_blank).strip_prefix('='));
    let rest = named.unwrap_or(rest).trim_start_matches(is_blank);
    match rest
        .strip_prefix('"')
        .map(|rest| (rest, '"'))
        .or(rest.strip_prefix('\'').map(|rest| (rest, '\'')))
    {
        Some((rest, quote)) => rest.split(quote).next().unwrap_or_default(),
        None => rest,
    }
}

/// Scheme and authority of a reference that has them plainly.
fn plain_target(reference: &str) -> Option<String> {
    let reference = reference.trim_matches([' ', '\t']).to_ascii_lowercase();
    let (scheme, rest) = reference.split_once("//")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    HostName::from_authority(authority.as_bytes())?;
    matches!(scheme, "" | "http:" | "https:").then(|| format!("{scheme}//{authority}"))
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod oracle;
#[cfg(test)]
mod tests;
