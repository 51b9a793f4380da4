//! Taking values out of JSON of which perhaps only the beginning is known.
//!
//! The text is read once, member by member, so that what comes before a cut can be redacted without
//! what comes after it. Text that is not strict JSON is not shown at all: who reads it leniently may
//! see members where this does not.

/// What stands in place of a value that was taken out.
const REDACTED: &str = "\"[redacted]\"";

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// What is taken out of a JSON text: members by name, wherever they are and without regard to case,
/// or values by JSON pointer (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// In lower case.
    names: Vec<String>,
    pointers: Vec<Vec<String>>,
}

/// Why reading stopped.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The text ends here.
    End,
    /// This is not JSON.
    Invalid,
}

impl Redaction {
    /// Reads rules: one that begins with a slash is a pointer, any other a name.
    ///
    /// # Errors
    /// What is wrong with the first rule that is none.
    pub fn parse(rules: impl IntoIterator<Item = String>) -> Result<Redaction, String> {
        let mut redaction = Redaction::default();
        for rule in rules {
            match rule.strip_prefix('/') {
                None => redaction.names.push(rule.to_lowercase()),
                Some(pointer) => {
                    let tokens: Option<Vec<String>> = pointer.split('/').map(unescaped).collect();
                    let tokens = tokens.ok_or_else(|| {
                        format!("`{rule}` is no JSON pointer: `~` is written `~0`, and `/` `~1`")
                    })?;
                    redaction.pointers.push(tokens);
                }
            }
        }
        Ok(redaction)
    }

    /// Whether nothing is taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.pointers.is_empty()
    }

    /// The text without white space, and without the values that are to be taken out. `None` if it
    /// is not the text, or, if it is `truncated`, the beginning of the text, of one JSON value.
    #[must_use]
    pub fn json(&self, text: &str, truncated: bool) -> Option<String> {
        let mut reader = Reader {
            rules: self,
            rest: text.as_bytes(),
            shown: Vec::with_capacity(text.len()),
            path: Vec::new(),
            hidden: false,
        };
        match reader.value().and_then(|()| reader.end()) {
            Ok(()) => {}
            Err(Stop::End) if truncated => {}
            Err(_) => return None,
        }
        String::from_utf8(reader.shown).ok()
    }

    fn covers(&self, path: &[String]) -> bool {
        let name = path.last().map(|name| name.to_lowercase());
        name.is_some_and(|name| self.names.contains(&name))
            || self.pointers.iter().any(|pointer| pointer == path)
    }
}

/// A reference token of a JSON pointer without its escapes.
fn unescaped(token: &str) -> Option<String> {
    let rest = token.replace("~0", "").replace("~1", "");
    (!rest.contains('~')).then(|| token.replace("~1", "/").replace("~0", "~"))
}

/// Reads a text, and writes what may be shown of it.
struct Reader<'a> {
    rules: &'a Redaction,
    rest: &'a [u8],
    shown: Vec<u8>,
    /// The names and indices that lead to where we are.
    path: Vec<String>,
    /// Whether what is read is not to be shown.
    hidden: bool,
}

impl<'a> Reader<'a> {
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

    fn value(&mut self) -> Result<(), Stop> {
        if self.path.len() > MAX_DEPTH {
            return Err(Stop::Invalid);
        }
        if !self.hidden && self.rules.covers(&self.path) {
            self.show(REDACTED.as_bytes());
            self.hidden = true;
            let read = self.value();
            self.hidden = false;
            return read;
        }
        match self.peek()? {
            b'{' => self.members(b'}'),
            b'[' => self.members(b']'),
            b'"' => self.string().map(|_| ()),
            _ => self.word(),
        }
    }

