//! What a change of the configuration grants and takes away.

use breakglass_server::config::Config;
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::{Difference, Effect};

use breakglass_testing::credentials::{hex, proxy, without};
use breakglass_testing::service::config;

fn difference(old: &str, new: &str) -> Difference {
    let [old, new] = [old, new].map(|text| Config::parse(text).unwrap());
    let none = Definitions::default();
    Difference::between((&old, &none), (&new, &none))
}

fn words(old: &str, new: &str) -> Vec<String> {
    let sign = |effect| match effect {
        Effect::Grants => '+',
        Effect::TakesAway => '-',
        Effect::Neutral => ' ',
    };
    let changes = difference(old, new).changes;
    changes.iter().map(|change| format!("{}{change}", sign(change.effect()))).collect()
}

/// Each change by itself, in both directions.
#[test]
fn says_what_a_change_grants_and_takes_away() {
    let directory = tempfile::tempdir().unwrap();
    let base = config(&directory);
    let erin = format!("[[people]]\nname = \"erin\"\ntoken_sha256 = \"{}\"\n", hex("erin"));
    let scope = "[[scopes]]\nname = \"orders:delete\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
                 approvers = [\"commanders\"]\nmax_duration = \"1h\"\n";
    let edit = |from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replacen(from, to, 1)
    };
    let table: Vec<(String, Vec<&str>, Vec<&str>)> = vec![
        // A person joins a group, and a group joins a scope: the same gain.
        (
            edit(&erin, &format!("{erin}groups = [\"commanders\"]\n")),
            vec![
                "+erin may approve orders:read, orders:write, staging:read",
                " erin joins the groups commanders",
            ],
            vec![
                "-erin may no longer approve orders:read, orders:write, staging:read",
                " erin leaves the groups commanders",
            ],
        ),
        (
            edit("approvers = [\"commanders\"]", "approvers = [\"commanders\", \"dbas\"]"),
            vec!["+dave may approve orders:read"],
            vec!["-dave may no longer approve orders:read"],
        ),
        (
            edit("requesters = [\"oncall\"]", "requesters = [\"oncall\", \"dbas\"]"),
            vec!["+dave may ask for orders:read", "+frank may ask for orders:read"],
            vec![
                "-dave may no longer ask for orders:read",
                "-frank may no longer ask for orders:read",
            ],
        ),
        (
            edit("max_duration = \"30m\"", "max_duration = \"2h\""),
            vec!["+orders:write can be granted for 2h, before 30m"],
            vec!["-orders:write can be granted for 30m, before 2h"],
        ),
        (
            format!("{base}{scope}"),
            vec![
                "+alice may ask for orders:delete",
                "+bob may ask for orders:delete",
                "+bob may approve orders:delete",
                "+carol may approve orders:delete",
                "+frank may approve orders:delete",
                "+orders:delete is a new scope",
            ],
            vec![
                "-alice may no longer ask for orders:delete",
                "-bob may no longer ask for orders:delete",
                "-bob may no longer approve orders:delete",
                "-carol may no longer approve orders:delete",
                "-frank may no longer approve orders:delete",
                "-orders:delete is a scope no longer",
            ],
        ),
        (
            without(&base, "grace"),
            vec!["-grace is removed: grants and pending requests end"],
            vec!["+grace may audit", "+grace is a new person"],
        ),
        (
            edit("max_pending", "responders = [\"dbas\"]\nmax_pending"),
            vec![
                "+dave may stop access to prod, staging, every environment",
                "+frank may stop access to prod, staging, every environment",
                " responders has changed",
            ],
            vec![
                "-dave may no longer stop access to prod, staging, every environment",
                "-frank may no longer stop access to prod, staging, every environment",
                " responders has changed",
            ],
        ),
        (
            edit("max_pending", "responders = { prod = [\"dbas\"] }\nmax_pending"),
            vec![
                "+dave may stop access to prod",
                "+frank may stop access to prod",
                " responders has changed",
            ],
            vec![
                "-dave may no longer stop access to prod",
                "-frank may no longer stop access to prod",
                " responders has changed",
            ],
        ),
        (
            edit("[\"prod\", \"staging\"]", "[\"prod\"]"),
            vec!["-envoy may no longer introspect tokens of staging"],
            vec!["+envoy may introspect tokens of staging"],
        ),
        (
            edit("audiences = [\"prod\", \"staging\"]\n", ""),
            vec!["+envoy may introspect tokens of every environment"],
            vec!["-envoy may introspect tokens of prod, staging alone"],
        ),
        (
            edit(
                "audiences = [\"prod\", \"staging\"]",
                "certificate_san = \"envoy.edge\"\naudiences = [\"prod\", \"staging\"]",
            ),
            vec![" envoy has other client certificates"],
            vec![" envoy has other client certificates"],
        ),
        (
            edit(
                "[[proxies]]",
                &format!("{}audiences = [\"prod\"]\n[[proxies]]", proxy("gate", "g")),
            ),
            vec!["+gate is a new proxy"],
            vec!["-gate is a proxy no longer"],
        ),
        (
            edit("pending_lifetime = \"10m\"", "pending_lifetime = \"20m\""),
            vec!["+pending_lifetime is 20m, before 10m"],
            vec!["-pending_lifetime is 10m, before 20m"],
        ),
        (
            edit("max_pending", "activate_within = \"1h\"\nmax_pending"),
            vec!["+activate_within is 1h, before 15m"],
            vec!["-activate_within is 15m, before 1h"],
        ),
        (
            edit("max_pending", "keep_grants_of_leavers = true\nmax_pending"),
            vec!["+keep_grants_of_leavers is true: people who are removed keep their grants"],
            vec!["-keep_grants_of_leavers is false: people who are removed lose their grants"],
        ),
        (
            edit("max_pending", "incident_pattern = \"INC-[0-9]+\"\nmax_pending"),
            vec!["-incident_pattern is required of incidents"],
            vec!["+incident_pattern is gone"],
        ),
        (
            edit("audience = \"staging\"", "audience = \"prod\""),
            vec!["+staging:read is for prod, before for staging"],
            vec!["+staging:read is for staging, before for prod"],
        ),
        (
            base.replacen("roles = [\"oncall\"]", "roles = [\"oncall\", \"admin\"]", 1),
            vec!["+alice has the new roles admin"],
            vec!["-alice loses the roles admin"],
        ),
        (
            base.replace(&hex("carol"), &hex("carol-2")),
            vec![" carol has another API token"],
            vec![" carol has another API token"],
        ),
        (
            base.replace("127.0.0.1:0", "127.0.0.1:1"),
            vec![" listen has changed, which needs a restart"],
            vec![" listen has changed, which needs a restart"],
        ),
        (base.replace("[[scopes]]", "\n[[scopes]]"), vec![], vec![]),
    ];
    for (other, forth, back) in table {
        assert_eq!(words(&base, &other), forth);
        assert_eq!(words(&other, &base), back);
    }
    // Two patterns cannot be compared, which counts as granting.
    let pattern = |pattern: &str| {
        edit("max_pending", &format!("incident_pattern = \"{pattern}\"\nmax_pending"))
    };
    assert_eq!(words(&pattern("A"), &pattern("B")), ["+incident_pattern is another one"]);
}

