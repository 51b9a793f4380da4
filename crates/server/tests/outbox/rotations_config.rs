//! What is wrong with the hooks of a configuration, and what is valid and never called.

use breakglass_server::config::Config;
use breakglass_testing::receiver::Receiver;

use super::rotations::{hook, with_hooks};

/// Everything that is wrong with this configuration.
fn errors(hooks: &str, scopes: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    Config::parse(&with_hooks(&directory, hooks, scopes)).unwrap_err().to_string()
}

fn entry(url: &str, more: &str) -> String {
    format!("[[rotations]]\nname = \"h\"\nurl = \"{url}\"\nsecret_file = \"/x\"\n{more}\n")
}

#[test]
fn each_mistake_is_told_with_its_field() {
    let good = entry("https://rotator.internal/", "");
    for (hooks, scopes, expected) in [
        (
            good.clone(),
            &[("orders:read", "other")][..],
            "scopes[0].rotation: expected the name of an entry of `rotations`, got `other`",
        ),
        (
            format!("{good}{good}"),
            &[("orders:read", "h")],
            "rotations[1].name: `h` is also the name of another hook",
        ),
        (
            entry("http://rotator.internal/", ""),
            &[("orders:read", "h")],
            "rotations[0].url: expected `https://..`: other machines are on the way",
        ),
        (
            entry("https://user:secret@rotator.internal/", ""),
            &[("orders:read", "h")],
            "rotations[0].url: expected `https://..`, without user name",
        ),
        (
            entry("https://rotator.internal/", "retry_for = \"25h\""),
            &[("orders:read", "h")],
            "rotations[0].retry_for: ",
        ),
        (
            entry("https://rotator.internal/", "insecure = true"),
            &[("orders:read", "h")],
            "rotations[0].insecure: unknown field",
        ),
        (
            "[[rotations]]\nname = \"h\"\n".to_owned(),
            &[("orders:read", "h")],
            "rotations[0].secret_file: is required",
        ),
    ] {
        let found = errors(&hooks, scopes);
        assert!(found.contains(expected), "{expected}: {found}");
        assert!(!found.contains("secret@"), "{found}");
    }
}

#[test]
fn a_hook_that_no_scope_names_is_a_warning() {
    let receiver = Receiver::start();
    let directory = tempfile::tempdir().unwrap();
    let hooks = format!("{}{}", hook("used", &receiver, ""), hook("idle", &receiver, ""));
    let text = with_hooks(&directory, &hooks, &[("orders:read", "used")]);
    let warnings = Config::parse(&text).unwrap().warnings();
    let of_hooks: Vec<&String> =
        warnings.iter().filter(|warning| warning.starts_with("rotations[")).collect();
    assert_eq!(of_hooks.len(), 1, "{warnings:?}");
    assert!(of_hooks[0].starts_with("rotations[1] (`idle`): no scope names it"), "{warnings:?}");
}
