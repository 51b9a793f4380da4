//! The paths of a request, and what rules say to all of them.
//!
//! A second resource is named by a path, by a URL, or by a name that is relative to some part of the
//! request's own path: a bucket's object (`secret/s.txt`), a repository (`secret/app`, for what is below
//! `/v2/secret/app/`), a container and object (below `/v1/AUTH_x/`). So it may stand in place of any run of the
//! request's own segments, and of several such names one may stand behind another (an account and a container).

use crate::policy::template::segments_of;
use crate::policy::{PathTemplate, Readings};

/// The most pairs of readings of the path and of a namespace that are looked at; where there are more, the
/// namespace counts as every one.
const MAX_PAIRS: usize = 1024;

/// Every reading of every path that a request names.
#[derive(Debug)]
pub(crate) struct RequestPaths<'p> {
    /// Its own path.
    pub(crate) own: Readings<'p>,
    /// Whole paths that headers name.
    pub(super) others: Vec<Readings<'p>>,
    /// Names of second resources.
    pub(super) references: Vec<Readings<'p>>,
    /// What may stand before the path, or behind its first segment.
    pub(super) namespaces: Vec<Readings<'p>>,
}

impl Default for RequestPaths<'_> {
    fn default() -> Self {
        let own = Readings::Plain(b"");
        RequestPaths { own, others: Vec::new(), references: Vec::new(), namespaces: Vec::new() }
    }
}

impl RequestPaths<'_> {
    /// Whether a template of a rule that refuses covers one of them.
    pub(crate) fn are_covered(&self, template: &PathTemplate) -> bool {
        let mut whole = std::iter::once(&self.own).chain(&self.others).chain(&self.references);
        whole.any(|readings| template.refuses(readings))
            || (!self.references.is_empty() && self.reference_is_covered(template))
            || self.namespaces.iter().any(|namespace| self.is_covered_in(namespace, template))
    }

    /// Whether a template covers the path with second resources in place of some of its segments.
    ///
    /// Which of the template's segments are found is all that is kept while looking, so that the readings of
    /// the path and those of the names need not be put together one by one.
    fn reference_is_covered(&self, template: &PathTemplate) -> bool {
        let wanted = template.wanted();
        let Some(own) = self.own.texts() else { return true };
        // Behind how many of them a name may begin, and before how many are left it may end.
        let mut starts = vec![false; wanted.len().saturating_add(1)];
        let mut ends = starts.clone();
        for text in &own {
            let segments: Vec<&[u8]> = segments_of(text).collect();
            mark_starts(template, &segments, &mut starts);
            mark_ends(template, &segments, &mut ends);
        }
        let names = self.references.iter().chain(&self.namespaces);
        let Some(names) = names.map(Readings::texts).collect::<Option<Vec<_>>>() else {
            return true;
        };
        let names: Vec<Vec<&[u8]>> =
            names.into_iter().flatten().map(|text| segments_of(text).collect()).collect();
        // A name may follow another one: as long as that leads further.
        let mut more = true;
        while more {
            more = false;
            for name in &names {
                for start in 0..starts.len() {
                    if !starts.get(start).is_some_and(|is_start| *is_start) {
                        continue;
                    }
                    match place(template, name, start) {
                        Place::Covered => return true,
                        Place::Ends(end) => {
                            let is_end = ends.get(end).is_some_and(|is_end| *is_end);
                            // Of an empty name (`/`, `..`) only what is in front of it counts.
                            if is_end && (!name.is_empty() || end == wanted.len()) {
                                return true;
                            }
                            if let Some(known) = starts.get_mut(end).filter(|known| !**known) {
                                *known = true;
                                more = true;
                            }
                        }
                        Place::Nowhere => {}
                    }
                }
            }
        }
        false
    }

    /// Whether a template covers the path in a namespace: before its first segment, or, as Vault takes it too,
    /// behind the first one and behind `v1`.
    fn is_covered_in(&self, namespace: &Readings<'_>, template: &PathTemplate) -> bool {
        let (Some(own), Some(namespaces)) = (self.own.texts(), namespace.texts()) else {
            return true;
        };
        if own.len().saturating_mul(namespaces.len()) > MAX_PAIRS {
            return true;
        }
        own.iter().any(|text| {
            let path: Vec<&[u8]> = segments_of(text).collect();
            let api = path.iter().position(|segment| segment.eq_ignore_ascii_case(b"v1"));
            let behind = [Some(0), Some(1), api.map(|at| at.saturating_add(1))];
            let mut places = behind.into_iter().flatten().filter(|place| *place <= path.len());
            places.any(|place| {
                let (before, after) = path.split_at_checked(place).unwrap_or((&path, &[]));
                namespaces.iter().any(|namespace| {
                    let namespace: Vec<&[u8]> = segments_of(namespace).collect();
                    template.refuses_segments([before, &namespace, after].concat().into_iter())
                })
            })
        })
    }
}