    /// An object or an array.
    fn members(&mut self, close: u8) -> Result<(), Stop> {
        let is_object = close == b'}';
        self.take(if is_object { b'{' } else { b'[' })?;
        if self.peek()? == close {
            return self.take(close);
        }
        for index in 0_usize.. {
            let name = if is_object {
                self.peek()?;
                let name = self.string()?;
                self.take(b':')?;
                name
            } else {
                index.to_string()
            };
            self.path.push(name);
            let read = self.value();
            self.path.pop();
            read?;
            if self.peek()? == close {
                return self.take(close);
            }
            self.take(b',')?;
        }
        Ok(())
    }

    /// A string: what it means, without its escapes.
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
            self.show(self.rest);
            return Err(Stop::End);
        };
        let meaning = serde_json::from_slice(string).map_err(|_| Stop::Invalid)?;
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
        let is_number = word.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-')
            && word.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
        let is_whole = is_number || literals.contains(&word);
        let is_begun = rest.is_empty() && literals.iter().any(|literal| literal.starts_with(word));
        if word.is_empty() || !(is_whole || is_begun) {
            return Err(Stop::Invalid);
        }
        self.show(word);
        self.rest = rest;
        if is_whole { Ok(()) } else { Err(Stop::End) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn redaction(rules: &[&str]) -> Redaction {
        Redaction::parse(rules.iter().map(|rule| (*rule).to_owned())).unwrap()
    }

    const BODY: &str = r#" {"user": "ann", "Password": "hush", "card": {"number": "4111", "cvc": [1, 2]},
        "list": [{"pin": 1234, "ok": true}, -1.5e3, null, "a\"b"], "p\u0069n": "5678"} "#;

    #[test]
    fn members_are_taken_out_by_name_and_by_pointer() {
        let rules = redaction(&["password", "pin", "/card/number", "/list/1"]);
        assert_eq!(
            rules.json(BODY, false).unwrap(),
            r#"{"user":"ann","Password":"[redacted]","card":{"number":"[redacted]","cvc":[1,2]},"list":[{"pin":"[redacted]","ok":true},"[redacted]",null,"a\"b"],"p\u0069n":"[redacted]"}"#
        );
        let whole = redaction(&["card"]).json(BODY, false).unwrap();
        assert!(whole.contains(r#""card":"[redacted]","list""#), "{whole}");
        assert!(redaction(&["/"]).json(r#"{"":1}"#, false).unwrap().contains("redacted"));
        assert!(
            redaction(&["/a~1b/c~0d"]).json(r#"{"a/b":{"c~d":7}}"#, false).unwrap().contains("red")
        );
    }

    #[test]
    fn wherever_the_text_is_cut_what_is_taken_out_is_not_in_it() {
        let rules = redaction(&["password", "card", "pin"]);
        for end in 0..=BODY.trim_end().len() {
            let Some(beginning) = BODY.get(..end) else { continue };
            let shown = rules.json(beginning, true).unwrap_or_else(|| panic!("{beginning}"));
            for secret in ["hush", "hus", "4111", "cvc", "1234", "5678"] {
                assert!(!shown.contains(secret), "{beginning} -> {shown}");
            }
        }
    }

    #[test]
    fn what_is_not_json_is_not_shown() {
        for text in [
            "{'a':1}",
            "{a:1}",
            "{\"a\":1,}",
            "[1,]",
            "{\"a\" 1}",
            "1 2",
            "// x\n1",
            "tru",
            "nulls",
            "\"a\nb\"",
            "\"\\x\"",
            "{\"a\":}",
            "+1",
            "NaN",
            "",
            "{\"a\":1}}",
        ] {
            assert_eq!(redaction(&["secret"]).json(text, false), None, "{text}");
        }
        let deep = "[".repeat(100);
        assert_eq!(redaction(&[]).json(&deep, true), None);
        assert_eq!(redaction(&[]).json("tru", true).as_deref(), Some("tru"));
        assert_eq!(redaction(&[]).json("trx", true), None);
    }

    #[test]
    fn a_pointer_that_is_none_is_an_error() {
        for rule in ["/a~b", "/a~", "/~2"] {
            assert!(Redaction::parse([rule.to_owned()]).is_err(), "{rule}");
        }
    }
}
