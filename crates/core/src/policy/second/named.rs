//! The paths of a request, and what rules say to all of them.
//!
//! A second resource is named by a path, by a URL, or by a name that is relative to some part of the
//! request's own path: a bucket's object (`secret/s.txt`), a repository (`secret/app`, for what is below
//! `/v2/secret/app/`), a container and object (below `/v1/AUTH_x/`). So it may stand in place of any run of the
//! request's own segments, and of several such names one may stand behind another (an account and a container).

use crate::policy::template::segments_of;
use crate::policy::{PathTemplate, Readings};

/// The most readings of all names, and the most pairs of one of the path and one of a namespace, that are looked
/// at; where there are more, they count as every path.
const MAX_NAMES: usize = 1024;
const MAX_PAIRS: usize = 256;

/// Every reading of every path that a request names.
#[derive(Debug)]
pub(crate) struct RequestPaths<'p> {
    /// Its own path.
    pub(crate) own: Readings<'p>,
    /// Whole paths that headers name.
    pub(super) others: Vec<Readings<'p>>,
    /// Names of second resources.
    pub(super) references: Vec<Readings<'p>>,
    /// Beginnings of the names of second resources.
    pub(super) beginnings: Vec<Readings<'p>>,
    /// What may stand before the path, or behind its first segment.
    pub(super) namespaces: Vec<Readings<'p>>,
}

/// A reading's segments.
type Segmented<'a> = Vec<&'a [u8]>;

/// The same, ready for many templates.
#[derive(Debug)]
pub(crate) struct NamedPaths<'a> {
    paths: &'a RequestPaths<'a>,
    own: Vec<Segmented<'a>>,
    names: Vec<(Segmented<'a>, IsBeginning)>,
    namespaces: Vec<Segmented<'a>>,
    anything: bool,
}

/// Whether a name is all that is named, or how that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IsBeginning {
    No,
    Yes,
}

impl<'p> RequestPaths<'p> {
    /// A path beside which nothing is named.
    pub(super) fn alone(own: Readings<'p>) -> RequestPaths<'p> {
        let (others, references) = (Vec::new(), Vec::new());
        let (beginnings, namespaces) = (Vec::new(), Vec::new());
        RequestPaths { own, others, references, beginnings, namespaces }
    }

    /// Takes names and namespaces apart, once for all templates.
    pub(crate) fn named(&self) -> NamedPaths<'_> {
        let (own, names, namespaces) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = NamedPaths { paths: self, own, names, namespaces, anything: false };
        if self.references.is_empty() && self.beginnings.is_empty() && self.namespaces.is_empty() {
            return named;
        }
        named.anything = named.take_apart().is_none();
        named
    }
}

impl<'a> NamedPaths<'a> {
    /// `None` where nobody can say what is named.
    fn take_apart(&mut self) -> Option<()> {
        let paths = self.paths;
        self.own = segmented(std::slice::from_ref(&paths.own))?;
        self.namespaces = segmented(&paths.namespaces)?;
        let references = segmented(&paths.references)?.into_iter();
        self.names = references.map(|name| (name, IsBeginning::No)).collect();
        let beginnings = segmented(&paths.beginnings)?.into_iter();
        self.names.extend(beginnings.map(|name| (name, IsBeginning::Yes)));
        let pairs = self.own.len().saturating_mul(self.namespaces.len());
        if !self.names.is_empty() {
            // What is named may be in a namespace as well.
            let namespaces = self.namespaces.iter().cloned();
            self.names.extend(namespaces.map(|name| (name, IsBeginning::No)));
        }
        (pairs <= MAX_PAIRS && self.names.len() <= MAX_NAMES).then_some(())
    }

    /// Whether a template of a rule that refuses covers one of them.
    pub(crate) fn are_covered(&self, template: &PathTemplate) -> bool {
        let paths = self.paths;
        let mut whole = std::iter::once(&paths.own).chain(&paths.others).chain(&paths.references);
        self.anything
            || whole.any(|readings| template.refuses(readings))
            || (!self.names.is_empty() && self.is_name_covered(template))
            || (!self.namespaces.is_empty() && self.is_covered_in_namespace(template))
    }

    /// Whether a template covers the path with second resources in place of some of its segments.
    ///
    /// Which of the template's segments are found is all that is kept while looking, so that the readings of
    /// the path and those of the names need not be put together one by one.
    fn is_name_covered(&self, template: &PathTemplate) -> bool {
        let count = template.wanted().len();
        // Behind how many of them a name may begin, and behind how many it may end.
        let mut starts = vec![false; count.saturating_add(1)];
        let mut ends = starts.clone();
        for path in &self.own {
            mark_starts(template, path, &mut starts);
            mark_ends(template, path, &mut ends);
        }
        // A name may follow another one: as long as that leads further.
        let mut more = true;
        while more {
            more = false;
            for (name, is_beginning) in &self.names {
                for start in 0..=count {
                    if starts.get(start) != Some(&true) {
                        continue;
                    }
                    if *is_beginning == IsBeginning::Yes && may_begin(template, name, start) {
                        return true;
                    }
                    match place(template, name, start) {
                        Place::Covered => return true,
                        Place::Ends(end) => {
                            // Of an empty name (`/`, `..`) only what is in front of it counts.
                            if ends.get(end) == Some(&true) && (!name.is_empty() || end == count) {
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
    fn is_covered_in_namespace(&self, template: &PathTemplate) -> bool {
        self.own.iter().any(|path| {
            let api = path.iter().position(|segment| segment.eq_ignore_ascii_case(b"v1"));
            let places = [Some(0), Some(1), api.map(|at| at.saturating_add(1))];
            places.into_iter().flatten().any(|place| {
                let Some((before, after)) = path.split_at_checked(place) else { return false };
                self.namespaces.iter().any(|namespace| {
                    let segments = before.iter().chain(namespace).chain(after);
                    template.refuses_segments(segments.copied())
                })
            })
        })
    }
}

/// The segments of all readings; `None` where they are too many to tell.
fn segmented<'a>(readings: &'a [Readings<'_>]) -> Option<Vec<Segmented<'a>>> {
    let texts = readings.iter().map(Readings::texts).collect::<Option<Vec<_>>>()?;
    Some(texts.into_iter().flatten().map(|text| segments_of(text).collect()).collect())
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

/// Whether something whose name begins like this could be what the template covers.
fn may_begin(template: &PathTemplate, name: &[&[u8]], start: usize) -> bool {
    let wanted = template.wanted().get(start..).unwrap_or_default();
    let Some((last, before)) = name.split_last() else { return false };
    let Some(wanted_last) = wanted.get(before.len()) else { return false };
    let covered =
        wanted.iter().zip(before).all(|(wanted, segment)| wanted.is_covered(segment, false));
    covered && wanted_last.begins_with(last)
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
