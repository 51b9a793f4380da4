//! How long a record can become.
//!
//! Log pipelines split lines at 16 KiB, so a record without captured bodies is shorter than that, also
//! as a JSON format of Envoy's carries it: as a string in an object, where the record's own quotes and
//! backslashes are escaped once more. So what bounds a value is its length there.

use std::borrow::Cow;

use breakglass_types::heads::MAX_NODE_BYTES;

/// The longest name from a verified token, or of ours: no name that a token may have is cut.
pub(super) const NAME: usize = 1024;
/// The longest rule: all templates of a rule in a configuration.
pub(super) const RULE: usize = 768;
/// The longest justification, and the longest approvers together: one of 1024 bytes is whole, unless
/// most of it must be escaped.
pub(super) const JUSTIFICATION: usize = 1536;
pub(super) const APPROVERS: usize = 1536;
/// The longest values that a client chose, or an upstream's address.
pub(super) const METHOD: usize = 256;
pub(super) const HOST: usize = 512;
pub(super) const PATH: usize = 1536;
pub(super) const REQUEST_ID: usize = 512;
pub(super) const ROUTE: usize = 512;
pub(super) const UPGRADE: usize = 128;
pub(super) const UPSTREAM: usize = 256;
/// The longest name of a node, which is what the approval service takes.
pub(crate) const NODE: usize = MAX_NODE_BYTES;

/// The most bytes that escaping makes of one.
const LONGEST_ESCAPE: usize = 7;

/// The quotes around a string in a list, and its comma.
const AROUND: usize = 5;

/// The longest beginning of a text that is not longer than `limit` bytes in a record in a JSON string.
pub(crate) fn beginning(text: &str, limit: usize) -> &str {
    if text.len() <= limit / LONGEST_ESCAPE {
        return text;
    }
    let mut room = limit;
    let mut fits = |character: char| {
        let left = room.checked_sub(length(character));
        room = left.unwrap_or_default();
        left.is_some()
    };
    let end = text.char_indices().find(|(_, character)| !fits(*character));
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// The same, of bytes; what is not UTF-8 becomes U+FFFD.
pub(super) fn lossy(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    // A character that is cut in two here begins behind the limit.
    let some = bytes.get(..limit.saturating_add(3)).unwrap_or(bytes);
    match String::from_utf8_lossy(some) {
        Cow::Borrowed(text) => Cow::Borrowed(beginning(text, limit)),
        Cow::Owned(text) => Cow::Owned(beginning(&text, limit).to_owned()),
    }
}

/// The first texts that are not longer than `limit` bytes together.
pub(super) fn first(texts: &[String], limit: usize) -> &[String] {
    let mut room = limit;
    let fits = |text: &&String| {
        let length = text.chars().map(length).fold(AROUND, usize::saturating_add);
        let left = room.checked_sub(length);
        room = left.unwrap_or_default();
        left.is_some()
    };
    texts.get(..texts.iter().take_while(fits).count()).unwrap_or_default()
}

/// How many bytes a character takes in a record (RFC 8785) in a JSON string.
const fn length(character: char) -> usize {
    match character {
        '"' | '\\' => 4,
        '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 3,
        '\0'..='\u{1f}' => LONGEST_ESCAPE,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    fn embedded(text: &str) -> usize {
        let record = serde_json::to_string(text).unwrap();
        let line = serde_json::to_string(&record).unwrap();
        let inner = line.strip_prefix(r#""\""#).and_then(|line| line.strip_suffix(r#"\"""#));
        inner.unwrap().len()
    }

    #[test]
    fn a_character_is_as_long_as_serde_makes_it() {
        for character in ('\0'..='\u{ff}').chain(['\u{fffd}', '\u{1f600}', '\u{2028}']) {
            assert_eq!(length(character), embedded(&character.to_string()), "{character:?}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters_as_late_as_may_be() {
        for unit in ["a", "é", "\u{1f600}", "\"", "\n", "\u{1}", "\"é\u{1}x"] {
            let text = unit.repeat(2000);
            for limit in [0, 1, 4, 255, 256, 257, 1024] {
                let cut = beginning(&text, limit);
                assert!(text.starts_with(cut) && embedded(cut) <= limit, "{unit:?} {limit}");
                let next = text.strip_prefix(cut).unwrap().chars().next().unwrap();
                assert!(embedded(cut) + length(next) > limit, "{unit:?} {limit}");
            }
            assert_eq!(beginning(unit, 1024), unit);
        }
        assert_eq!(beginning(&"a".repeat(1024), 1024).len(), 1024);
    }

    #[test]
    fn bytes_are_cut_between_characters_too_and_become_text() {
        assert_eq!(lossy("é".repeat(600).as_bytes(), 1024), "é".repeat(512));
        assert_eq!(lossy("aé".repeat(600).as_bytes(), 1024), format!("{}a", "aé".repeat(341)));
        assert_eq!(lossy(&[0xff; 5000], 1024), "\u{fffd}".repeat(341));
        assert_eq!(lossy(b"/v1/orders", 1024), "/v1/orders");
    }

    #[test]
    fn of_many_texts_the_first_are_kept_whole() {
        let texts = vec!["bob@example.com".to_owned(); 500];
        assert_eq!(first(&texts, APPROVERS).len(), APPROVERS / 20);
        assert_eq!(first(&texts[..3], APPROVERS), &texts[..3]);
        assert!(first(&["a".repeat(2000)], APPROVERS).is_empty());
    }
}
