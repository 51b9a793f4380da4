//! Approval rules in the configuration: what is read, what is wrong with them, and what cannot be met.

use breakglass_server::config::{Config, InvalidConfig};

use breakglass_testing::service::config;
use breakglass_testing::sessions::config_with_providers;

const RULE: &str = r#"
[[approval_rules]]
name = "payments-long"
scopes = ["orders:write", "orders:read"]
need = [{ from = ["commanders"] }, { from = ["dbas", "loners"], count = 2 }]
in_order = true
escalate = [{ after = "5m", to = ["loners"] }, { after = "10m", to = ["auditors", "dbas"], between = { hours = "09:00-17:00", zone = "UTC" } }]
when = { duration_over = "1h", emergency = true, requester_in = ["oncall"], between = { days = ["sat", "sun"], hours = "18:00-08:00", zone = "Europe/Berlin" } }
"#;

fn with(text: &str) -> String {
    format!("{}{text}", config(&tempfile::tempdir().unwrap()))
}

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(InvalidConfig::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

/// The warnings of rules, and of scopes but for the one that always has one.
fn warnings(text: &str) -> Vec<String> {
    let warnings = Config::parse(text).unwrap().warnings().into_iter();
    let of_rules = warnings.filter(|one| one.contains("rules[") || one.contains("scopes["));
    of_rules.filter(|one| !one.starts_with("scopes[4] (`lonely`)")).collect()
}

#[test]
fn a_rule_is_read() {
    let config = Config::parse(&with(RULE)).unwrap();
    let [rule] = config.approval_rules.as_slice() else { panic!("{:?}", config.approval_rules) };
    assert_eq!(rule.name, "payments-long");
    assert_eq!(rule.scopes, ["orders:write", "orders:read"]);
    let stages: Vec<(&[String], usize)> =
        rule.need.iter().map(|stage| (stage.from.as_slice(), stage.count)).collect();
    let [commanders, others] = [vec!["commanders"], vec!["dbas", "loners"]]
        .map(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(stages, [(commanders.as_slice(), 1), (others.as_slice(), 2)]);
    let escalated: Vec<(i64, usize, bool)> = rule
        .escalate
        .iter()
        .map(|entry| (entry.after, entry.to.len(), entry.between.is_some()))
        .collect();
    assert_eq!(escalated, [(300, 1, false), (600, 2, true)]);
    let when = rule.when.as_ref().unwrap();
    assert!(rule.in_order && when.emergency && when.between.is_some());
    assert_eq!(
        (when.duration_over, when.requester_in.as_slice()),
        (Some(3600), &["oncall".to_owned()][..])
    );
    let plain = "[[approval_rules]]\nname = \"r\"\nscopes = [\"db:admin\"]\nneed = [{ from = [\"dbas\"] }]\n";
    let config = Config::parse(&with(plain)).unwrap();
    let rule = &config.approval_rules[0];
    assert!(!rule.in_order && rule.when.is_none() && rule.need[0].count == 1);
}

/// Each mistake: what is replaced in the rule, by what, and the error.
#[test]
fn what_is_wrong_with_a_rule_says_its_field() {
    let nine = format!("need = [{}]\nx", ["{ from = [\"dbas\"] }"; 9].join(", "));
    let table: &[(&str, &str, &str)] = &[
        ("name = \"payments-long\"", "", "approval_rules[0].name: is required"),
        (
            "[\"orders:write\", \"orders:read\"]",
            "[]",
            "approval_rules[0].scopes: an empty list never means all",
        ),
        ("\"orders:read\"]", "\"orders:write\"]", "approval_rules[0].scopes[1]: named twice"),
        (
            "\"orders:read\"]",
            "\"orders:raed\"]",
            "approval_rules[0].scopes[1]: expected the name of an entry of `scopes`, got `orders:raed`",
        ),
        (
            "need = [{ from = [\"commanders\"] }, { from = [\"dbas\", \"loners\"], count = 2 }]",
            "need = []",
            "approval_rules[0].need: an empty list never means all",
        ),
        ("need = [", &nine, "approval_rules[0].need: expected at most 8 stages, got 9"),
        (
            "from = [\"commanders\"]",
            "from = []",
            "approval_rules[0].need[0].from: an empty list never means all",
        ),
        ("{ from = [\"commanders\"] }", "{}", "approval_rules[0].need[0].from: is required"),
        (
            "[\"dbas\", \"loners\"]",
            "[\"dbas\", \"dbas\"]",
            "approval_rules[0].need[1].from[1]: named twice",
        ),
        (
            "count = 2",
            "count = 0",
            "approval_rules[0].need[1].count: expected a whole number from 1 to 10",
        ),
        (
            "count = 2",
            "count = 11",
            "approval_rules[0].need[1].count: expected a whole number from 1 to 10",
        ),
        ("after = \"5m\", ", "", "approval_rules[0].escalate[0].after: is required"),
        (
            "\"5m\"",
            "\"10m\"",
            "approval_rules[0].escalate[1].after: expected more than the entry before it has",
        ),
        (
            "to = [\"loners\"]",
            "to = []",
            "approval_rules[0].escalate[0].to: an empty list never means all",
        ),
        ("\"auditors\", ", "\"dbas\", ", "approval_rules[0].escalate[1].to[1]: named twice"),
        ("in_order = true", "in_order = 1", "approval_rules[0].in_order: expected true or false"),
        ("in_order", "inorder", "approval_rules[0].inorder: unknown field"),
        (
            "emergency = true",
            "emergency = false",
            "approval_rules[0].when.emergency: expected `true`: a condition can add a rule to emergencies and take none from them",
        ),
        ("\"1h\"", "\"2days\"", "approval_rules[0].when.duration_over: expected at most"),
        (
            "requester_in = [\"oncall\"]",
            "requester_in = []",
            "approval_rules[0].when.requester_in: an empty list never means all",
        ),
        (
            "Europe/Berlin",
            "Europe/Bern",
            "approval_rules[0].when.between.zone: expected a time zone by its IANA name",
        ),
        (
            "18:00-08:00",
            "18:00-18:00",
            "approval_rules[0].when.between.hours: expected two different times",
        ),
        (
            "emergency = true",
            "incident_state = \"open\"",
            "approval_rules[0].when.incident_state: unknown field",
        ),
    ];
    for (from, to, error) in table {
        assert!(RULE.contains(from), "{from}");
        let mut rule = RULE.replacen(from, to, 1);
        if to.ends_with('x') {
            // The rest of what was replaced is in a field that is not there.
            rule = rule.replacen(
                "]\nx{ from = [\"commanders\"] }, { from = [\"dbas\", \"loners\"], count = 2 }]",
                "]",
                1,
            );
        }
        let found = errors(&with(&rule));
        assert!(found.len() == 1 && found[0].starts_with(error), "{from} -> {to}: {found:#?}");
    }
    let when = RULE.lines().find(|line| line.starts_with("when")).unwrap();
    let found = errors(&with(&RULE.replacen(when, "when = {}", 1)));
    assert!(
        found[0].starts_with("approval_rules[0].when: expected `duration_over`, `emergency`"),
        "{found:?}"
    );
}

#[test]
fn names_of_rules_are_given_once_in_any_spelling() {
    let twice = format!("{RULE}{RULE}");
    let same = "approval_rules[1].name: `payments-long` is also the name of approval_rules[0]";
    assert_eq!(errors(&with(&twice)), [same]);
    let alike = format!("{RULE}{}", RULE.replacen("payments-long", "Payments-Long", 1));
    let found = errors(&with(&alike));
    assert!(
        found.len() == 1
            && found[0].starts_with("approval_rules[1].name: `Payments-Long` looks like"),
        "{found:?}"
    );
}

#[test]
fn a_scope_without_approvers_has_a_rule_without_conditions() {
    let scope = "[[scopes]]\nname = \"vault\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\nmax_duration = \"1h\"\n";
    let required = "scopes[5].approvers: is required, unless an entry of `approval_rules` without `when` names the scope";
    let found = errors(&with(scope));
    assert!(found.len() == 1 && found[0].starts_with(required), "{found:?}");
    let rule =
        "[[approval_rules]]\nname = \"r\"\nscopes = [\"vault\"]\nneed = [{ from = [\"dbas\"] }]\n";
    let found = errors(&with(&format!("{scope}{rule}when = {{ emergency = true }}\n")));
    assert!(found.len() == 1 && found[0].starts_with(required), "{found:?}");
    let config = Config::parse(&with(&format!("{scope}{rule}"))).unwrap();
    assert!(config.scope("vault").unwrap().approvers.is_empty());
    let empty = scope.replacen("max_duration", "approvers = []\nmax_duration", 1);
    let found = errors(&with(&format!("{empty}{rule}")));
    assert!(
        found[0].starts_with("scopes[5].approvers: an empty list never means all"),
        "{found:?}"
    );
}

/// The people of `dbas` are dave and frank, those of `commanders` bob, carol and frank; alice and bob may ask.
#[test]
fn warns_of_a_rule_that_the_people_who_are_listed_cannot_meet() {
    let rule = |need: &str, when: &str| {
        with(&format!(
            "[[approval_rules]]\nname = \"r\"\nscopes = [\"orders:read\"]\nneed = {need}\n{when}\n"
        ))
    };
    let place = "approval_rules[0] (`r`): it takes";
    let ends = "and too few other people are in the groups of its stages for a request of";
    for (need, when, takes, who) in [
        (r#"[{ from = ["dbas"], count = 2 }]"#, "", "", ""),
        (r#"[{ from = ["dbas"], count = 3 }]"#, "", "3 different people", "alice, bob"),
        (r#"[{ from = ["nobody"] }]"#, "", "one person", "alice, bob"),
        // bob asks, so that carol and frank are left.
        (r#"[{ from = ["commanders"], count = 3 }]"#, "", "3 different people", "bob"),
        // frank cannot stand in both.
        (
            r#"[{ from = ["dbas"], count = 2 }, { from = ["commanders"], count = 2 }]"#,
            "",
            "4 different people",
            "bob",
        ),
        (r#"[{ from = ["dbas"], count = 2 }, { from = ["commanders"] }]"#, "", "", ""),
        // It is for requesters of a group in which no one is for whom it cannot be met.
        (
            r#"[{ from = ["commanders"], count = 3 }]"#,
            "when = { requester_in = [\"loners\"] }",
            "",
            "",
        ),
        (
            r#"[{ from = ["commanders"], count = 3 }]"#,
            "when = { emergency = true }",
            "3 different people",
            "bob",
        ),
    ] {
        let found = warnings(&rule(need, when));
        match takes {
            "" => assert!(found.is_empty(), "{need}: {found:?}"),
            _ => assert_eq!(found, [format!("{place} {takes}, {ends} {who}")], "{need}"),
        }
    }
    let twice =
        RULE.replacen("\"loners\"", "\"L0ners\"", 1).replacen("[\"oncall\"]", "[\"Oncall\"]", 1);
    let found = Config::parse(&with(&twice)).unwrap().warnings();
    let alike = |one: &&String| {
        one.starts_with("the groups `")
            && one.ends_with("look alike, and are compared byte for byte")
    };
    assert_eq!(found.iter().filter(alike).count(), 2, "{found:?}");
}

/// Where people sign in, those who are listed count by their tokens alone.
#[test]
fn warns_of_a_rule_that_no_person_can_come_to_meet() {
    let directory = tempfile::tempdir().unwrap();
    let rule = "[[approval_rules]]\nname = \"r\"\nscopes = [\"orders:read\"]\nneed = [{ from = [\"commanders\"], count = 2 }]\n";
    let text = format!("{}{rule}", config_with_providers(&directory, ""));
    assert_eq!(warnings(&text), [""; 0]);
    let none = text.replacen("may_approve = true\n", "", 1);
    let found: Vec<String> =
        warnings(&none).into_iter().filter(|one| one.starts_with("approval_rules")).collect();
    assert!(
        found.len() == 1
            && found[0].starts_with(
                "approval_rules[0] (`r`): it takes 2 different people: with `identity_providers`"
            ),
        "{found:?}"
    );
    let one = warnings(&none.replacen("count = 2", "count = 1", 1));
    assert!(
        !one.iter().any(|one| one.starts_with("approval_rules")),
        "carol may by her token: {one:?}"
    );
}

/// The channel of a group that a rule alone names is told of requests for the rule's scopes.
#[test]
fn groups_of_rules_are_to_be_told() {
    let rule = "[[approval_rules]]\nname = \"r\"\nscopes = [\"orders:read\"]\nneed = [{ from = [\"auditors\"] }]\n";
    let sink = |groups: &str| {
        format!(
            "[[sinks]]\nname = \"s\"\ntype = \"slack\"\nurl_file = \"/x\"\napprover_groups = [\"commanders\", \"dbas\", \"loners\"{groups}]\n"
        )
    };
    let told = |text: &str| -> Vec<String> {
        let warnings = Config::parse(&with(text)).unwrap().warnings().into_iter();
        warnings.filter(|one| one.starts_with("sinks")).collect()
    };
    assert_eq!(told(&sink("")), [""; 0]);
    let found = told(&format!("{rule}{}", sink("")));
    assert!(
        found.len() == 1 && found[0].contains("no approver in the group `auditors`"),
        "{found:?}"
    );
    assert_eq!(told(&format!("{rule}{}", sink(", \"auditors\""))), [""; 0]);
    let idle = told(&sink(", \"auditors\""));
    assert!(
        idle.len() == 1 && idle[0].contains("the group `auditors` approves no scope"),
        "{idle:?}"
    );
}

/// Each example of docs/approval-rules.md, and that of the example of a configuration, which is commented out.
#[test]
fn the_examples_are_read() {
    let whole = include_str!("../../../../docs/approval-service.md");
    let document = include_str!("../../../../docs/approval-rules.md");
    let blocks = |text: &str, mark: &str| -> Vec<String> {
        let fence = format!("```{mark}\n");
        let blocks = text.split(&fence).skip(1);
        blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
    };
    let whole = &blocks(whole, "toml service")[0];
    let parts = blocks(document, "toml service part");
    assert_eq!(parts.len(), 10);
    for part in parts {
        let config = Config::parse(&format!("{whole}\n{part}"));
        assert!(!config.unwrap().approval_rules.is_empty(), "{part}");
    }
    let example = include_str!("../../breakglass.example.toml");
    let (before, rule) = example.split_once("# [[approval_rules]]").unwrap();
    let rule = rule.replace("\n# ", "\n");
    let config = Config::parse(&format!("{before}[[approval_rules]]{rule}")).unwrap();
    assert_eq!(config.approval_rules[0].name, "orders-long");
}
