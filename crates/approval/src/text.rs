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
}
