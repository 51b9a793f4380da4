//! What a configuration says of `sign_in`: what is wrong with it, what will not work, and what a change of it means.

use breakglass_server::config::{Config, InvalidConfig};
use breakglass_server::definitions::Definitions;
use breakglass_server::difference::{Difference, Effect};
use breakglass_testing::sessions::config_with_providers;
use serde_json::json;

const LEVELS: &str = "[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts = { acr = [\"2\"], amr = [\"otp\"] }\n";

/// The configuration of all tests, with these levels at `corp`, whose people may approve, and at `partner`, and this `sign_in`
/// of `orders:read`.
fn configuration(corp: &str, partner: &str, sign_in: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "");
    let text = text.replacen("may_approve = true", &format!("may_approve = true\n{corp}"), 1);
    let scope = "name = \"orders:read\"\n";
    assert!(text.contains(scope));
    let sign_in = if sign_in.is_empty() { String::new() } else { format!("sign_in = {sign_in}\n") };
    // The entry of `partner` is the last of the file.
    format!("{}\n{partner}", text.replacen(scope, &format!("{scope}{sign_in}"), 1))
}

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(InvalidConfig::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_wrong_with_it_is_said_at_once_each_with_its_field() {
    let wrong = r#"{ request = { level = "mfa" }, activation = { level = "hwk" }, approval = { level = "mfa" } }"#;
    assert_eq!(
        errors(&configuration("", LEVELS, wrong)),
        [
            "scopes[0].sign_in.activation.level: expected a level of one of `identity_providers` (`mfa`), got `hwk`",
            "scopes[0].sign_in.approval.level: expected a level of the identity provider `corp`, whose people may approve: \
             it has no `mfa`, so that no person could approve this scope",
        ]
    );
    let nobody = configuration(LEVELS, LEVELS, r#"{ approval = { level = "mfa" } }"#);
    let nobody = nobody.replace("may_approve = true", "may_approve = false");
    assert!(
        errors(&nobody)[0]
            .starts_with("scopes[0].sign_in.approval.level: expected `may_approve = true`")
    );
    let listed = nobody.split("[[identity_providers]]").next().unwrap();
    assert!(errors(listed)[0].contains("and there is none"), "{:?}", errors(listed));
    for (wrong, field) in [
        ("{}", "sign_in"),
        (r#"{ request = {} }"#, "sign_in.request.level"),
        (r#"{ request = { level = "mfa", max_age = "25h" } }"#, "sign_in.request.max_age"),
        (r#"{ request = { level = "mfa", max_age = "0s" } }"#, "sign_in.request.max_age"),
        (r#"{ request = { level = "mfa", age = "5m" } }"#, "sign_in.request.age"),
        (r#"{ request = "mfa" }"#, "sign_in.request"),
        (r#"{ ask = { level = "mfa" } }"#, "sign_in.ask"),
    ] {
        let errors = errors(&configuration(LEVELS, LEVELS, wrong));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with(&format!("scopes[0].{field}: ")), "{wrong}: {errors:?}");
    }
}

/// Those of sign-in: that no list names a group of `partner` is another matter.
fn warnings(text: &str) -> Vec<String> {
    let warnings = Config::parse(text).unwrap().warnings();
    warnings.into_iter().filter(|one| !one.contains("no list names a group")).collect()
}

#[test]
fn what_will_not_work_is_a_warning() {
    let level = r#"{ request = { level = "mfa" }, approval = { level = "mfa" } }"#;
    let none: [&str; 0] = [];
    assert_eq!(warnings(&configuration(LEVELS, LEVELS, level)), none);
    assert_eq!(
        warnings(&configuration(LEVELS, "", level)),
        [
            "scopes[0].sign_in (`orders:read`): request.level: the identity provider `partner` has no such level, so that none \
          of its people can use this scope"
        ]
    );
    let no_amr = LEVELS.replace(", amr = [\"otp\"]", "");
    let found = warnings(&configuration(&no_amr, "", ""));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("identity_providers[0].levels.mfa: counts.amr: expected"),
        "{found:?}"
    );
    // Entra has no `amr`.
    let entra = "[identity_providers.levels.mfa]\nacrs = [\"c1\"]\ncounts.acrs = [\"c1\"]\n";
    assert_eq!(warnings(&configuration(entra, "", "")), none);
    let keycloak = |levels: &str| {
        configuration(levels, "", "").replace("https://corp.test", "https://id.test/realms/corp")
    };
    let found = warnings(&keycloak(LEVELS));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("identity_providers[0].levels.mfa: prompt: expected `login`"),
        "{found:?}"
    );
    assert_eq!(warnings(&keycloak(&LEVELS.replace("counts", "prompt = \"login\"\ncounts"))), none);
}

#[test]
fn what_a_filter_requires_and_no_token_says_is_a_warning() {
    let found = |require: serde_json::Value, sign_in: &str| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("filters.json");
        let rules =
            json!({ "methods": ["GET"], "paths": ["/v1/orders"], "require": require, "v": 1 });
        let text = json!({ "audiences": ["prod"], "scopes": { "orders:read": rules } });
        std::fs::write(&file, text.to_string()).unwrap();
        let definitions = Definitions::read(directory.path(), &[file]).unwrap();
        let config = Config::parse(&configuration(LEVELS, LEVELS, sign_in)).unwrap();
        let warnings = definitions.warnings(&config);
        assert!(
            warnings.iter().all(|one| one.contains("scopes.\"orders:read\": ")),
            "{warnings:?}"
        );
        warnings
    };
    let mfa = r#"{ activation = { level = "mfa", max_age = "5m" } }"#;
    let met = json!({ "acr": ["2"], "amr": ["otp"], "max_auth_age": "300s" });
    assert_eq!(found(met.clone(), mfa), [""; 0]);
    for (require, sign_in, expected) in [
        (met.clone(), "", "`acr`, `amr`, `max_auth_age`"),
        (
            met.clone(),
            r#"{ request = { level = "mfa" } }"#,
            "has where the scope's `sign_in.activation` asks",
        ),
        (
            json!({ "acr": ["3"] }),
            mfa,
            "the level `mfa` of `sign_in.activation` counts none of them",
        ),
        (json!({ "max_auth_age": "299s" }), mfa, "give it a shorter `max_age`"),
        (met, r#"{ activation = { level = "mfa" } }"#, "give it a shorter `max_age`"),
    ] {
        let found = found(require, sign_in);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{expected}: {found:?}");
    }
    assert_eq!(found(json!({ "roles": ["oncall"] }), ""), [""; 0]);
}

#[test]
fn what_is_required_no_longer_grants() {
    let levels = format!("{LEVELS}{}", LEVELS.replace("levels.mfa", "levels.hwk"));
    let [none, five, ten, always, other] = [
        "",
        r#"{ approval = { level = "mfa", max_age = "5m" } }"#,
        r#"{ approval = { level = "mfa", max_age = "10m" } }"#,
        r#"{ approval = { level = "mfa" } }"#,
        r#"{ approval = { level = "hwk", max_age = "5m" } }"#,
    ];
    for (old, new, grants, words) in [
        (none, five, false, "requires a sign-in at the level `mfa` at most 5m ago to approve it"),
        (
            five,
            none,
            true,
            "no longer requires a sign-in at the level `mfa` at most 5m ago to approve it",
        ),
        (
            five,
            ten,
            true,
            "requires a sign-in at the level `mfa` at most 10m ago, before at the level `mfa` at most 5m ago, to approve it",
        ),
        (ten, five, false, "before at the level `mfa` at most 10m ago,"),
        (five, always, true, "requires a sign-in at the level `mfa`, before"),
        (always, five, false, "before at the level `mfa`, to approve it"),
        // Which of the two says more cannot be told.
        (five, other, true, "requires a sign-in at the level `hwk`"),
        (other, five, true, "requires a sign-in at the level `mfa`"),
    ] {
        let [old, new] = [old, new].map(|sign_in| configuration(&levels, "", sign_in));
        let [old, new] = [old, new].map(|text| Config::parse(&text).unwrap());
        let nothing = Definitions::default();
        let changes = Difference::between((&old, &nothing), (&new, &nothing)).changes;
        let change = changes.iter().find(|change| change.to_string().contains("sign-in"));
        let change = change.unwrap();
        assert!(change.to_string().contains(words), "{change}");
        let expected = if grants { Effect::Grants } else { Effect::TakesAway };
        assert_eq!(change.effect(), expected, "{change}");
    }
    let same = Config::parse(&configuration(&levels, "", five)).unwrap();
    let nothing = Definitions::default();
    assert!(Difference::between((&same, &nothing), (&same, &nothing)).changes.is_empty());
}

/// What follows from who signs in where is not compared person by person.
#[test]
fn another_provider_and_another_level_grant() {
    let base = configuration(LEVELS, LEVELS, "");
    let with = |from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replacen(from, to, 1)
    };
    let without_partner = base.rsplit_once("[[identity_providers]]").unwrap().0;
    let otp = "amr = [\"otp\"]";
    for (old, new, effect, words) in [
        (without_partner, base.as_str(), Effect::Grants, "identity_providers has changed: who can"),
        (&base, without_partner, Effect::TakesAway, "identity_providers has lost an entry"),
        (&with("may_approve = true", "may_approve = false"), &base, Effect::Grants, "may approve"),
        (&base, &with(otp, "amr = [\"pwd\", \"otp\"]"), Effect::Grants, "what reaches a level"),
        (
            &base,
            &with("may_approve = true", "timeout = \"3s\"\nmay_approve = true"),
            Effect::Neutral,
            "the same",
        ),
        (
            &base,
            &format!("max_directory_age = \"1h\"\n{base}"),
            Effect::Grants,
            "is 1h, before 10m",
        ),
        (&base, &with("[\"admins\"]", "[\"admins\", \"ops\"]"), Effect::Grants, "new groups ops"),
        (
            &with("[\"admins\"]", "[\"admins\", \"ops\"]"),
            &base,
            Effect::TakesAway,
            "loses the groups ops",
        ),
    ] {
        let [old, new] = [old, new].map(|text| Config::parse(text).unwrap());
        let nothing = Definitions::default();
        let changes = Difference::between((&old, &nothing), (&new, &nothing)).changes;
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(changes[0].to_string().contains(words), "{words}: {}", changes[0]);
        assert_eq!(changes[0].effect(), effect, "{}", changes[0]);
    }
}
