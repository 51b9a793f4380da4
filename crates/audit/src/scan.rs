//! Where in a text a record may begin and end. A text may hold a hundred thousand openings, one in
//! the other: each byte is looked at a bounded number of times all the same.
//!
//! A [`Skim`] matches the brackets after an opening, and notes every opening that it passes outside
//! of strings. Such an opening needs no skim of its own. One that lies inside of a string of the
//! skim begins another skim, in which strings and what is between them change places; a backslash
//! outside of strings ends a skim. So no opening is inside of strings of both, and no byte is
//! skimmed more than twice.

use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;

/// How a record begins.
pub(super) const OBJECT: &str = "{\"v\":";

/// How it begins as the text of a JSON string.
pub(super) const ESCAPED: &str = "\"{\\\"v\\\":";

static OBJECTS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(OBJECT));

static STRINGS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(ESCAPED));

/// Brackets that are open at once: more ends a skim. serde_json reads 127 levels.
const MAX_OPEN: usize = 1024 * 1024;

/// The places where a record may begin, from left to right.
pub(super) struct Places<'t> {
    text: &'t [u8],
    object: Word,
    escaped: Option<Word>,
    /// How many bytes were searched.
    pub(super) work: usize,
}

/// A word, and where it comes next.
struct Word {
    finder: &'static Finder<'static>,
    next: Option<usize>,
    /// Whether `next` is known.
    known: bool,
}

impl<'t> Places<'t> {
    /// Those in `text`; the ones in JSON strings too where `escaped` says so.
    pub(super) fn new(text: &'t str, escaped: bool) -> Places<'t> {
        Places {
            text: text.as_bytes(),
            object: Word::new(&OBJECTS),
            escaped: escaped.then(|| Word::new(&STRINGS)),
            work: 0,
        }
    }

    /// The next one at or after `from`, and whether it is the text of a string.
    pub(super) fn next(&mut self, from: usize) -> Option<(usize, bool)> {
        let object = self.object.next(self.text, from, &mut self.work);
        let escaped =
            self.escaped.as_mut().and_then(|word| word.next(self.text, from, &mut self.work));
        match (object, escaped) {
            (Some(object), Some(escaped)) if object < escaped => Some((object, false)),
            (_, Some(escaped)) => Some((escaped, true)),
            (object, None) => object.map(|object| (object, false)),
        }
    }
}

impl Word {
    fn new(finder: &'static Finder<'static>) -> Word {
        Word { finder, next: None, known: false }
    }

    /// Where it comes next. What was found is kept until it is passed.
    fn next(&mut self, text: &[u8], from: usize, work: &mut usize) -> Option<usize> {
        if !self.known || self.next.is_some_and(|next| next < from) {
            let rest = text.get(from..).unwrap_or_default();
            let found = self.finder.find(rest);
            *work = work.saturating_add(found.unwrap_or(rest.len()));
            self.next = found.map(|at| from.saturating_add(at));
            self.known = true;
        }
        self.next
    }
}

/// What a skim knows of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    /// Where it is.
    pub(super) start: usize,
    /// The end of its object; nothing where the object does not end.
    pub(super) end: Option<usize>,
    /// How many levels are in it, itself included.
    pub(super) levels: u32,
}

/// The brackets after an opening, up to the one that closes it or to where they cannot be JSON.
pub(super) struct Skim {
    openings: Vec<Opening>,
    /// Those before this one are passed.
    passed: usize,
    /// Where it ended.
    pub(super) end: usize,
    /// Where JSON in it turned out to be none.
    pub(super) failed: Option<usize>,
}

/// A bracket that is open.
struct Bracket {
    closes: u8,
    levels: u32,
    opening: Option<usize>,
}

