//! The session in the README is one: what is shown there is what `scripts/demo` prints.

use std::process::Command;

use breakglass_tests::artefacts::root;

use super::blocks::block;

/// Whether a line is the shown one, in which `...` stands for whatever differs or is left out.
fn is_shown(line: &str, shown: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What is shown and not found in what was printed, after what was found before it.
fn missing<'s>(shown: &'s str, printed: &str) -> Option<&'s str> {
    let mut printed = printed.lines().map(str::trim_start);
    let shown = shown.lines().map(str::trim_start).filter(|line| !line.is_empty());
    let mut lines = shown.filter(|line| *line != "...");
    lines.find(|shown| !printed.any(|line| is_shown(line, shown)))
}

#[test]
fn what_is_not_printed_is_missed() {
    let printed = "  $ curl http://127.0.0.1:1/x\n  403 no\n\n2. Then\n  200 {\"a\": 1}\n";
    for shown in ["$ curl http://.../x\n403 no", "403 ...\n...\n2. Then\n200 {\"a\": ...}"] {
        assert_eq!(missing(shown, printed), None, "{shown}");
    }
    for (shown, missed) in [
        ("200 {\"a\": ...}\n403 no", "403 no"),
        ("403 nobody", "403 nobody"),
        ("$ curl http://.../xy", "$ curl http://.../xy"),
        ("03 no", "03 no"),
    ] {
        assert_eq!(missing(shown, printed), Some(missed));
    }
}

#[test]
fn the_session_in_the_readme_is_what_the_demonstration_prints() {
    assert!(block("README.md", "sh demo").text.starts_with("scripts/demo "));
    let shown = block("README.md", "console demo").text;
    let ran = Command::new(root().join("scripts/demo")).arg("--built").output().unwrap();
    let printed = String::from_utf8(ran.stdout).unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{printed}\n{said}");
    assert_eq!(missing(&shown, &printed), None, "is shown, and not printed:\n{printed}");
    assert!(shown.lines().count() > 15, "{shown}");
}
