//! kubectl reads YAML 1.1, where `y`, `no`, `on` and the like are booleans: a key `y` that is not quoted reaches the API
//! server as `true`. So all YAML that is shown or shipped quotes these words, what stands in its comments included.

use breakglass_tests::manifests::files;

use super::blocks::all;
use super::read;

/// What YAML 1.1 reads as a boolean and YAML 1.2 as a text.
const WORDS: [&str; 16] = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off",
    "OFF",
];

/// The line with everything in quotes taken out.
fn unquoted(line: &str) -> String {
    let (mut text, mut quote, mut before) = (String::new(), None, ' ');
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            // An apostrophe in a word opens nothing.
            None if (c == '\'' || c == '"') && !before.is_alphanumeric() => {
                quote = Some(c);
                text.push('_');
            }
            None => text.push(c),
        }
        before = c;
    }
    text
}

/// The words of a line that are keys or values and would be booleans.
fn booleans(line: &str) -> Vec<String> {
    let line = unquoted(line);
    // Prose is no YAML; what stands in braces in a comment is meant to be taken.
    let (code, comment) = match line.find(" #").or(line.trim_start().starts_with('#').then_some(0))
    {
        Some(at) => line.split_at(at),
        None => (line.as_str(), ""),
    };
    let shown = comment.find('{').zip(comment.rfind('}'));
    let shown = shown.and_then(|(from, to)| comment.get(from..=to)).unwrap_or("");
    let mut found = Vec::new();
    for text in [code, shown] {
        let mut text = text.trim();
        while let Some(item) = text.strip_prefix("- ") {
            text = item.trim_start();
        }
        for part in text.split(['{', '}', ',', '[', ']']) {
            let (key, value) = match part.trim().split_once(": ") {
                Some((key, value)) => (key, value),
                None => (part.trim().trim_end_matches(':'), ""),
            };
            let is_alone = part.trim() == key && !text.contains(['[', '{']) && !text.ends_with(':');
            let words = [key, value].map(str::trim);
            let named = words.into_iter().filter(|word| WORDS.contains(word));
            // A word alone on a line is a line of text, unless it is an item of a list.
            found.extend(named.filter(|_| !is_alone).map(str::to_owned));
        }
    }
    found
}

#[test]
fn what_yaml_1_1_reads_as_a_boolean_is_found() {
    for line in [
        "y: AQAB",
        "  y:",
        "keys: [{kty: EC, x: .., y: ..}]",
        "# inline: {keys: [{kty: EC, crv: P-256, kid: .., x: .., y: ..}]}",
        "- no: 1",
        "mode: off",
        "- {mode: On}",
        "modes: [yes]",
        "a: 'b' # {n: 1}",
    ] {
        assert_eq!(booleans(line).len(), 1, "{line}");
    }
    for line in [
        r#"keys: [{kty: EC, x: .., "y": ..}]"#,
        r#"mode: "off""#,
        "# no: it does not",
        "yes_or_no: maybe",
        "a: on the way",
        "don't: 'y: 1'",
    ] {
        assert_eq!(booleans(line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn all_yaml_quotes_the_words_that_yaml_1_1_reads_as_booleans() {
    let (mut lines, mut found) = (0, Vec::new());
    let mut judge = |place: String, text: &str| {
        for line in text.lines() {
            lines += 1;
            found.extend(
                booleans(line).into_iter().map(|word| format!("{place}: `{word}` in {line}")),
            );
        }
    };
    for file in files("envoy") {
        judge(file.display().to_string(), &read(&file));
    }
    for block in all().iter().filter(|block| block.mark.starts_with("yaml")) {
        judge(block.document.display().to_string(), &block.text);
    }
    assert_eq!(found, Vec::<String>::new());
    assert!(lines > 2000, "{lines} lines");
}