impl Skim {
    /// The skim of what begins at `start` in `text`.
    pub(super) fn new(text: &str, start: usize) -> Skim {
        let bytes = text.as_bytes();
        let mut openings: Vec<Opening> = Vec::new();
        let mut open: Vec<Bracket> = Vec::new();
        let mut at = start;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => match string_end(bytes, at) {
                    Some(end) => at = end.saturating_sub(1),
                    None => at = bytes.len().saturating_sub(1),
                },
                b'{' | b'[' if open.len() >= MAX_OPEN => break,
                b'{' => {
                    let is_opening =
                        bytes.get(at..).is_some_and(|rest| rest.starts_with(OBJECT.as_bytes()));
                    let opening = is_opening.then(|| {
                        openings.push(Opening { start: at, end: None, levels: 1 });
                        openings.len().saturating_sub(1)
                    });
                    open.push(Bracket { closes: b'}', levels: 1, opening });
                }
                b'[' => open.push(Bracket { closes: b']', levels: 1, opening: None }),
                b'}' | b']' => {
                    let Some(bracket) = open.pop_if(|bracket| bracket.closes == *byte) else {
                        break;
                    };
                    if let Some(opening) =
                        bracket.opening.and_then(|opening| openings.get_mut(opening))
                    {
                        opening.end = Some(at.saturating_add(1));
                        opening.levels = bracket.levels;
                    }
                    match open.last_mut() {
                        Some(outer) => {
                            outer.levels = outer.levels.max(bracket.levels.saturating_add(1));
                        }
                        None => break,
                    }
                }
                b'\\' => break,
                _ => (),
            }
            at = at.saturating_add(1);
        }
        Skim { openings, passed: 0, end: at.saturating_add(1).min(bytes.len()), failed: None }
    }

    /// What it knows of the opening at this place. Places are asked for from left to right.
    pub(super) fn opening(&mut self, start: usize) -> Option<Opening> {
        while self.openings.get(self.passed).is_some_and(|opening| opening.start < start) {
            self.passed = self.passed.saturating_add(1);
        }
        self.openings.get(self.passed).copied().filter(|opening| opening.start == start)
    }
}

/// Whether `text` is one object, as far as its brackets say.
pub(super) fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{') && object_end(text) == Some(text.len())
}

/// Whether `text` ends in the middle of an object: the one that it begins with, or a record.
pub(super) fn is_cut(text: &str) -> bool {
    let mut from = 0;
    let trimmed = text.trim_start();
    if trimmed.starts_with('{') {
        let Some(end) = object_end(trimmed) else { return true };
        from = text.len().saturating_sub(trimmed.len()).saturating_add(end);
    }
    let mut places = Places::new(text, true);
    while let Some((at, is_string)) = places.next(from) {
        let end = match is_string {
            true => string_end(text.as_bytes(), at),
            false => text.get(at..).and_then(object_end).map(|length| at.saturating_add(length)),
        };
        let Some(end) = end else { return true };
        from = end;
    }
    let rest = text.get(from..).unwrap_or_default();
    OBJECT
        .char_indices()
        .skip(1)
        .any(|(length, _)| OBJECT.get(..length).is_some_and(|beginning| rest.ends_with(beginning)))
}

/// Whether `text` is a record from its first member to its last, as far as both ends say: no part of one
/// is. It is what most lines are, and far cheaper to see than [`is_cut`].
pub(super) fn is_whole_record(text: &str) -> bool {
    // `"grant_seq":..,"chain":"..","seq":..,"prev":"..","hash":".."}`; in a string its quotes are escaped.
    const TAIL_BYTES: usize = 320;
    const MEMBER: &[u8] = b",\"grant_seq\":";
    let bytes = text.as_bytes();
    let tail = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
    bytes.starts_with(b"{\"v\":1,\"time\":\"")
        && (tail.ends_with(b"\"}") || tail.ends_with(b"null}"))
        && memchr::memmem::find(tail, MEMBER).is_some()
}

