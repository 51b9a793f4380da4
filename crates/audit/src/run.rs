//! A run: records of one chain whose numbers follow each other.
//!
//! Of its two ends all is kept; of every record a fingerprint of its hash, so that a copy is told from
//! another record with its number, however far back it is. The last record is judged when the next one
//! comes: of several with one number the next one names the hash of the right one.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use super::digest::Digest;
use super::finding::Place;

/// What a record says of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prev {
    /// Nobody has read it: the record is only known by its hash, from another one.
    Unknown,
    /// There is none.
    First,
    /// Its hash.
    Hash(Digest),
}

impl Prev {
    /// Whether a record with this hash can be the one before.
    #[must_use]
    pub fn names(self, hash: Digest) -> bool {
        match self {
            Prev::Unknown => true,
            Prev::First => false,
            Prev::Hash(prev) => prev == hash,
        }
    }
}

/// Makes fingerprints of hashes: 64 bits under a random key, so that an attacker cannot search for a record
/// whose fingerprint is that of another one.
#[derive(Debug, Clone, Default)]
pub struct Fingerprints(RandomState);

/// The fingerprint of a hash; none where a hole was closed.
pub type Fingerprint = u64;

/// What stands for a record that is not there.
const HOLE: Fingerprint = 0;

impl Fingerprints {
    /// The fingerprint of this hash.
    #[must_use]
    pub fn of(&self, hash: Digest) -> Fingerprint {
        self.0.hash_one(hash).max(1)
    }
}

/// A record of a chain, as far as its place in it goes.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// Its number.
    pub seq: u64,
    /// What it says of the one before.
    pub prev: Prev,
    /// Its hash.
    pub hash: Digest,
    /// Where it is.
    pub place: Place,
    /// Whether what it says of the one before is true, as far as that one is known.
    pub linked: bool,
}

/// A record does not name the hash of the one before it, as far as that one is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The number of the record.
    pub seq: u64,
    /// What it says of the one before it.
    pub prev: Prev,
    /// Where it is.
    pub place: Place,
    /// Where the one before it is, if there is one.
    pub before: Option<Place>,
}

/// What was wrong with the last record of a run, now that it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It does not name the hash of the one before.
    Broken(Break),
    /// One of several with its number.
    Forged {
        /// Its number.
        seq: u64,
        /// Where it is.
        place: Place,
        /// Its hash.
        hash: Digest,
        /// Where the one is that was taken for the right one.
        right: Place,
        /// Whether that is more than a guess.
        certain: bool,
    },
}

/// A run.
#[derive(Debug)]
pub struct Run {
    /// Its first record.
    pub first: Link,
    /// Its last record: the one that came first, of several with its number.
    pub last: Link,
    /// The hash and the place of the record before the last one, where it is known.
    before: Option<(Digest, Place)>,
    rivals: Vec<Link>,
    /// Of each record from the number `base` to the last.
    fingerprints: VecDeque<Fingerprint>,
    /// The first number, unless a large hole was closed behind it.
    base: u64,
}

impl Run {
    /// A run of one record.
    #[must_use]
    pub fn new(mut link: Link, fingerprint: Fingerprint) -> Run {
        link.linked = link.seq != 1 || link.prev == Prev::First;
        let fingerprints = VecDeque::from([fingerprint]);
        let (before, rivals) = (None, Vec::new());
        Run { first: link, last: link, before, rivals, fingerprints, base: link.seq }
    }

