//! Bounds on what people type: what is accepted here can be minted, and read by the filter.

use breakglass_core::claims::{MAX_NAME_BYTES, MAX_TEXT_BYTES};

/// Why a text is not accepted, in words that follow the field's name.
pub type Invalid = String;

/// A name: person, group, audience, incident.
///
/// # Errors
/// Says what is expected instead.
pub fn name(text: &str) -> Result<(), Invalid> {
    line(text, MAX_NAME_BYTES)
}

/// A scope's name: a [`name`] without white space, because a token lists scopes in one string
/// with spaces between them.
///
/// # Errors
/// Says what is expected instead.
pub fn scope(text: &str) -> Result<(), Invalid> {
    name(text)?;
    if text.chars().any(char::is_whitespace) {
        return Err("expected a name without white space".to_owned());
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
    if text.trim().is_empty() {
        return Err("expected a text that is not empty".to_owned());
    }
    if text.len() > max_bytes {
        return Err(format!("expected at most {max_bytes} bytes, got {}", text.len()));
    }
    if text.chars().any(misleads) {
        return Err("expected one line without control or text-direction characters".to_owned());
    }
    Ok(())
}

/// Characters that could show an approver something else than what is asked: control characters
/// (terminal sequences, line breaks), and those that turn the direction of the text.
#[must_use]
pub fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Characters that nobody sees: they make two texts look the same that are not.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
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
        if character >= ' ' && (misleads(character) || is_invisible(character)) {
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
            let shown = |c: char| c == '\n' || !(misleads(c) || is_invisible(c));
            assert!(harmless.chars().all(shown), "{harmless}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).unwrap(), value);
        }
        assert_eq!(harmless_json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
        let plain = "{\"a\": [1, \"é😀\"]}\n";
        assert_eq!(harmless_json(plain), plain);
    }
}
