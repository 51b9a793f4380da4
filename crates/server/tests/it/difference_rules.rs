//! What a change of approval rules grants and takes away: fewer approvals grant, more take away.

use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::{Difference, Effect};

use breakglass_testing::service::config;

const RULE: &str = r#"[[approval_rules]]
name = "long"
scopes = ["orders:read", "orders:write"]
need = [{ from = ["commanders"], count = 2 }, { from = ["dbas", "loners"] }]
escalate = [{ after = "5m", to = ["dbas", "loners"] }]
when = { duration_over = "30m", requester_in = ["oncall", "loners"], between = { days = ["sat"], zone = "UTC" } }
"#;

fn words(old: &str, new: &str) -> Vec<String> {
    let [old, new] = [old, new].map(|text| Config::parse(text).unwrap());
    let none = Definitions::default();
    let changes = Difference::between((&old, &none), (&new, &none)).changes;
    let sign = |effect| match effect {
        Effect::Grants => '+',
        Effect::TakesAway => '-',
        Effect::Neutral => ' ',
    };
    changes.iter().map(|change| format!("{}{change}", sign(change.effect()))).collect()
}

/// Each change of the rule by itself: what stands there, what comes, what is said, and what is said of the reverse.
#[test]
fn says_whether_requests_need_more_approvals_or_fewer() {
    let base = config(&tempfile::tempdir().unwrap());
    let need = "[{ from = [\"commanders\"], count = 2 }, { from = [\"dbas\", \"loners\"] }]";
    let said = "2 of commanders and 1 of dbas or loners";
    let table: Vec<(&str, &str, Vec<String>, Vec<String>)> = vec![
        (
            "[\"orders:read\", \"orders:write\"]",
            "[\"orders:read\"]",
            vec![
                "+long is no longer for orders:write".to_owned(),
                "-alice may no longer approve orders:write".to_owned(),
                "-dave may no longer approve orders:write".to_owned(),
            ],
            vec![
                "+alice may approve orders:write".to_owned(),
                "+dave may approve orders:write".to_owned(),
                "-long is also for orders:write".to_owned(),
            ],
        ),
        (
            "escalate = [{ after = \"5m\", to = [\"dbas\", \"loners\"] }]\n",
            "",
            vec!["-long is escalated to no group, before to dbas or loners after 5m".to_owned()],
            vec!["+long is escalated to dbas or loners after 5m, before to no group".to_owned()],
        ),
        (
            "after = \"5m\"",
            "after = \"10m\"",
            vec![
                "+long is escalated to dbas or loners after 10m, before to dbas or loners after 5m"
                    .to_owned(),
            ],
            vec![
                "+long is escalated to dbas or loners after 5m, before to dbas or loners after 10m"
                    .to_owned(),
            ],
        ),
        (
            "count = 2",
            "count = 1",
            vec![format!("+long needs 1 of commanders and 1 of dbas or loners, before {said}")],
            vec![format!("-long needs {said}, before 1 of commanders and 1 of dbas or loners")],
        ),
        (
            need,
            "[{ from = [\"loners\", \"dbas\"] }, { from = [\"commanders\"], count = 2 }]",
            vec![format!(" long needs 1 of dbas or loners and 2 of commanders, before {said}")],
            vec![format!(" long needs {said}, before 1 of dbas or loners and 2 of commanders")],
        ),
        // Fewer groups, and fewer people, cannot be compared, which counts as granting.
        (
            need,
            "[{ from = [\"commanders\"] }, { from = [\"dbas\"] }, { from = [\"loners\"] }]",
            vec![format!(
                "+long needs 1 of commanders and 1 of dbas and 1 of loners, before {said}"
            )],
            vec![format!(
                "+long needs {said}, before 1 of commanders and 1 of dbas and 1 of loners"
            )],
        ),
        (
            "when =",
            "in_order = true\nwhen =",
            vec!["-long counts approvals in the order of its stages".to_owned()],
            vec!["+long counts approvals in any order".to_owned()],
        ),
        (
            "\"30m\"",
            "\"1h\"",
            vec!["+long is for time over 1h, before for time over 30m".to_owned()],
            vec!["-long is for time over 30m, before for time over 1h".to_owned()],
        ),
        (
            "duration_over = \"30m\", ",
            "",
            vec!["-long is for any time, before for time over 30m".to_owned()],
            vec!["+long is for time over 30m, before for any time".to_owned()],
        ),
        (
            "duration_over",
            "emergency = true, duration_over",
            vec!["+long is for emergencies only".to_owned()],
            vec!["-long is not for emergencies only".to_owned()],
        ),
        (
            "[\"oncall\", \"loners\"]",
            "[\"oncall\"]",
            vec!["+long is no longer for requesters in loners".to_owned()],
            vec!["-long is also for requesters in loners".to_owned()],
        ),
        (
            ", requester_in = [\"oncall\", \"loners\"]",
            "",
            vec!["-long is for all requesters".to_owned()],
            vec!["+long is for requesters in oncall, loners only".to_owned()],
        ),
        (
            ", between = { days = [\"sat\"], zone = \"UTC\" }",
            "",
            vec!["-long is for all dates, days and hours".to_owned()],
            vec!["+long is for some dates, days or hours only".to_owned()],
        ),
        (
            "[\"sat\"]",
            "[\"sat\", \"sun\"]",
            vec!["+long is for other dates, days or hours".to_owned()],
            vec!["+long is for other dates, days or hours".to_owned()],
        ),
        (
            RULE.lines().last().unwrap(),
            "",
            vec!["-long matches always".to_owned()],
            vec!["+long matches on conditions only".to_owned()],
        ),
    ];
    for (from, to, there, back) in table {
        assert!(RULE.contains(from), "{from}");
        let (old, new) = (format!("{base}{RULE}"), format!("{base}{}", RULE.replacen(from, to, 1)));
        let sorted = |mut words: Vec<String>| {
            words.sort_unstable();
            words
        };
        assert_eq!(sorted(words(&old, &new)), sorted(there), "{from} -> {to}");
        assert_eq!(sorted(words(&new, &old)), sorted(back), "{to} -> {from}");
    }
}

