//! Bounds on what people type: what is accepted here can be minted, and read by the filter.

use breakglass_audit::text::{misleads, steers};
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

/// As an `error_description` may be (RFC 6749 section 4.1.2.1, RFC 6750 section 3): also between quotes in a header.
#[must_use]
pub fn quotable(text: &str) -> String {
    let allowed = |character| match character {
        '"' | '`' => '\'',
        ' '..='~' if character != '\\' => character,
        _ => '?',
    };
    text.chars().map(allowed).collect()
}

/// Whether a person sees something there: a letter, a digit, a sign. A combining mark alone is not
/// seen for sure.
fn says_something(character: char) -> bool {
    use GeneralCategoryGroup::{Letter, Number, Punctuation, Symbol};
    !misleads(character)
        && matches!(character.general_category_group(), Letter | Number | Punctuation | Symbol)
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
}
