//! Taking values out of JSON of which perhaps only the beginning is known.
//!
//! A member is named in three ways, and taken out in each: by its own name, by its name in JSON that is
//! the text of a string, and by another member of the same object, beside which it is called `value`.

mod reader;
mod rules;

use reader::Reader;
use rules::Rules;

/// What is taken out of a JSON text: members by name, wherever they are and without regard to case,
/// or values by JSON pointer (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction(Rules);

impl Redaction {
    /// Reads rules: one that begins with a slash is a pointer, any other a name.
    ///
    /// # Errors
    /// What is wrong with the first rule that is none.
    pub fn parse(rules: impl IntoIterator<Item = String>) -> Result<Redaction, String> {
        Rules::parse(rules).map(Redaction)
    }

    /// Whether nothing is taken out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without white space, and without the values that are to be taken out. `None` if it
    /// is not the text, or, if it is `truncated`, the beginning of the text, of one JSON value.
    #[must_use]
    pub fn json(&self, text: &str, truncated: bool) -> Option<String> {
        Reader::new(&self.0).read(text, truncated)
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
            "-",
            "1.2.3",
            "01",
            "-01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "1-1",
            "--1",
            "0x10",
            "[1.2.3]",
            "{\"a\":01}",
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
        for number in ["-", "1.", "1e", "1e-", "-0", "0", "12", "1.5e+10", "1e999"] {
            assert_eq!(redaction(&[]).json(number, true).as_deref(), Some(number));
        }
        for (begun, shown) in [
            (r#"["a\"#, Some(r#"["a"#)),
            (r#"["a\u00"#, Some(r#"["a"#)),
            (r#"["a\ud83d"#, Some(r#"["a"#)),
            (r#"["a\ud83d\ude0"#, Some(r#"["a"#)),
            (r#"["a\ud83d\ude00"#, Some(r#"["a\ud83d\ude00"#)),
            (r#"["a\x22,\"b"#, Some(r#"["a"#)),
            (r#"["a\x22,\"b, and so on"#, None),
            (r#"["a\ud83dx, and so on"#, None),
        ] {
            assert_eq!(redaction(&[]).json(begun, true).as_deref(), shown, "{begun}");
        }
    }

    #[test]
    fn a_value_is_taken_out_where_another_member_names_it() {
        let rules = redaction(&["password", "/card/number", "x.y"]);
        for hushed in [
            r#"{"op":"replace","path":"/data/password","value":"hush"}"#,
            r#"{"value":"hush","op":"replace","path":"/data/password"}"#,
            r#"[{"op":"add","path":"/users/-","value":1},{"op":"add","path":"/Password/0","value":["hush"]}]"#,
            r#"{"op":"test","path":"/card/number","value":"hush"}"#,
            r#"{"op":"add","path":"/card","value":{"number":"hush"}}"#,
            r#"{"op":"add","path":"/card/number/0","value":"hush"}"#,
            r#"{"op":"replace","path":"","value":{"card":{"number":"hush"}}}"#,
            r#"{"op":"add","path":"/spec/p~0/x~1password","value":"hush"}"#,
            r#"{"op":"add","path":"/not~a~pointer","value":"hush"}"#,
            r#"{"Operations":[{"op":"replace","path":"password","value":"hush"}]}"#,
            r#"{"op":"replace","path":"login[type eq \"password\"].secret","value":"hush"}"#,
            r#"{"env":[{"name":"PASSWORD","value":"hush"}]}"#,
            r#"{"Key":"Password","Value":"hush"}"#,
            r#"{"name":"x.y","values":[{"a":["hush"]}]}"#,
            r#"{"value":"hush","value":"hush","name":"p\u0061ssword"}"#,
            r#"{"value":{"value":"hush","name":"password"},"name":"x"}"#,
        ] {
            let shown = rules.json(hushed, false).unwrap();
            assert!(shown.contains("[redacted]") && !shown.contains("hush"), "{hushed} -> {shown}");
            serde_json::from_str::<serde_json::Value>(&shown).unwrap();
            for begun in (0..hushed.len()).filter_map(|end| hushed.get(..end)) {
                let shown = rules.json(begun, true).unwrap_or_default();
                assert!(!shown.contains("hus"), "{begun} -> {shown}");
            }
        }
        for open in [
            r#"{"op":"replace","path":"/data/city","value":"Ulm"}"#,
            r#"{"value":1,"unit":"s","nested":{"value":null,"ok":true}}"#,
            r#"{"path":"","value":"Ulm"}"#,
        ] {
            assert_eq!(redaction(&["password"]).json(open, false).as_deref(), Some(open));
        }
        assert!(redaction(&[]).json(r#"{"value":1,"unit"#, true).unwrap().contains("1"));
    }

    #[test]
    fn json_in_a_string_is_redacted_like_the_rest() {
        let rules = redaction(&["password", "/note/card/number"]);
        let applied = |inner: &str| serde_json::json!({"note": inner, "n": 1}).to_string();
        for inner in [
            r#"{"password":"hush","a":"b"}"#,
            r#" [{"x":{"Password":["hush"]}}]"#,
            r#"[{"op":"add","path":"/password","value":"hush"}]"#,
            "\u{feff}{\"password\":\"hush\"}",
            "\u{a0}{\"password\":\"hush\"}",
            // No strict JSON: whatever reads it may see what this does not.
            r#"{'password':'hush'}"#,
            r#"{"password":"hush""#,
            r#"{"password":"hush"} {"#,
        ] {
            let mut whole = applied(inner);
            // As often as it is wrapped.
            for _ in 0..4 {
                let shown = rules.json(&whole, false).unwrap();
                assert!(!shown.contains("hush"), "{whole} -> {shown}");
                assert!(shown.contains("[redacted]"), "{whole} -> {shown}");
                serde_json::from_str::<serde_json::Value>(&shown).unwrap();
                for end in 0..whole.len() {
                    let Some(begun) = whole.get(..end) else { continue };
                    let shown = rules.json(begun, true).unwrap_or_default();
                    assert!(!shown.contains("hus"), "{begun} -> {shown}");
                }
                whole = applied(&whole);
            }
        }
        let shown = rules.json(&applied(r#"{"password":"hush","a":"b"}"#), false).unwrap();
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["note"], r#"{"password":"[redacted]","a":"b"}"#);
        let pointed = rules.json(&applied(r#"{"card":{"number":"hush"}}"#), false).unwrap();
        assert_eq!(pointed, r#"{"n":1,"note":"{\"card\":{\"number\":\"[redacted]\"}}"}"#);
        let plain = r#"{"note":"say {password}","n":"1"}"#;
        assert_eq!(rules.json(plain, false).as_deref(), Some(plain));
        let open = applied("{'a': 1}");
        assert_eq!(redaction(&[]).json(&open, false).unwrap(), open.replace(": {", ":{"));
    }

    #[test]
    fn a_pointer_that_is_none_is_an_error() {
        for rule in ["/a~b", "/a~", "/~2"] {
            assert!(Redaction::parse([rule.to_owned()]).is_err(), "{rule}");
        }
    }
}