#[test]
fn a_rule_that_comes_takes_away_and_one_that_goes_grants() {
    let base = config(&tempfile::tempdir().unwrap());
    let with = format!("{base}{RULE}");
    let stages =
        "on conditions 2 of commanders and 1 of dbas or loners for orders:read, orders:write";
    let come = words(&base, &with);
    assert!(come.contains(&format!("-long is a new approval rule: {stages}")), "{come:?}");
    assert!(come.contains(&"+dave may approve orders:read, orders:write".to_owned()), "{come:?}");
    let go = words(&with, &base);
    assert!(go.contains(&format!("+long is an approval rule no longer: {stages}")), "{go:?}");
}

/// A scope that loses its `approvers` needs one approval less, even where all of them stay in a rule.
#[test]
fn approvers_beside_rules_are_one_approval_more() {
    let base = config(&tempfile::tempdir().unwrap());
    let rule = "[[approval_rules]]\nname = \"r\"\nscopes = [\"db:admin\"]\nneed = [{ from = [\"dbas\"] }]\n";
    let both = format!("{base}{rule}");
    let alone = both.replacen("approvers = [\"dbas\"]\n", "", 1);
    let fewer =
        "+db:admin needs no approval by `approvers` any more: its approval rules alone apply";
    assert_eq!(words(&both, &alone), [fewer]);
    let more = "-db:admin needs an approval by `approvers` beside its approval rules";
    assert_eq!(words(&alone, &both), [more]);
}

const EMERGENCY: &str = "emergency = { sign_in = { level = \"mfa\", max_age = \"5m\" } }\n";

/// What a requester takes alone in an emergency: more of it grants.
#[test]
fn says_what_is_taken_alone_from_now_on_and_what_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let base = crate::step_up::configuration(&directory, &[]) + RULE;
    let with = |from: &str, to: &str| format!("{base}{}", EMERGENCY.replacen(from, to, 1));
    let usual = with("", "");
    for (new, said, reverse) in [
        (
            base.clone(),
            "-long lets no requester take a grant alone any more",
            "+long lets requesters take grants alone in an emergency",
        ),
        (
            with("{ sign_in", "{ max_duration = \"1h\", sign_in"),
            "+long is taken alone for 1h at most, before for 30m",
            "-long is taken alone for 30m at most, before for 1h",
        ),
        (
            with("{ sign_in", "{ at_most = 1, sign_in"),
            "-long is taken alone 1 times in 24 hours, before 2",
            "+long is taken alone 2 times in 24 hours, before 1",
        ),
        (
            with(", max_age = \"5m\"", ""),
            "+long takes a sign-in at the level `mfa` in an emergency, before at the level `mfa` at most 5m ago",
            "-long takes a sign-in at the level `mfa` at most 5m ago in an emergency, before at the level `mfa`",
        ),
        (
            with("\"mfa\"", "\"pwd\""),
            "+long takes a sign-in at the level `pwd` at most 5m ago in an emergency, before at the level `mfa` at most 5m ago",
            "+long takes a sign-in at the level `mfa` at most 5m ago in an emergency, before at the level `pwd` at most 5m ago",
        ),
    ] {
        assert_eq!(words(&usual, &new), [said]);
        assert_eq!(words(&new, &usual), [reverse]);
    }
    let added = words(&base.replace(RULE, ""), &usual);
    let alone = "+long lets requesters take grants alone in an emergency";
    assert!(added.iter().any(|one| one == alone), "{added:?}");
}
