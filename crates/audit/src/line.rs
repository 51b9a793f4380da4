//! Finds the records in a line of a log, whatever else is in it.
//!
//! 1. A record is found by its first member, as an object or as the text of a JSON string, at any
//!    depth and after any text. There may be several in a line: a batch of a collector.
//! 2. Where there is none, but a word that only a record has, the line is taken apart: its JSON was
//!    written anew, or a string in a string holds the record.
//! 3. What begins as a record and cannot be read is one that was damaged.
//! 4. With a key the line is JSON, or damaged. What a client has put into another member of it is not
//!    looked at, whatever it looks like: only [`WRAPPERS`] are opened.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::canonical::{MEMBERS, Tree};
use super::record::{Record, digest};
use super::scan::{OBJECT, Places, Skim, string_end};
use super::signs::{Traces, has_telltale, is_nothing, may_be_damaged};

/// The members in which a container runtime or a collector puts a whole line.
const WRAPPERS: [&str; 2] = ["log", "message"];

/// Strings in strings in strings: deeper is no carrier.
const MAX_DEPTH: u32 = 4;

/// Levels of lists and objects in a record: far more than any has, and fewer than serde_json reads.
const MAX_LEVELS: u32 = 100;

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
        let mut search = Search { key: self.key.as_deref(), each, found: 0, work: 0 };
        search.line(line, 0);
        search.found
    }

    /// What is in a line: how many records, and whether all of them are intact and none is damaged.
    #[must_use]
    pub fn summary(&self, line: &str) -> Summary {
        let mut summary = Summary { records: 0, intact: true };
        if !may_be_damaged(line) {
            return summary;
        }
        self.records(line, &mut |found| match found {
            Found::Record { intact, .. } => {
                summary.records = summary.records.saturating_add(1);
                summary.intact &= intact;
            }
            Found::Damaged(_) => summary.intact = false,
        });
        summary
    }
}

/// What is in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many records.
    pub records: usize,
    /// Whether all of them are intact, and nothing is damaged.
    pub intact: bool,
}

/// A search in one line.
struct Search<'s> {
    key: Option<&'s str>,
    each: &'s mut dyn FnMut(Found<'_>),
    found: usize,
    /// How many bytes were looked at: the tests hold it against the length of the line.
    work: usize,
}

