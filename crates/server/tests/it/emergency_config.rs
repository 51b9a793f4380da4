//! `emergency` of approval rules in the configuration: what is read, what is wrong with it, and what is never taken alone.

use breakglass_server::config::{Config, InvalidConfig};

use crate::emergency::{RULES, config_with};
use crate::step_up::configuration;

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(InvalidConfig::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn with(rules: &str) -> String {
    config_with(&tempfile::tempdir().unwrap(), rules)
}

fn emergency(text: &str) -> String {
    with(&RULES.replace("{ sign_in = { level = \"mfa\", max_age = \"5m\" } }", text))
}

#[test]
fn it_is_read_with_its_defaults() {
    let config = Config::parse(&with(RULES)).unwrap();
    let read = config.approval_rules[0].emergency.as_ref().unwrap();
    assert_eq!((read.max_duration, read.at_most), (1800, 2));
    assert_eq!((read.sign_in.level.as_str(), read.sign_in.max_age), ("mfa", Some(300)));
    let all = "{ max_duration = \"1h\", at_most = 20, sign_in = { level = \"mfa\" } }";
    let config = Config::parse(&emergency(all)).unwrap();
    let read = config.approval_rules[0].emergency.as_ref().unwrap();
    assert_eq!((read.max_duration, read.at_most, read.sign_in.max_age), (3600, 20, None));
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let level = "sign_in = { level = \"mfa\" }";
    for (text, expected) in [
        ("{}".to_owned(), "approval_rules[0].emergency.sign_in: is required"),
        (
            format!("{{ max_duration = \"61m\", {level} }}"),
            "approval_rules[0].emergency.max_duration: expected at most 1h, got `61m`: let other people approve",
        ),
        (format!("{{ at_most = 0, {level} }}"), "approval_rules[0].emergency.at_most: expected"),
        (format!("{{ at_most = 21, {level} }}"), "approval_rules[0].emergency.at_most: expected"),
        (
            "{ sign_in = { level = \"hwk\" } }".to_owned(),
            "approval_rules[0].emergency.sign_in.level: expected a level of one of `identity_providers` (`mfa`, `pwd`), got `hwk`",
        ),
    ] {
        let found = errors(&emergency(&text));
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
    // Without a provider no person has a second factor.
    let text = with(RULES);
    let listed = text.split("[[identity_providers]]").next().unwrap();
    let found = errors(&format!("{listed}{RULES}"));
    assert!(found.iter().any(|one| one.contains("and there is none")), "{found:?}");
    // A scope that takes another level could never be used so.
    let name = "name = \"orders:write\"\n";
    let other = format!("{name}sign_in = {{ activation = {{ level = \"pwd\" }} }}\n");
    let found = errors(&with(RULES).replacen(name, &other, 1));
    assert!(
        found.len() == 1
            && found[0].contains("expected `pwd`, which the scope `orders:write` asks for"),
        "{found:?}"
    );
}

#[test]
fn what_is_never_taken_alone_is_a_warning() {
    let warnings = |text: &str| -> Vec<String> {
        let warnings = Config::parse(text).unwrap().warnings().into_iter();
        warnings.filter(|one| one.contains(".emergency (")).collect()
    };
    assert_eq!(warnings(&with(RULES)), [""; 0]);
    let always = "[[approval_rules]]\nname = \"always\"\nscopes = [\"orders:write\"]\nneed = [{ from = [\"dbas\"] }]\n";
    let at = "approval_rules[0].emergency (`orders`): `orders:write` is never taken alone: the rule `always` matches always, and has \
              no `emergency`";
    assert_eq!(warnings(&with(&format!("{RULES}{always}"))), [at]);
    let sometimes = format!("{RULES}{always}when = {{ duration_over = \"10m\" }}\n");
    assert_eq!(warnings(&with(&sometimes)), [""; 0]);
    let directory = tempfile::tempdir().unwrap();
    let found = warnings(&(configuration(&directory, &[]) + RULES));
    assert!(
        found.len() == 2
            && found[0].ends_with(
                "`orders:read` is never taken alone: its `approvers` have to approve it always"
            ),
        "{found:?}"
    );
}
