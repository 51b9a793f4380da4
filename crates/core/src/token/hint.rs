//! What is wrong with what was sent as a token, where it is a mistake that people make.
//!
//! Said before anything is verified, so it speaks of the form alone, and repeats nothing of what was sent.

/// What to do about a text that is no token; `None` where nobody can say.
pub(crate) fn hint(text: &[u8]) -> Option<&'static str> {
    let trimmed = text.trim_ascii();
    let begins = |word: &str| {
        trimmed.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
            && trimmed.get(word.len()).is_none_or(u8::is_ascii_whitespace)
    };
    let is_quote = |byte: Option<&u8>| byte.is_some_and(|byte| b"\"'`".contains(byte));
    let has = |wanted: fn(&u8) -> bool| trimmed.iter().any(wanted);
    Some(if trimmed.is_empty() {
        "the header for the token is empty: was the variable set that should hold it?"
    } else if ["bearer", "token", "breakglass", "jwt"].into_iter().any(begins) {
        "this header takes the token alone: send it without the word in front of it"
    } else if is_quote(trimmed.first()) || is_quote(trimmed.last()) {
        "the token stands in quotes: send it without them"
    } else if has(|byte| b"$<>".contains(byte)) {
        "this is a placeholder, or a variable that the shell did not replace (in single quotes it does not): send \
         the token itself"
    } else if trimmed.starts_with(b"{") {
        "this is JSON: send the token in it alone"
    } else if has(u8::is_ascii_whitespace) {
        "there is white space in the token: was it copied with a line break?"
    } else if trimmed.iter().filter(|byte| **byte == b'.').count() != 2 {
        "a token has three parts with dots between them: was it copied whole?"
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::test;

    #[test]
    fn mistakes_that_people_make_are_named() {
        for (sent, named) in [
            ("", "empty"),
            ("  ", "empty"),
            ("Bearer eyJ.eyJ.sig", "without the word"),
            ("bearer", "without the word"),
            ("Token\teyJ.eyJ.sig", "without the word"),
            ("\"eyJ.eyJ.sig\"", "quotes"),
            ("'eyJ.eyJ.sig", "quotes"),
            ("$TOKEN", "variable"),
            ("${TOKEN}", "variable"),
            ("<token>", "placeholder"),
            ("{\"token\":\"eyJ.eyJ.sig\"}", "JSON"),
            ("eyJ.eyJ .sig", "white space"),
            ("eyJ.eyJ", "copied whole"),
            ("eyJ.eyJ.sig.more.parts", "copied whole"),
            ("tokenised", "copied whole"),
        ] {
            assert!(hint(sent.as_bytes()).is_some_and(|hint| hint.contains(named)), "{sent}");
        }
        assert_eq!(hint(b"eyJ.eyJ.sig"), None);
        assert_eq!(hint(b"\xff.\xff.\xff"), None);
    }
}
