//! Parts of one text: lines that may be one line.

use std::borrow::Cow;

use super::carrier::Stream;
use super::finding::Place;
use super::read::{MAX_LINE_BYTES, as_text};

/// Parts whose places are kept, in case that they are none.
pub(super) const MAX_PARTS: usize = 16 * 1024;

/// One text, and the lines that it is of.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) stream: Stream,
    pub(super) bytes: Vec<u8>,
    pub(super) first: Place,
    pub(super) last: Place,
    pub(super) count: u64,
    pub(super) whole: bool,
    pub(super) too_long: bool,
    /// The ends of the parts in `bytes`; no more than [`MAX_PARTS`].
    pub(super) ends: Vec<(Place, usize)>,
}

impl Parts {
    pub(super) fn new(stream: Stream, place: Place, bytes: &[u8], whole: bool) -> Parts {
        let ends = vec![(place, bytes.len())];
        let bytes = bytes.to_owned();
        Parts { stream, bytes, first: place, last: place, count: 1, whole, too_long: false, ends }
    }

    /// One more part. What is too long is forgotten, and known to be.
    pub(super) fn add(&mut self, more: &Parts) {
        self.count = self.count.saturating_add(more.count);
        self.last = more.last;
        self.whole = more.whole;
        self.too_long |= more.too_long || !self.has_room(more.bytes.len());
        if self.too_long {
            return self.forget();
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(&more.bytes);
        if self.ends.len() < MAX_PARTS {
            let ends = more.ends.iter().map(|(place, end)| (*place, before.saturating_add(*end)));
            self.ends.extend(ends);
        }
    }

    /// It is too long, alone or with all the others that wait.
    pub(super) fn forget(&mut self) {
        self.too_long = true;
        self.bytes = Vec::new();
        self.ends = Vec::new();
    }

    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len().saturating_add(bytes) <= MAX_LINE_BYTES
    }

    /// Each part for itself.
    pub(super) fn apart(&self) -> Vec<Parts> {
        let mut from = 0;
        let mut apart = Vec::with_capacity(self.ends.len());
        for (place, end) in &self.ends {
            let bytes = self.bytes.get(from..*end).unwrap_or_default();
            let whole = self.whole || *place != self.last;
            apart.push(Parts::new(self.stream, *place, bytes, whole));
            from = *end;
        }
        apart
    }

    pub(super) fn text(&self) -> Cow<'_, str> {
        as_text(&self.bytes)
    }

    /// The same as one part.
    pub(super) fn joint(&self) -> Parts {
        let mut joint = Parts::new(self.stream, self.first, &self.bytes, self.whole);
        joint.last = self.last;
        joint.count = self.count;
        joint
    }
}