    /// The fingerprint of the record with this number; nothing where it is in a hole that was closed, or
    /// outside of this run.
    #[must_use]
    pub fn fingerprint(&self, seq: u64) -> Option<Fingerprint> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.fingerprints.get(index).copied().filter(|known| *known != HOLE)
    }

    /// Whether the last record comes after this one and names it, and not the one that is there. Where the
    /// one that is there is, if that is known.
    #[must_use]
    pub fn last_expects(&self, link: &Link) -> Option<Option<Place>> {
        let expects = link.seq.checked_add(1) == Some(self.last.seq)
            && !self.last.linked
            && self.last.prev == Prev::Hash(link.hash);
        expects.then(|| self.before.map(|(_, place)| place))
    }

    /// Another record with this number is the right one.
    pub fn correct(&mut self, link: Link, fingerprint: Fingerprint) {
        let index = link.seq.checked_sub(self.base).and_then(|index| usize::try_from(index).ok());
        if let Some(known) = index.and_then(|index| self.fingerprints.get_mut(index)) {
            *known = fingerprint;
        }
        if self.first.seq == link.seq {
            self.first = link;
        }
        if link.seq.checked_add(1) == Some(self.last.seq) {
            self.before = Some((link.hash, link.place));
            self.last.linked = self.last.prev.names(link.hash);
            for rival in &mut self.rivals {
                rival.linked = rival.prev.names(link.hash);
            }
        }
    }

    /// Another record with the number of the last one.
    pub fn contest(&mut self, mut rival: Link) {
        rival.linked = match self.before {
            Some((before, _)) => rival.prev.names(before),
            None => rival.seq != 1 || rival.prev == Prev::First,
        };
        if self.rivals.iter().all(|known| known.hash != rival.hash) {
            self.rivals.push(rival);
        }
    }

    /// Decides which record is the last one, and says what is wrong with it and the others.
    ///
    /// `next` is what the record after it says; `reported` what the proxy did.
    pub fn settle(
        &mut self,
        next: Option<Prev>,
        reported: Option<Digest>,
        fingerprints: &Fingerprints,
    ) -> Vec<Judgement> {
        let mut judgements = Vec::new();
        if !self.rivals.is_empty() {
            let mut all = std::mem::take(&mut self.rivals);
            all.insert(0, self.last);
            let named = |link: &&Link| match next {
                Some(next @ Prev::Hash(_)) => next.names(link.hash),
                _ => reported == Some(link.hash),
            };
            let linked = all.iter().filter(|link| link.linked).count();
            let known = all.iter().find(named).copied();
            let right = known.or_else(|| all.iter().find(|link| link.linked).copied());
            let right = right.unwrap_or(self.last);
            let certain = known.is_some() || linked == 1;
            let others = all.iter().filter(|link| link.hash != right.hash);
            judgements.extend(others.map(|link| Judgement::Forged {
                seq: link.seq,
                place: link.place,
                hash: link.hash,
                right: right.place,
                certain,
            }));
            self.correct(right, fingerprints.of(right.hash));
            self.last = right;
        }
        if !self.last.linked {
            let Link { seq, prev, place, .. } = self.last;
            let before = self.before.map(|(_, place)| place);
            judgements.push(Judgement::Broken(Break { seq, prev, place, before }));
            self.last.linked = true;
        }
        judgements
    }

    /// Adds the record after the last one, which is settled.
    pub fn extend(&mut self, mut link: Link, fingerprint: Fingerprint) {
        link.linked = link.prev.names(self.last.hash);
        self.before = Some((self.last.hash, self.last.place));
        self.last = link;
        self.fingerprints.push_back(fingerprint);
    }

    /// Ends where `next` ends, whatever is between the two.
    pub fn absorb(&mut self, next: Run) {
        let hole = next.first.seq.saturating_sub(self.last.seq).saturating_sub(1);
        let hole = usize::try_from(hole).unwrap_or(usize::MAX);
        let whole = next.base == next.first.seq;
        // A hole of any size must not take memory of that size: what is before a large one is forgotten.
        if !whole || hole > self.fingerprints.len().saturating_add(next.fingerprints.len()) {
            self.base = next.base;
            self.fingerprints = next.fingerprints;
        } else {
            self.fingerprints.extend(std::iter::repeat_n(HOLE, hole));
            self.fingerprints.extend(next.fingerprints);
        }
        self.last = next.last;
        self.before = next.before;
        self.rivals = next.rivals;
    }

    /// Adds a run that begins after the last record, which is settled. Returns what is wrong with its
    /// first record, where it is judged here.
    pub fn join(&mut self, mut next: Run) -> Option<Judgement> {
        let linked = next.first.prev.names(self.last.hash);
        let alone = next.first.seq == next.last.seq;
        if alone {
            next.last.linked = next.last.prev.names(self.last.hash);
            for rival in &mut next.rivals {
                rival.linked = rival.prev.names(self.last.hash);
            }
        }
        let Link { seq, prev, place, .. } = next.first;
        let broken = Break { seq, prev, place, before: Some(self.last.place) };
        let broken = (!alone && !linked).then_some(Judgement::Broken(broken));
        self.before = if alone { Some((self.last.hash, self.last.place)) } else { next.before };
        self.last = next.last;
        self.rivals = next.rivals;
        // The shorter part moves, so that a log that is read backwards takes no longer.
        if next.base != next.first.seq {
            (self.fingerprints, self.base) = (next.fingerprints, next.base);
        } else if next.fingerprints.len() > self.fingerprints.len() {
            for fingerprint in self.fingerprints.drain(..).rev() {
                next.fingerprints.push_front(fingerprint);
            }
            self.fingerprints = next.fingerprints;
        } else {
            self.fingerprints.extend(next.fingerprints);
        }
        broken
    }
}