/// A person who is in two groups of a scope loses nothing with one of them.
#[test]
fn says_what_becomes_of_tokens_where_an_audience_gets_or_loses_signing_keys() {
    let directory = tempfile::tempdir().unwrap();
    let without = config(&directory);
    let with = format!("{without}\n[[signing_keys.audiences]]\naudience = \"prod\"\n");
    let said = |old: &str, new: &str| {
        let changes = difference(old, new).changes.into_iter();
        let of_keys = changes.filter(|change| change.to_string().contains("audiences (prod)"));
        of_keys.map(|change| (change.effect(), change.to_string())).collect::<Vec<_>>()
    };
    for (old, new, effect, words) in [
        (&without, &with, Effect::Neutral, "go on signing for it until its proxies have its own"),
        (&with, &without, Effect::TakesAway, "tokens that its keys signed are refused"),
        (&with, &format!("{with}signs = false\n"), Effect::Neutral, "does not sign"),
    ] {
        let said = said(old, new);
        assert!(said.len() == 1 && said[0].0 == effect && said[0].1.contains(words), "{said:?}");
    }
}

#[test]
fn a_right_by_another_group_stays() {
    let directory = tempfile::tempdir().unwrap();
    let base = config(&directory);
    let both =
        base.replacen("approvers = [\"commanders\"]", "approvers = [\"commanders\", \"dbas\"]", 1);
    let one = both.replace("groups = [\"dbas\", \"commanders\"]", "groups = [\"dbas\"]");
    assert_eq!(
        words(&both, &one),
        [
            "-frank may no longer approve orders:write, staging:read",
            " frank leaves the groups commanders"
        ]
    );
}

/// What the trail has is bounded, and what rights grew comes first.
#[test]
fn the_trail_has_the_first_hundred_and_counts_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let base = config(&directory);
    let many: String = (0..150)
        .map(|n| {
            format!("[[people]]\nname = \"p{n:03}\"\ntoken_sha256 = \"{}\"\n", hex(&n.to_string()))
        })
        .collect();
    let new = base.replacen("[[people]]", &format!("{many}[[people]]"), 1);
    let grown = difference(&without(&base, "grace"), &without(&new, "erin"));
    let detail = grown.on_trail();
    assert_eq!(detail["entries"].as_array().unwrap().len(), 100);
    assert_eq!(
        [&detail["grants"], &detail["takes_away"], &detail["left_out"]]
            .map(|n| n.as_i64().unwrap()),
        [152, 1, 53]
    );
    let widened = grown.widened("d").unwrap();
    assert_eq!([&widened["grants"], &widened["left_out"]].map(|n| n.as_i64().unwrap()), [152, 52]);
    assert!(difference(&base, &without(&base, "erin")).widened("d").is_none());
}
