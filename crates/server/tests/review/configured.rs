//! `review` of an approval rule: what is read, and what a change of it does to rights.

use breakglass_server::config::{Config, OnOverdue};
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::{Difference, Effect};
use breakglass_testing::service::config;
use tempfile::TempDir;

use crate::common::RULE;

/// The configuration of this folder with this rule.
fn text(directory: &TempDir, rule: &str) -> String {
    format!("{}\n{rule}", config(directory))
}

#[test]
fn its_time_is_bounded_and_its_consequence_is_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let read = |review: &str| {
        let rule = RULE.replace("{ within = \"3days\" }", review);
        Config::parse(&text(&directory, &rule))
            .map(|config| config.approval_rules[0].review.clone().unwrap())
    };
    for (review, within, overdue) in [
        ("{ within = \"1h\" }", 3600, OnOverdue::Tells),
        ("{ within = \"90days\", overdue = \"tells\" }", 90 * 86_400, OnOverdue::Tells),
        ("{ within = \"3d\", overdue = \"needs_approval\" }", 3 * 86_400, OnOverdue::NeedsApproval),
    ] {
        let read = read(review).unwrap();
        assert_eq!((read.within, read.overdue), (within, overdue), "{review}");
    }
    for (review, error) in [
        ("{}", "approval_rules[0].review.within: is required"),
        (
            "{ within = \"59m\" }",
            "approval_rules[0].review.within: expected 1h to 90days, got `59m`",
        ),
        (
            "{ within = \"91days\" }",
            "approval_rules[0].review.within: expected 1h to 90days, got `91days`",
        ),
        ("{ within = \"soon\" }", "approval_rules[0].review.within: expected a duration"),
        (
            "{ within = \"1h\", overdue = \"blocks\" }",
            "approval_rules[0].review.overdue: expected \"tells\" or \"needs_approval\"",
        ),
        ("{ within = \"1h\", by = \"x\" }", "approval_rules[0].review.by: unknown field"),
        ("true", "approval_rules[0].review: expected"),
    ] {
        let got = read(review).unwrap_err().to_string();
        assert!(got.contains(error), "{review}: {got}");
    }
}

#[test]
fn what_watches_less_grants() {
    let directory = tempfile::tempdir().unwrap();
    let rule = |review: &str| {
        let review = match review {
            "" => String::new(),
            review => format!("review = {review}\n"),
        };
        Config::parse(&text(
            &directory,
            &RULE.replace("review = { within = \"3days\" }\n", &review),
        ))
        .unwrap()
    };
    let tells = "{ within = \"3days\" }";
    let holds = "{ within = \"3days\", overdue = \"needs_approval\" }";
    for (old, new, effect, words) in [
        ("", tells, Effect::TakesAway, "orders asks for a review of used grants within 3days"),
        (tells, "", Effect::Grants, "orders asks for no review of used grants any more"),
        (
            tells,
            "{ within = \"1day\" }",
            Effect::TakesAway,
            "orders asks for a review within 1day, before 3days",
        ),
        (
            tells,
            "{ within = \"7days\" }",
            Effect::Grants,
            "orders asks for a review within 7days, before 3days",
        ),
        (
            tells,
            holds,
            Effect::TakesAway,
            "orders lets emergencies wait for an approval while a review is overdue",
        ),
        (holds, tells, Effect::Grants, "orders lets no emergency wait while a review is overdue"),
    ] {
        let (old_config, new_config, none) = (rule(old), rule(new), Definitions::default());
        let found = Difference::between((&old_config, &none), (&new_config, &none)).changes;
        let all: Vec<(Effect, String)> =
            found.iter().map(|change| (change.effect(), change.to_string())).collect();
        assert_eq!(all, [(effect, words.to_owned())], "{old} -> {new}");
    }
}

/// The example of docs/review.md, as an addition to that of docs/approval-service.md.
#[test]
fn the_example_is_read() {
    let block = |text: &str, mark: &str| {
        let begins = format!("```{mark}\n");
        let rest = text.split(&begins).nth(1).unwrap().to_owned();
        rest.split("```").next().unwrap().to_owned()
    };
    let whole = block(include_str!("../../../../docs/approval-service.md"), "toml service");
    let part = block(include_str!("../../../../docs/review.md"), "toml service part");
    let config = Config::parse(&format!("{whole}\n{part}")).unwrap();
    let review = config.approval_rules[0].review.as_ref().unwrap();
    assert_eq!((review.within, review.overdue), (3 * 86_400, OnOverdue::NeedsApproval));
}
