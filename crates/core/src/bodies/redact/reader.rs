//! Reads a text once, member by member, so that what comes before a cut can be redacted without what comes
//! after it. Text that is not strict JSON (RFC 8259) is not shown at all: who reads it leniently may see
//! members where this does not.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::rules::Rules;

/// What stands in place of a value that was taken out.
const REDACTED: &[u8] = b"\"[redacted]\"";

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// The longest that the escape of one character is, `\ud83d\ude00`, in bytes.
const MAX_ESCAPE: usize = 12;

/// The members that are named by their siblings, in lower case.
const VALUES: [&str; 2] = ["value", "values"];

/// Why reading stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The text ends here.
    End,
    /// This is not JSON.
    Invalid,
}

/// Reads a text, and writes what may be shown of it.
pub(super) struct Reader<'a> {
    rules: &'a Rules,
    rest: &'a [u8],
    shown: Vec<u8>,
    /// The names and indices that lead to where we are.
    path: Vec<String>,
    /// Whether what is read is not to be shown.
    hidden: bool,
}

/// What an object says of its own `value`.
#[derive(Default)]
struct Siblings {
    /// Where its values stand in what is shown.
    values: Vec<Range<usize>>,
    /// Whether another member names what is taken out.
    are_named: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(rules: &'a Rules) -> Reader<'a> {
        Reader { rules, rest: &[], shown: Vec::new(), path: Vec::new(), hidden: false }
    }

    /// What may be shown of a text. `None` if it is not the text, or, if it is `truncated`, the beginning of
    /// the text, of one JSON value.
    pub(super) fn read(mut self, text: &'a str, truncated: bool) -> Option<String> {
        self.rest = text.as_bytes();
        self.shown.reserve(text.len());
        match self.value().and_then(|_| self.end()) {
            Ok(()) => {}
            Err(Stop::End) if truncated => {}
            Err(_) => return None,
        }
        String::from_utf8(self.shown).ok()
    }

    fn show(&mut self, bytes: &[u8]) {
        if !self.hidden {
            self.shown.extend_from_slice(bytes);
        }
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Result<u8, Stop> {
        let space = self.rest.iter().take_while(|byte| b" \t\n\r".contains(byte)).count();
        self.rest = self.rest.get(space..).unwrap_or_default();
        self.rest.first().copied().ok_or(Stop::End)
    }

    /// Reads and shows one byte.
    fn take(&mut self, wanted: u8) -> Result<(), Stop> {
        if self.peek()? != wanted {
            return Err(Stop::Invalid);
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.show(&[wanted]);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        match self.peek() {
            Ok(_) => Err(Stop::Invalid),
            Err(_) => Ok(()),
        }
    }

    /// A value: what it means, if it is a string.
    fn value(&mut self) -> Result<Option<String>, Stop> {
        if self.path.len() > MAX_DEPTH {
            return Err(Stop::Invalid);
        }
        if !self.hidden && self.rules.covers(&self.path) {
            self.show(REDACTED);
            self.hidden = true;
            let read = self.value();
            self.hidden = false;
            return read;
        }
        match self.peek()? {
            b'{' => self.object().map(|()| None),
            b'[' => self.array().map(|()| None),
            b'"' => self.text().map(Some),
            _ => self.word().map(|()| None),
        }
    }

    fn array(&mut self) -> Result<(), Stop> {
        self.take(b'[')?;
        let mut index = 0_usize;
        self.members(b']', |reader| {
            let name = index.to_string();
            index = index.saturating_add(1);
            reader.member(name).map(|_| ())
        })
    }

    /// An object. A member `value` is shown only where the whole object is known, and no other member of it
    /// names what is taken out: that other one may come later.
    fn object(&mut self) -> Result<(), Stop> {
        self.take(b'{')?;
        let mut siblings = Siblings::default();
        let read = self.members(b'}', |reader| {
            reader.peek()?;
            let name = reader.string()?;
            reader.take(b':')?;
            let begin = reader.shown.len();
            let is_value = VALUES.contains(&name.to_lowercase().as_str());
            let read = reader.member(name);
            if is_value && !reader.hidden {
                siblings.values.push(begin..reader.shown.len());
            }
            let named = |text: String| reader.rules.is_named_by(&text);
            siblings.are_named |= read?.filter(|_| !is_value).is_some_and(named);
            Ok(())
        });
        if !self.rules.is_empty() && (siblings.are_named || read.is_err()) {
            for shown in siblings.values.into_iter().rev() {
                drop(self.shown.splice(shown, REDACTED.iter().copied()));
            }
        }
        read
    }

    /// What stands between the brackets of an object or an array, each one read by `member`.
    fn members(
        &mut self,
        close: u8,
        mut member: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.peek()? == close {
            return self.take(close);
        }
        loop {
            member(self)?;
            if self.peek()? == close {
                return self.take(close);
            }
            self.take(b',')?;
        }
    }

    fn member(&mut self, name: String) -> Result<Option<String>, Stop> {
        self.path.push(name);
        let read = self.value();
        self.path.pop();
        read
    }

    /// A string that is a value: what it means. Its text may be JSON, with members of its own.
    fn text(&mut self) -> Result<String, Stop> {
        let begin = self.shown.len();
        let read = self.string();
        if self.hidden || self.rules.is_empty() {
            return read;
        }
        let embedded = match &read {
            Ok(text) => is_begun_json(text).then(|| self.embedded(text)),
            // How it goes on is not known.
            Err(_) => is_begun_json(&meaning_of_begun(self.shown.get(begin..).unwrap_or_default()))
                .then_some(None),
        };
        if let Some(embedded) = embedded {
            self.shown.truncate(begin);
            let shown = embedded.and_then(|text| serde_json::to_vec(&text).ok());
            self.show(shown.as_deref().unwrap_or(REDACTED));
        }
        read
    }

    /// What may be shown of JSON in a string; `None` if it is not strict JSON after all.
    fn embedded(&self, text: &str) -> Option<String> {
        let mut reader = Reader::new(self.rules);
        reader.path.clone_from(&self.path);
        reader.read(text, false)
    }

    /// A string, name or value: what it means, without its escapes. Of one that is cut off, what is whole of
    /// it is shown.
    fn string(&mut self) -> Result<String, Stop> {
        let mut bytes = self.rest.iter().enumerate();
        if bytes.next().is_none_or(|(_, first)| *first != b'"') {
            return Err(Stop::Invalid);
        }
        let mut end = None;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'\\' => drop(bytes.next()),
                b'"' => {
                    end = at.checked_add(1);
                    break;
                }
                0..=31 => return Err(Stop::Invalid),
                _ => {}
            }
        }
        let whole = end.and_then(|end| self.rest.split_at_checked(end));
        let Some((string, rest)) = whole else {
            let whole = begun(self.rest).ok_or(Stop::Invalid)?;
            self.show(whole);
            return Err(Stop::End);
        };
        let meaning = meaning(string).ok_or(Stop::Invalid)?;
        self.show(string);
        self.rest = rest;
        Ok(meaning)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<(), Stop> {
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let length = self.rest.iter().take_while(is_word).count();
        let (word, rest) = self.rest.split_at_checked(length).ok_or(Stop::Invalid)?;
        let literals = [&b"true"[..], b"false", b"null"];
        let number = Number::of(word);
        let is_whole = number == Number::Whole || literals.contains(&word);
        let is_begun = rest.is_empty()
            && (number == Number::Begun || literals.iter().any(|known| known.starts_with(word)));
        if word.is_empty() || !(is_whole || is_begun) {
            return Err(Stop::Invalid);
        }
        self.show(word);
        self.rest = rest;
        if is_whole { Ok(()) } else { Err(Stop::End) }
    }
}

/// What a text is as a number (RFC 8259 section 6).
#[derive(Debug, PartialEq, Eq)]
enum Number {
    Whole,
    /// With more digits it would be one.
    Begun,
    None,
}

impl Number {
    fn of(word: &[u8]) -> Number {
        let parses = |text: &[u8]| serde_json::from_slice::<IgnoredAny>(text).is_ok();
        let is_one = word.first().is_some_and(|first| *first == b'-' || first.is_ascii_digit());
        match is_one {
            true if parses(word) => Number::Whole,
            true if parses(&[word, b"0"].concat()) => Number::Begun,
            _ => Number::None,
        }
    }
}

/// What a string literal means.
fn meaning(string: &[u8]) -> Option<String> {
    serde_json::from_slice(string).ok()
}

/// What is whole of a string literal that is cut off: without an escape of which a part is missing.
fn begun(string: &[u8]) -> Option<&[u8]> {
    let cuts = (0..MAX_ESCAPE).filter_map(|cut| string.get(..string.len().checked_sub(cut)?));
    let mut cuts = cuts.filter(|text| !text.is_empty());
    cuts.find(|text| meaning(&[text, &b"\""[..]].concat()).is_some())
}

/// What a string literal that is cut off means as far as it goes.
fn meaning_of_begun(string: &[u8]) -> String {
    meaning(&[string, b"\""].concat()).unwrap_or_default()
}

/// Whether a text could be JSON that has members.
fn is_begun_json(text: &str) -> bool {
    let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    trimmed.starts_with(['{', '[', '"'])
}
