//! A run: records of one chain whose numbers follow each other, kept as its two ends.
//!
//! The last record is judged when the next one comes: of several with one number the next one
//! names the hash of the right one.

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

/// What was wrong with the last record of a run, now that it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It does not name the hash of the one before.
    Broken(Place),
    /// One of several with its number.
    Forged {
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
    /// The hash of the record before the last one, where it is known.
    before: Option<Digest>,
    rivals: Vec<Link>,
}

impl Run {
    /// A run of one record.
    #[must_use]
    pub fn new(mut link: Link) -> Run {
        link.linked = link.seq != 1 || link.prev == Prev::First;
        Run { first: link, last: link, before: None, rivals: Vec::new() }
    }

    /// Another record with the number of the last one.
    pub fn contest(&mut self, mut rival: Link) {
        rival.linked = match self.before {
            Some(before) => rival.prev.names(before),
            None => rival.seq != 1 || rival.prev == Prev::First,
        };
        if self.rivals.iter().all(|known| known.hash != rival.hash) {
            self.rivals.push(rival);
        }
    }

    /// Whether a record with this hash is one that the last may be.
    #[must_use]
    pub fn may_be_last(&self, hash: Digest) -> bool {
        self.last.hash == hash || self.rivals.iter().any(|rival| rival.hash == hash)
    }

    /// Decides which record is the last one, and says what is wrong with it and the others.
    ///
    /// `next` is what the record after it says; `reported` what the proxy did.
    pub fn settle(&mut self, next: Option<Prev>, reported: Option<Digest>) -> Vec<Judgement> {
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
                place: link.place,
                hash: link.hash,
                right: right.place,
                certain,
            }));
            if self.first.seq == self.last.seq {
                self.first = right;
            }
            self.last = right;
        }
        if !self.last.linked {
            judgements.push(Judgement::Broken(self.last.place));
            self.last.linked = true;
        }
        judgements
    }

    /// Adds the record after the last one, which is settled.
    pub fn extend(&mut self, mut link: Link) {
        link.linked = link.prev.names(self.last.hash);
        self.before = Some(self.last.hash);
        self.last = link;
    }

    /// Ends where `next` ends, whatever is between the two.
    pub fn absorb(&mut self, next: Run) {
        self.last = next.last;
        self.before = next.before;
        self.rivals = next.rivals;
    }

    /// Adds a run that begins after the last record, which is settled. Returns whether its first
    /// record is judged here, and broken.
    pub fn join(&mut self, mut next: Run) -> Option<Judgement> {
        let linked = next.first.prev.names(self.last.hash);
        let alone = next.first.seq == next.last.seq;
        if alone {
            next.last.linked = next.last.prev.names(self.last.hash);
            for rival in &mut next.rivals {
                rival.linked = rival.prev.names(self.last.hash);
            }
        }
        let broken = (!alone && !linked).then_some(Judgement::Broken(next.first.place));
        self.before = if alone { Some(self.last.hash) } else { next.before };
        self.last = next.last;
        self.rivals = next.rivals;
        broken
    }
}
