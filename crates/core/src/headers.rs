//! The header fields of a request, as bytes: nothing a client sends is taken for text unread.

use std::collections::BTreeSet;
use std::ops::Range;

/// Header fields in one buffer, in the order in which they came. Names are in lower case, as Envoy
/// hands them over; pseudo-headers (`:path`) are among them.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    buffer: Vec<u8>,
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// From a buffer and the places of each name and value in it. A place outside the buffer reads
    /// as empty.
    #[must_use]
    pub fn new(buffer: Vec<u8>, fields: Vec<(Range<usize>, Range<usize>)>) -> Headers {
        Headers { buffer, fields }
    }

    /// From names and values.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            let (name, value) = (headers.append(name), headers.append(value));
            headers.fields.push((name, value));
        }
        headers
    }

    /// Those whose names are wanted.
    pub(crate) fn only(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Headers {
        Headers::from_pairs(self.iter().filter(|(name, _)| is_wanted(name)))
    }

    /// Those with one of these names.
    pub(crate) fn of(&self, names: &BTreeSet<String>) -> Headers {
        if names.is_empty() {
            return Headers::default();
        }
        let wanted = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| names.contains(name));
        Headers::from_pairs(self.iter().filter(|(name, _)| wanted(name)))
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (self.bytes(name), self.bytes(value)))
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.buffer.get(range.clone()).unwrap_or_default()
    }
}

/// Whether an upstream may take one header name for the other: some read `_` as `-`.
pub(crate) fn reads_as(name: &[u8], other: &[u8]) -> bool {
    let read = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == other.len() && name.iter().map(read).eq(other.iter().map(read))
}
