//! Finds the records in a line of a log, whatever else is in it.
//!
//! 1. A record is found by its first member, as an object or as the text of a JSON string, at any
//!    depth and after any text. There may be several in a line: a batch of a collector.
//! 2. Where there is none, but a word that only a record has, the line is taken apart: its JSON was
//!    written anew, or a string in a string holds the record.
//! 3. What begins as a record and cannot be read is one that was damaged.
//! 4. With a key the line is JSON, or damaged. What a client has put into another member of it is not
//!    looked at, whatever it looks like: only [`WRAPPERS`] are opened.

use memchr::memmem::find;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::canonical::{MEMBERS, Tree};
use super::record::{Record, digest};

/// How a record begins.
const OBJECT: &str = "{\"v\":";

/// How it begins as the text of a JSON string.
const ESCAPED: &str = "\"{\\\"v\\\":";

/// A member that nothing but a record has.
const TELLTALE: &str = "grant_seq";

/// What a record begins with, as far as nothing else does: a line that was cut after it is known.
const OPENINGS: [&str; 2] = ["{\"v\":1,\"time\":\"", "{\\\"v\\\":1,\\\"time\\\":\\\""];

/// The members in which a container runtime or a collector puts a whole line.
const WRAPPERS: [&str; 2] = ["log", "message"];

/// Strings in strings in strings: deeper is no carrier.
const MAX_DEPTH: u32 = 4;

/// What was found in a line.
#[derive(Debug)]
pub enum Found<'a> {
    /// A record.
    Record {
        /// Its text, in canonical form unless it was changed.
        text: &'a str,
        /// What it says.
        record: &'a Record<'a>,
        /// Whether its hash is that of its text. True of one without a hash too.
        intact: bool,
    },
    /// Something that was a record, and why it is none.
    Damaged(String),
}

/// Finds records.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    /// Only what is the value of a member of this name.
    pub key: Option<String>,
}

impl Finder {
    /// Calls `each` for every record in `line`, and returns how many times it did.
    pub fn records(&self, line: &str, each: &mut dyn FnMut(Found<'_>)) -> usize {
        let mut search = Search { key: self.key.as_deref(), each, found: 0 };
        search.line(line, 0);
        search.found
    }
}

/// A search in one line.
struct Search<'s> {
    key: Option<&'s str>,
    each: &'s mut dyn FnMut(Found<'_>),
    found: usize,
}

