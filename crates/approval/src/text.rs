//! Bounds on what people type: what is accepted here can be minted, and read by the filter.

use breakglass_types::limits::{MAX_NAME_BYTES, MAX_TEXT_BYTES};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// Why a text is not accepted, in words that follow the field's name.
pub type Invalid = String;

/// A name: person, group, audience, incident.
///
/// # Errors
/// Says what is expected instead.
pub fn name(text: &str) -> Result<(), Invalid> {
    line(text, MAX_NAME_BYTES)
}

/// A name in the configuration: a [`name`] whose characters can all be seen.
///
/// # Errors
/// Says what is expected instead.
pub fn configured_name(text: &str) -> Result<(), Invalid> {
    name(text)?;
    match text.chars().find(|character| misleads(*character)) {
        Some(hidden) => {
            Err(format!("expected characters that can be seen, got U+{:04X}", u32::from(hidden)))
        }
        None => Ok(()),
    }
}

/// An incident: visible ASCII without blanks, so that it has one spelling.
///
/// # Errors
/// Says what is expected instead.
pub fn incident(text: &str) -> Result<(), Invalid> {
    name(text)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "expected visible ASCII characters without blanks, such as `INC-4711`".to_owned()
        );
    }
    Ok(())
}

/// A scope's name: a [`configured_name`] without white space, because a token lists scopes in one string
/// with spaces between them.
///
/// # Errors
/// Says what is expected instead.
pub fn scope(text: &str) -> Result<(), Invalid> {
    configured_name(text)?;
    if text.chars().any(char::is_whitespace) {
        return Err("expected a name without white space".to_owned());
    }
    Ok(())
}

/// What a scope is for, in a few words: a [`configured_name`] that may have blanks inside.
///
/// # Errors
/// Says what is expected instead.
pub fn summary(text: &str) -> Result<(), Invalid> {
    configured_name(text)?;
    if text.trim() != text {
        return Err(
            "expected a verb phrase such as `change orders`, without blanks around it".to_owned()
        );
    }
    Ok(())
}

/// A reason: one line that says something.
///
/// # Errors
/// Says what is expected instead.
pub fn reason(text: &str) -> Result<(), Invalid> {
    line(text, MAX_TEXT_BYTES)
}

fn line(text: &str, max_bytes: usize) -> Result<(), Invalid> {
    if !text.chars().any(says_something) {
        return Err("expected a text that is not empty and can be seen".to_owned());
    }
    if text.len() > max_bytes {
        return Err(format!("expected at most {max_bytes} bytes, got {}", text.len()));
    }
    if text.chars().any(steers) {
        return Err("expected one line without control or text-direction characters".to_owned());
    }
    Ok(())
}

/// Whether a person sees something there: a letter, a digit, a sign. A combining mark alone is not
/// seen for sure.
fn says_something(character: char) -> bool {
    use GeneralCategoryGroup::{Letter, Number, Punctuation, Symbol};
    !misleads(character)
        && matches!(character.general_category_group(), Letter | Number | Punctuation | Symbol)
}

/// The one decision on what a person may be shown: not what steers the terminal or turns the text,
/// and not what cannot be seen, because it makes two texts look the same that are not. Every output
/// replaces or escapes it.
#[must_use]
pub fn misleads(character: char) -> bool {
    steers(character) || is_invisible(character)
}

/// Control characters (terminal sequences, line breaks), and those that turn the direction of the
/// text: no text that is sent may have them.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Characters that cannot be seen: Unicode's `Default_Ignorable_Code_Point`, and what fonts leave blank.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The same JSON in characters that do nothing to a terminal, and hide nothing from a reader: in its
/// strings, others are escaped. Its value stays the same.
#[must_use]
pub fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for character in json.chars() {
        // JSON has no control characters below U+0020 in its strings; between its tokens they are
        // white space.
        if character >= ' ' && misleads(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                harmless.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            harmless.push(character);
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_a_text_up_to_its_bound() {
        assert_eq!(name(&"n".repeat(MAX_NAME_BYTES)), Ok(()));
        assert_eq!(reason(&"é".repeat(MAX_TEXT_BYTES / 2)), Ok(()));
        assert_eq!(scope("orders:read"), Ok(()));
    }

    #[test]
    fn refuses_a_text_that_is_too_long_empty_or_misleading() {
        assert!(name(&"n".repeat(MAX_NAME_BYTES + 1)).unwrap_err().contains("at most 256 bytes"));
        assert!(reason(&"r".repeat(MAX_TEXT_BYTES + 1)).unwrap_err().contains("at most 1024"));
        for text in ["", "  ", "a\nb", "a\u{1b}[2J", "a\u{202e}b", "a\u{2028}b", "\u{7f}"] {
            assert!(reason(text).is_err(), "{text:?}");
        }
        let unseen =
            ["\u{200b}", "\u{ad}\u{200d}", "\u{2800}", "\u{3164}\u{a0}", "\u{301}", "\u{fe0f}"];
        for text in unseen.iter().chain(&["\u{e0041}", "\u{3000}", "\u{1d159}"]) {
            assert!(reason(text).is_err() && name(text).is_err(), "{text:?}");
        }
        assert_eq!(reason("\u{26a0}\u{fe0f} caf\u{65}\u{301}"), Ok(()));
        assert!(configured_name("al\u{200b}ice").unwrap_err().contains("U+200B"));
        for text in ["INC 7", "INC-7\u{200b}", "\u{406}NC-7", " INC-7", ""] {
            assert!(incident(text).is_err(), "{text:?}");
        }
        for text in ["orders read", "orders\u{a0}read", ""] {
            assert!(scope(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn harmless_json_has_the_same_value_and_no_character_that_misleads() {
        let text = "a\u{1b}\u{7f}\u{85}\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}é😀\n\"\\";
        let value = serde_json::json!({ text: [text, 1] });
        for json in [value.to_string(), format!("{value:#}\n")] {
            let harmless = harmless_json(&json);
            let shown = |c: char| c == '\n' || !misleads(c);
            assert!(harmless.chars().all(shown), "{harmless}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).unwrap(), value);
        }
        assert_eq!(harmless_json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
        let plain = "{\"a\": [1, \"é😀\"]}\n";
        assert_eq!(harmless_json(plain), plain);
    }
}