impl Search<'_> {
    fn give(&mut self, found: Found<'_>) {
        self.found = self.found.saturating_add(1);
        (self.each)(found);
    }

    fn worked(&mut self, bytes: usize) {
        self.work = self.work.saturating_add(bytes);
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
        self.openings(text, true);
        if self.found == before && depth < MAX_DEPTH && has_telltale(text) {
            self.worked(text.len().saturating_mul(2));
            if let Ok(tree) = serde_json::from_str::<Tree>(text) {
                self.walk(tree, None, depth);
            }
        }
    }

    /// Looks at what begins as a record does; in JSON strings too where `escaped` says so.
    fn openings(&mut self, text: &str, escaped: bool) {
        let mut places = Places::new(text, escaped);
        let mut traces = Traces::of(text);
        let mut skims: [Option<Skim>; 2] = [None, None];
        // What begins before these, as a string or as an object, was looked at.
        let (mut strings, mut objects) = (0, 0);
        let mut from = 0;
        while let Some((at, is_string)) = places.next(from) {
            from = at.saturating_add(OBJECT.len());
            let known = if is_string { strings } else { objects };
            if at < known || !self.takes(text.get(..at).unwrap_or_default()) {
                continue;
            }
            if is_string {
                strings = self.string(text, at, &mut traces);
            } else if let Some((end, sealed)) = self.opening(text, at, &mut skims, &mut traces) {
                objects = end;
                // What a sealed record quotes is no record: the hash of one that is put around another cannot be
                // known before the other is written.
                strings = if sealed { end.max(strings) } else { strings };
            }
        }
        self.worked(places.work);
        self.worked(if traces.were_looked_for() { text.len() } else { 0 });
    }

    /// The object that begins at `at`. Returns its end, where it is one, and whether it is a sealed record and nothing
    /// else: all in it was looked at, but for strings.
    fn opening(
        &mut self,
        text: &str,
        at: usize,
        skims: &mut [Option<Skim>; 2],
        traces: &mut Traces<'_>,
    ) -> Option<(usize, bool)> {
        let knows = |skim: &mut Option<Skim>| Some(skim.as_mut()?.opening(at)?.end);
        if !skims.iter_mut().any(|skim| knows(skim).is_some()) {
            let mut skim = Skim::new(text, at);
            self.worked(skim.end.saturating_sub(at));
            if skim.opening(at)?.end.is_none() {
                // The others that do not end in it are none for the same reason.
                let rest = text.get(at..).unwrap_or_default();
                if let Err((error, length)) = value::<Tree>(rest) {
                    self.worked(length);
                    self.damaged(traces, at, error);
                }
            }
            let older = skims.iter_mut().min_by_key(|skim| skim.as_ref().map(|skim| skim.end))?;
            *older = Some(skim);
        }
        let skim = skims.iter_mut().filter_map(Option::as_mut);
        let (skim, opening) =
            skim.filter_map(|skim| skim.opening(at).map(|opening| (skim, opening))).next()?;
        let end = opening.end.filter(|_| opening.levels <= MAX_LEVELS)?;
        // What is no JSON makes all that it is in none. It is there or one byte before: where an
        // object begins there, it is that object which may not be there, not what is in it.
        if skim.failed.is_some_and(|failed| at.saturating_add(1) < failed && failed < end) {
            return None;
        }
        match self.object(text.get(at..end).unwrap_or_default(), traces.follow(at)) {
            Ok(sealed) => Some((end, sealed)),
            Err((error, length)) => {
                skim.failed = Some(at.saturating_add(length));
                self.damaged(traces, at, error);
                None
            }
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

    /// The JSON string that begins at `at`. Returns where it ends, or what makes it none: a string
    /// that begins before, at an escaped quote, is the rest of this one.
    fn string(&mut self, text: &str, at: usize, traces: &mut Traces<'_>) -> usize {
        let end = string_end(text.as_bytes(), at);
        let string = text.get(at..end.unwrap_or(text.len())).unwrap_or_default();
        self.worked(string.len());
        if let Some(end) = end.filter(|_| is_nothing(string)) {
            return end.saturating_sub(1);
        }
        match value::<String>(string) {
            Ok(inner) => {
                // It is the value of the member that is wanted: what is in it has no key.
                let key = self.key.take();
                self.openings(&inner, false);
                self.key = key;
                // The quote at its end may begin another one.
                at.saturating_add(string.len()).saturating_sub(1)
            }
            Err((error, length)) => {
                self.worked(length);
                self.damaged(traces, at, error);
                at.saturating_add(length)
            }
        }
    }

    /// An object that begins as a record does; `traces` is whether one may be in it. Returns whether it is a record as
    /// its hash says. Fails where it is no JSON, and says after how many bytes.
    fn object(&mut self, text: &str, traces: bool) -> Result<bool, (String, usize)> {
        self.worked(text.len());
        if is_nothing(text) {
            return Ok(false);
        }
        if let Ok(record) = serde_json::from_str::<Record<'_>>(text)
            && is_intact(text, &record)
        {
            self.give(Found::Record { text, record: &record, intact: true });
            return Ok(record.hash.is_some());
        }
        // It was changed, or only written anew, or is something else.
        let tree = value::<Tree>(text);
        self.worked(tree.as_ref().map_or_else(|(_, length)| *length, |_| text.len()));
        let tree = tree?;
        if is_ours(&tree) {
            self.anew(tree);
        } else if traces && self.key.is_none() {
            self.inner(tree);
        }
        Ok(false)
    }

    /// The records in something else that begins as one.
    fn inner(&mut self, tree: Tree) {
        match tree {
            Tree::Object(_) if is_ours(&tree) => self.anew(tree),
            Tree::Object(members) => members.into_iter().for_each(|(_, value)| self.inner(value)),
            Tree::List(items) => items.into_iter().for_each(|item| self.inner(item)),
            _ => (),
        }
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

    /// What begins at `at` is no JSON.
    fn damaged(&mut self, traces: &mut Traces<'_>, at: usize, error: String) {
        if traces.follow(at) {
            self.give(Found::Damaged(error));
        }
    }
}

/// Whether an object is a record, or was one: most of its members have their names.
fn is_ours(tree: &Tree) -> bool {
    tree.known_members() > MEMBERS.len() / 2
}

fn is_intact(text: &str, record: &Record<'_>) -> bool {
    record.hash.is_none_or(|hash| digest(text) == Some(hash))
}

/// The JSON value that `text` is; or why it is none, and after how many bytes that was clear.
fn value<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, (String, usize)> {
    serde_json::from_str(text).map_err(|error| {
        let breaks = error.line().saturating_sub(1);
        let lines = text.split_inclusive('\n').take(breaks).map(str::len);
        let length = lines.sum::<usize>().saturating_add(error.column());
        (error.to_string(), length.min(text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = include_str!("../tests/record.json");

    /// What was done for a line, in bytes that were looked at, and the intact records in it.
    fn search(line: &str, key: Option<&str>) -> (usize, usize) {
        let mut records: usize = 0;
        let mut each = |found: Found<'_>| {
            let intact = matches!(found, Found::Record { intact: true, .. });
            records = records.saturating_add(usize::from(intact));
        };
        let mut search = Search { key, each: &mut each, found: 0, work: 0 };
        search.line(line, 0);
        (search.work, records)
    }

    /// Times the length of a line: what may be looked at, however the line is made.
    const BOUND: usize = 24;

    fn is_linear(name: &str, line: &str) {
        for key in [None, Some("agent"), Some("breakglass")] {
            let (work, _) = search(line, key);
            assert!(
                work <= line.len().saturating_mul(BOUND),
                "{name}, {key:?}: {work} of {}",
                line.len()
            );
        }
    }

    #[test]
    fn no_line_costs_more_than_its_length() {
        let nested = |inner: &str| {
            (0..3).fold(inner.to_owned(), |text, _| {
                serde_json::json!({ "v": 1, "grant_seq": text }).to_string()
            })
        };
        for bytes in [1 << 14, 1 << 17] {
            let many = |text: &str| text.repeat(bytes / text.len());
            let half = |text: &str| text.repeat(bytes / 2 / text.len());
            let wide = |count: usize| "{\"v\":[".repeat(count);
            let open = wide(120) + &many("1,") + "\"grant_seq\"";
            let members: String =
                super::MEMBERS.iter().map(|name| format!("\"{name}\":1,")).collect();
            for (name, text) in [
                ("openings", many(OBJECT)),
                ("escaped openings", many("\"{\\\"v\\\":")),
                ("escaped openings with traces", many("\"{\\\"v\\\":1,\\\"time\\\":\\\"")),
                ("openings with traces", many("{\"v\":1,\"time\":\"")),
                ("openings in openings", many("{\"v\":{\"grant_seq\":[")),
                ("openings before a long list", open.clone()),
                ("the same, closed", open.clone() + &"]}".repeat(120)),
                ("the same, closed, and no JSON", open.clone() + "x" + &"]}".repeat(120)),
                (
                    "openings at all levels",
                    (wide(100) + &half("1,") + "1" + &"]}".repeat(100)).repeat(2),
                ),
                ("deep", half("{\"v\":[") + &half("]}")),
                ("telltales", many("{\"v\":0,\"grant_seq\":1}")),
                ("duplicate members", format!("{{\"v\":1,{}\"x\":1}}", many(&members))),
                ("white space", many("\"agent\" : {\"v\":") + &many(" ")),
                ("strings in strings", nested(&many("\"{\\\"v\\\":"))),
                ("backslashes", "\"{\\\"v\\\":".to_owned() + &many("\\\\\\\"{\\\"v\\\":")),
                ("quotes", many("\"{\"v\":\"")),
                ("lists", many("[") + "grant_seq"),
            ] {
                is_linear(name, &text);
                is_linear(
                    name,
                    &serde_json::json!({ "agent": text, "breakglass": "-" }).to_string(),
                );
                is_linear(name, &format!("{{\"agent\":\"{text}\",\"log\":\"{text}\"}}"));
            }
        }
    }

    const TOKENS: [&str; 16] = [
        "{\"v\":",
        "\"{\\\"v\\\":",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "1",
        " ",
        "grant_seq",
        "{\"v\":1,\"time\":\"",
        "\\\"",
        "null",
    ];

    /// A text of tokens, another one for each seed.
    fn soup(seed: &mut u64, tokens: usize) -> String {
        let mut text = String::new();
        for _ in 0..tokens {
            // Knuth's MMIX constants.
            *seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(TOKENS[usize::try_from(*seed >> 60).unwrap()]);
        }
        text
    }

    #[test]
    fn whatever_is_beside_a_record_hides_it_not_and_costs_no_more_than_its_length() {
        let record = RECORD.trim_end();
        assert_eq!(search(record, None).1, 1);
        let mut seed = 7;
        for round in 0..4_000 {
            let before = soup(&mut seed, round % 40);
            let line = format!("{before} {record}{}", soup(&mut seed, round % 7));
            let (work, found) = search(&line, None);
            assert!(found >= 1, "{line}");
            assert!(work <= line.len().saturating_mul(BOUND), "{work}: {line}");
        }
        for _ in 0..8 {
            is_linear("soup", &soup(&mut seed, 10_000));
        }
    }

    #[test]
    fn a_record_in_something_else_that_begins_as_one_is_found_beside_others() {
        let record = RECORD.trim_end();
        let text = serde_json::to_string(record).unwrap();
        for inner in [record, &text, &format!("[{{\"v\":{record}}}]")] {
            let line = format!("{{\"v\":2,\"inner\":{inner}}} {record}");
            assert_eq!(search(&line, None).1, 2, "{line}");
        }
        // The quote that ends one string begins the next.
        let line = format!("\"{{\\\"v\\\":{text} \"{{\\\"v\\\":{record}");
        assert_eq!(search(&line, None).1, 2, "{line}");
    }
}