impl Search<'_> {
    fn give(&mut self, found: Found<'_>) {
        self.found = self.found.saturating_add(1);
        (self.each)(found);
    }

    /// A line, perhaps one in another one.
    fn line(&mut self, line: &str, depth: u32) {
        let before = self.found;
        if self.key.is_none() || serde_json::from_str::<IgnoredAny>(line).is_ok() {
            self.text(line, depth);
            // What is damaged under the key was found.
            if self.key.is_some() {
                return;
            }
        }
        if depth == 0 {
            self.nothing_since(before, line);
        }
    }

    /// A text in which nothing was found may be what is left of a record.
    fn nothing_since(&mut self, before: usize, text: &str) {
        if self.found == before && may_be_damaged(text) {
            self.give(Found::Damaged("it has parts of a record".to_owned()));
        }
    }

    fn text(&mut self, text: &str, depth: u32) {
        let before = self.found;
        let mut rest = text;
        while let Some((start, escaped)) = next(rest) {
            let (_, candidate) = rest.split_at_checked(start).unwrap_or_default();
            let at = text.len().saturating_sub(candidate.len());
            let used = match self.takes(text.get(..at).unwrap_or_default()) {
                true if escaped => self.string(candidate),
                true => self.object(candidate),
                false => None,
            };
            let used = used.unwrap_or(0).max(OBJECT.len());
            (_, rest) = candidate.split_at_checked(used).unwrap_or_default();
        }
        if self.found == before
            && depth < MAX_DEPTH
            && has(text, TELLTALE)
            && let Ok(tree) = serde_json::from_str::<Tree>(text)
        {
            self.walk(tree, None, depth);
        }
    }

    /// Whether what comes after `before` is to be looked at.
    fn takes(&self, before: &str) -> bool {
        let Some(key) = self.key else { return true };
        let before = before.trim_end().strip_suffix(':').unwrap_or_default().trim_end();
        let before = before.strip_suffix("\\\"").or_else(|| before.strip_suffix('"'));
        before
            .and_then(|before| before.strip_suffix(key))
            .is_some_and(|before| before.ends_with('"'))
    }

    /// The JSON string that `text` begins with. Returns its length.
    fn string(&mut self, text: &str) -> Option<usize> {
        let (inner, length) = value::<String>(text);
        match inner {
            Ok(inner) => drop(self.object(&inner)),
            Err(error) => self.damaged(text, error),
        }
        length
    }

    /// The object that `text` begins with. Returns its length.
    fn object(&mut self, text: &str) -> Option<usize> {
        if let (Ok(record), Some(length)) = value::<Record<'_>>(text) {
            let text = text.get(..length).unwrap_or_default();
            if is_intact(text, &record) {
                self.give(Found::Record { text, record: &record, intact: true });
                return Some(length);
            }
        }
        // It was changed, or only written anew, or is something else.
        let (tree, length) = value::<Tree>(text);
        match tree {
            Ok(tree) if is_ours(&tree) => self.anew(tree),
            Ok(_) => (),
            Err(error) => self.damaged(text, error),
        }
        length
    }

    /// Looks for records in the values of a line that was taken apart.
    fn walk(&mut self, tree: Tree, key: Option<&str>, depth: u32) {
        let wanted = self.key.is_none() || self.key == key;
        match tree {
            Tree::Object(_) if wanted && is_ours(&tree) => self.anew(tree),
            Tree::Object(members) => {
                for (name, value) in members {
                    self.walk(value, Some(&name), depth);
                }
            }
            Tree::List(items) => items.into_iter().for_each(|item| self.walk(item, key, depth)),
            Tree::Text(text) if wanted => {
                let (before, key) = (self.found, self.key.take());
                self.text(&text, depth.saturating_add(1));
                if key.is_some() {
                    self.nothing_since(before, &text);
                }
                self.key = key;
            }
            Tree::Text(text) if key.is_some_and(|key| WRAPPERS.contains(&key)) => {
                self.line(&text, depth.saturating_add(1));
            }
            _ => (),
        }
    }

    /// A record in the words of another writer of JSON.
    fn anew(&mut self, tree: Tree) {
        let text = tree.canonical();
        match serde_json::from_str(&text) {
            Ok(record) => {
                let intact = is_intact(&text, &record);
                self.give(Found::Record { text: &text, record: &record, intact });
            }
            Err(error) => self.give(Found::Damaged(error.to_string())),
        }
    }

    fn damaged(&mut self, text: &str, error: String) {
        if may_be_damaged(text) {
            self.give(Found::Damaged(error));
        }
    }
}

/// Whether a text without a record may be what is left of one.
fn may_be_damaged(line: &str) -> bool {
    has(line, TELLTALE) || OPENINGS.iter().any(|opening| has(line, opening))
}

/// Whether an object is a record, or was one: most of its members have their names.
fn is_ours(tree: &Tree) -> bool {
    MEMBERS.iter().filter(|name| tree.member(name).is_some()).count() > MEMBERS.len() / 2
}

fn is_intact(text: &str, record: &Record<'_>) -> bool {
    record.hash.is_none_or(|hash| digest(text) == Some(hash))
}

fn has(text: &str, word: &str) -> bool {
    find(text.as_bytes(), word.as_bytes()).is_some()
}

/// Where the next record begins, and whether it is the text of a string.
fn next(text: &str) -> Option<(usize, bool)> {
    let object = find(text.as_bytes(), OBJECT.as_bytes());
    let before = text.as_bytes().get(..object.unwrap_or(text.len())).unwrap_or_default();
    match find(before, ESCAPED.as_bytes()) {
        Some(escaped) => Some((escaped, true)),
        None => object.map(|object| (object, false)),
    }
}

/// The JSON value that `text` begins with, and its length.
fn value<'a, T: Deserialize<'a>>(text: &'a str) -> (Result<T, String>, Option<usize>) {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    match values.next() {
        Some(Ok(value)) => (Ok(value), Some(values.byte_offset())),
        Some(Err(error)) => (Err(error.to_string()), None),
        None => (Err("nothing is there".to_owned()), None),
    }
}
