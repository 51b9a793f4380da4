//! A record as it is written, member by member.

use serde::Serialize;

/// One record, as JSON without line breaks.
pub type Record = String;

/// A JSON object that is not closed yet, in one buffer from its first member to its last.
#[derive(Debug)]
pub(super) struct Object(Vec<u8>);

impl Object {
    pub(super) fn open(capacity: usize) -> Object {
        Object(Vec::with_capacity(capacity))
    }

    /// The same members, with room for `more` bytes.
    pub(super) fn copy(&self, more: usize) -> Object {
        let mut copy = Object::open(self.0.len().saturating_add(more));
        copy.0.extend_from_slice(&self.0);
        copy
    }

    /// Goes on with the members of a struct, of which there is at least one. Nothing in ours can fail
    /// to be written.
    pub(super) fn add(&mut self, members: &impl Serialize) {
        let start = self.0.len();
        if serde_json::to_writer(&mut self.0, members).is_err() {
            self.0.truncate(start);
            return;
        }
        // What was written is `{..}`: its closing brace comes last, and a comma goes on.
        self.0.pop();
        if let Some(brace) = self.0.get_mut(start).filter(|_| start > 0) {
            *brace = b',';
        }
    }

    /// What was written so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }

    /// The whole, with this at its end.
    pub(super) fn close(mut self, end: &str) -> Record {
        self.0.extend_from_slice(end.as_bytes());
        String::from_utf8(self.0).unwrap_or_default()
    }
}