/// Marks how many of the template's first segments begin the path.
fn mark_starts(template: &PathTemplate, path: &[&[u8]], starts: &mut [bool]) {
    let given = path.iter().map(Some).chain(std::iter::repeat(None));
    let mut wanted = template.wanted().iter().zip(given);
    for start in starts {
        *start = true;
        match wanted.next() {
            Some((wanted, Some(segment))) if wanted.is_covered(segment, false) => {}
            _ => return,
        }
    }
}

/// Marks behind how many of the template's segments the others end the path, or, where the template has more
/// to cover, are anywhere in it.
fn mark_ends(template: &PathTemplate, path: &[&[u8]], ends: &mut [bool]) {
    for (end, is_end) in ends.iter_mut().enumerate() {
        let left = template.wanted().get(end..).unwrap_or_default();
        let last = path.len().saturating_sub(1);
        let fits = |from: usize| {
            let given = path.iter().enumerate().skip(from);
            let covered = left.iter().zip(given);
            covered.clone().count() == left.len()
                && covered
                    .into_iter()
                    .all(|(wanted, (at, segment))| wanted.is_covered(segment, at == last))
        };
        let exact = path.len().checked_sub(left.len());
        *is_end |= match exact {
            _ if left.is_empty() => true,
            None => false,
            Some(from) if !template.has_rest() => fits(from),
            Some(latest) => (0..=latest).any(fits),
        };
    }
}

/// Where a name ends that begins behind the template's segment `start`.
enum Place {
    /// Behind this many of the template's segments.
    Ends(usize),
    /// The template covers it and whatever follows.
    Covered,
    /// It is not there.
    Nowhere,
}

fn place(template: &PathTemplate, name: &[&[u8]], start: usize) -> Place {
    let wanted = template.wanted().get(start..).unwrap_or_default();
    let covered = wanted.iter().zip(name).enumerate().all(|(at, (wanted_one, segment))| {
        let count = at.saturating_add(1);
        wanted_one.is_covered(segment, count == name.len() && count == wanted.len())
    });
    match covered {
        true if name.len() <= wanted.len() => Place::Ends(start.saturating_add(name.len())),
        true if template.has_rest() => Place::Covered,
        _ => Place::Nowhere,
    }
}

/// The hosts that a URL's authority could name, however it is spelled.
pub(super) fn hosts(value: &[u8]) -> Vec<Vec<u8>> {
    let mut hosts = Vec::new();
    let mut text = value.to_vec();
    // What is encoded once or twice: no client of these headers encodes more.
    for _ in 0..3 {
        if let Some(host) = host(&text) {
            hosts.push(host.to_vec());
        }
        if !text.contains(&b'%') {
            break;
        }
        text = super::query::decoded(&text);
    }
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// The host behind two slashes (RFC 3986 section 4.2), as WHATWG's parsers find them too.
fn host(text: &[u8]) -> Option<&[u8]> {
    let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
    let scheme = text.iter().position(|byte| *byte == b':').filter(|colon| {
        let scheme = text.get(..*colon).unwrap_or_default();
        scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
    });
    let rest = match scheme {
        Some(colon) => text.get(colon.saturating_add(1)..)?,
        None => text,
    };
    let slashes = rest.iter().take_while(|byte| is_slash(byte)).count();
    if slashes < 2 {
        return None;
    }
    let authority = rest.get(slashes..)?.split(|byte| b"/\\?#".contains(byte)).next()?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    (!host.is_empty()).then_some(host)
}
