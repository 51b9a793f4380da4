//! Spellings of a path: the raw request targets by which some server, framework or proxy could take a request
//! for one of that path.
//!
//! They are systematic, not random: every change of one place (what is in front, between two segments, a
//! segment's characters, what follows a segment, what follows the path), then every pair of kinds of changes,
//! with each segment in turn. What a kind undoes is said where its table stands. Whether an upstream obeys a
//! spelling is not known here; a test that needs some that are obeyed has to ask its upstream.

use std::collections::{HashMap, HashSet};

mod characters;
mod tables;

/// A way to ask for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Which kinds of changes made it, for messages: `front: authority + letters: double encoding`.
    pub class: String,
    /// The request's target, as it goes on the wire: no blank, CR, LF or NUL in it, and not always UTF-8.
    pub target: Vec<u8>,
}

/// Where a change is made; a place is changed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the path.
    Front,
    /// In place of the slash before this segment.
    Separator(usize),
    /// The characters of this segment.
    Characters(usize),
    /// Behind this segment.
    Behind(usize),
    /// Behind the path.
    Tail,
}

/// One change: other bytes at one place.
#[derive(Debug, Clone)]
struct Change {
    class: &'static str,
    place: Place,
    bytes: Vec<u8>,
}

impl Change {
    fn new(class: &'static str, place: Place, bytes: impl AsRef<[u8]>) -> Change {
        Change { class, place, bytes: bytes.as_ref().to_vec() }
    }
}

/// The spellings of `path`, the plain one first: at least 400 for an absolute path of one to four segments,
/// each once, always in the same order.
///
/// # Panics
/// When `path` does not begin with a slash, or has an empty segment.
#[must_use]
pub fn spellings(path: &str) -> Vec<Spelling> {
    let segments: Vec<&str> =
        path.strip_prefix('/').expect("an absolute path").split('/').collect();
    assert!(segments.iter().all(|segment| !segment.is_empty()), "no empty segment in {path}");
    let changes = changes(&segments);
    let mut spellings = Spellings { segments: &segments, seen: HashSet::new(), found: Vec::new() };
    spellings.add("plain".to_owned(), &[]);
    for change in &changes {
        spellings.add(change.class.to_owned(), &[change]);
    }
    let kinds = kinds(&changes, segments.len());
    for all in everywhere(&kinds) {
        spellings.add(format!("{}, everywhere", all[0].class), &all);
    }
    for pair in pairs(&kinds, segments.len()) {
        spellings.add(pair.map(|change| change.class).join(" + "), &pair);
    }
    spellings.found
}

/// At most `most` of the [`spellings`] of `path`, for a test that has seconds: half of them with one kind of
/// change, each kind in turn, and pairs from all over.
///
/// # Panics
/// As [`spellings`] does.
#[must_use]
pub fn sample(path: &str, most: usize) -> Vec<Spelling> {
    let all = spellings(path);
    let (pairs, single): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|one| one.class.contains(" + "));
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut by_turn: Vec<(usize, Spelling)> = Vec::new();
    for one in single {
        let turn = counts.entry(one.class.clone()).or_default();
        *turn += 1;
        by_turn.push((*turn, one));
    }
    by_turn.sort_by_key(|(turn, _)| *turn);
    let from_single = most.div_ceil(2);
    let mut sample: Vec<Spelling> =
        by_turn.into_iter().take(from_single).map(|(_, one)| one).collect();
    let wanted = (most - sample.len()).min(pairs.len());
    sample.extend((0..wanted).map(|index| pairs[index * pairs.len() / wanted].clone()));
    sample
}

/// Every change of one place.
fn changes(segments: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut from = |table: tables::Table, place: Place| {
        for (class, all) in table {
            changes.extend(all.iter().map(|bytes| Change::new(class, place, bytes)));
        }
    };
    from(tables::FRONT, Place::Front);
    for index in 0..segments.len() {
        from(tables::SEPARATOR, Place::Separator(index));
    }
    for index in 0..segments.len() {
        from(tables::BEHIND, Place::Behind(index));
    }
    from(tables::TAIL, Place::Tail);
    for (index, segment) in segments.iter().enumerate() {
        for (class, bytes) in characters::changed(segment) {
            changes.push(Change::new(class, Place::Characters(index), bytes));
        }
    }
    changes
}

/// Kinds in their order, each with its changes at each segment.
type Kinds<'a> = Vec<(&'static str, Vec<Vec<&'a Change>>)>;

fn kinds(changes: &[Change], segments: usize) -> Kinds<'_> {
    let mut kinds: Kinds = Vec::new();
    for change in changes {
        let known = kinds.iter().position(|(class, _)| *class == change.class);
        let index = known.unwrap_or_else(|| {
            kinds.push((change.class, vec![Vec::new(); segments]));
            kinds.len() - 1
        });
        for (segment, at) in kinds[index].1.iter_mut().enumerate() {
            if change.place.is_at(segment) {
                at.push(change);
            }
        }
    }
    kinds
}

/// Every kind of change at all segments at once, each of its changes in turn.
fn everywhere<'a>(kinds: &Kinds<'a>) -> Vec<Vec<&'a Change>> {
    let mut all = Vec::new();
    for (_, places) in kinds {
        let fewest = places.iter().map(Vec::len).min().unwrap_or(0);
        all.extend((0..fewest).map(|turn| places.iter().map(|place| place[turn]).collect()));
    }
    all
}

/// Every pair of kinds, at different places: with the first kind at each segment, and the second at the one
/// after it where it can be. Of a kind's changes each gets its turn.
fn pairs<'a>(kinds: &Kinds<'a>, segments: usize) -> Vec<[&'a Change; 2]> {
    let mut turns = vec![0_usize; kinds.len()];
    let mut pick = |kind: usize, segment: usize| {
        turns[kind] += 1;
        let fitting = &kinds[kind].1[segment];
        fitting.get(turns[kind] % fitting.len().max(1)).copied()
    };
    let mut pairs = Vec::new();
    for one in 0..kinds.len() {
        for other in one + 1..kinds.len() {
            for segment in 0..segments {
                let both = pick(one, segment).zip(pick(other, (segment + 1) % segments));
                let both = both.filter(|(one, other)| one.place != other.place);
                pairs.extend(both.map(|(one, other)| [one, other]));
            }
        }
    }
    pairs
}

impl Place {
    fn is_at(self, segment: usize) -> bool {
        match self {
            Place::Front | Place::Tail => true,
            Place::Separator(at) | Place::Characters(at) | Place::Behind(at) => at == segment,
        }
    }
}

struct Spellings<'a> {
    segments: &'a [&'a str],
    seen: HashSet<Vec<u8>>,
    found: Vec<Spelling>,
}

impl Spellings<'_> {
    fn add(&mut self, class: String, changes: &[&Change]) {
        let at = |place: Place| changes.iter().find(|change| change.place == place);
        let or = |place: Place, plain: &str| {
            at(place).map_or_else(|| plain.as_bytes().to_vec(), |change| change.bytes.clone())
        };
        let mut target = or(Place::Front, "");
        for (index, segment) in self.segments.iter().enumerate() {
            target.extend(or(Place::Separator(index), "/"));
            target.extend(or(Place::Characters(index), segment));
            target.extend(or(Place::Behind(index), ""));
        }
        target.extend(or(Place::Tail, ""));
        // Whatever the first separator is, a target begins with a slash or is an absolute form.
        if !target.starts_with(b"/") && at(Place::Front).is_none() {
            target.insert(0, b'/');
        }
        if self.seen.insert(target.clone()) {
            self.found.push(Spelling { class, target });
        }
    }
}
