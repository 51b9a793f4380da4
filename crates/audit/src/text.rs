//! What a person may be shown.

/// The one decision on what a person may be shown: not what steers the terminal or turns the text,
/// and not what cannot be seen, because it makes two texts look the same that are not. Every output
/// replaces or escapes it.
#[must_use]
pub fn misleads(character: char) -> bool {
    steers(character) || is_invisible(character)
}

/// Control characters (terminal sequences, line breaks), and those that turn the direction of the
/// text: no text that is sent may have them.
#[must_use]
pub fn steers(character: char) -> bool {
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