/// Where the object is closed that `text` begins with.
fn object_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth: usize = 0;
    let mut at: usize = 0;
    while let Some(byte) = bytes.get(at) {
        at = at.saturating_add(1);
        match byte {
            b'"' => at = string_end(bytes, at.saturating_sub(1))?,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => (),
        }
    }
    None
}

/// The end of the JSON string that begins at `start`, after its quote.
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start.saturating_add(1);
    loop {
        at = at.saturating_add(memchr2(b'"', b'\\', bytes.get(at..)?)?);
        match bytes.get(at)? {
            b'"' => return Some(at.saturating_add(1)),
            _ => at = at.saturating_add(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_beginning_of_a_record_is_taken_for_the_whole() {
        let hash = "0".repeat(64);
        let record = format!(
            r#"{{"v":1,"time":"t","path":"/\",\"grant_seq\":1}}","start":{{"seq":1,"prev":null,"hash":"{hash}"}},"#
        ) + &format!(
            r#""grant_seq":2,"chain":"c","seq":3,"prev":"{hash}","hash":"{hash}"}}"#
        );
        assert!(is_whole_record(&record));
        for end in 0..record.len() {
            let beginning = record.get(..end).unwrap();
            assert!(!is_whole_record(beginning), "{beginning}");
            assert!(is_cut(beginning) || end == 0, "{beginning}");
        }
        assert!(!is_whole_record(&format!("x{record}")), "something else stands before it");
    }

    #[test]
    fn places_come_from_left_to_right() {
        let text = r#"a{"v":1} "{\"v\":2}" {"v":"#;
        let mut places = Places::new(text, true);
        assert_eq!(places.next(0), Some((1, false)));
        assert_eq!(places.next(2), Some((9, true)));
        assert_eq!(places.next(10), Some((21, false)));
        assert_eq!(places.next(22), None);
        assert_eq!(Places::new(text, false).next(2), Some((21, false)));
    }

    #[test]
    fn a_skim_knows_the_openings_in_it() {
        let text = r#"-{"v":[{"v":"}{"},{"v":{}}, {"v":1"#;
        let mut skim = Skim::new(text, 1);
        let mut known = |start| skim.opening(start).map(|opening| (opening.end, opening.levels));
        assert_eq!(known(1), Some((None, 1)));
        assert_eq!(known(2), None);
        assert_eq!(known(7), Some((Some(17), 1)));
        assert_eq!(known(18), Some((Some(26), 2)));
        assert_eq!(known(28), Some((None, 1)));
        assert_eq!(skim.end, text.len());
        let mut closed = Skim::new(r#"{"v":[1]} {"v":2}"#, 0);
        assert_eq!(closed.opening(0), Some(Opening { start: 0, end: Some(9), levels: 2 }));
        assert_eq!(closed.opening(10), None);
        assert_eq!(Skim::new(r#"{"v":[}"#, 0).opening(0).unwrap().end, None);
    }

    #[test]
    fn a_text_is_cut_where_an_object_is() {
        for (text, expected) in [
            (r#"{"a":1"#, true),
            (r#" {"a":{}"#, true),
            (r#"a {"v":1} b {"v":[]}"#, false),
            (r#"a {"v":1} b {"v":{"#, true),
            (r#"a "{\"v\":1}" {"#, true),
            (r#"a "{\"v\":1}"#, true),
            (r#"a {"v""#, true),
            (r#"{} {"#, true),
            ("{}", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(is_cut(&text.replace("\\\\", "\\")), expected, "{text}");
        }
    }

    #[test]
    fn an_object_is_one_where_its_brackets_say_so() {
        for (text, expected) in [
            (r#"{"a":"}\"","b":[{}]}"#, true),
            (r#" {} "#, true),
            (r#"{"a":1"#, false),
            (r#"{"a":"1"#, false),
            (r#"{} {}"#, false),
            (r#"{"a":"\"#, false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(is_object(text), expected, "{text}");
        }
    }
}
