//! `[[identity_providers]]`: what is read, and what each mistake is told as.

use std::time::Duration;

use breakglass_identity::{ClientAuthentication, GroupsAbsent, GroupsFrom};

use crate::support::{provider, read};

const ISSUER: &str = "https://id.corp.example/realms/corp";

/// The errors of an entry with these fields, as an operator reads them.
fn errors(fields: &str) -> Vec<String> {
    let text = format!("[[identity_providers]]\n{fields}");
    let errors = read(&text).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

/// The errors of an entry that would be right without `more`.
fn errors_with(more: &str) -> Vec<String> {
    errors(&format!(
        "name = 'corp'\nissuer = '{ISSUER}'\nclient_id = 'breakglass'\n\
         client_authentication.secret_file = '/s'\n{more}"
    ))
}

#[test]
fn the_least_that_can_be_said_has_the_defaults() {
    let entry = provider(ISSUER, "breakglass", "");
    assert_eq!(
        entry.client_authentication,
        ClientAuthentication::Secret("/run/secrets/corp".into())
    );
    assert_eq!(entry.scopes, ["openid", "profile", "email"]);
    assert_eq!(entry.subject, ["sub"]);
    assert_eq!(
        (entry.groups_from, entry.groups_absent),
        (GroupsFrom::IdToken, GroupsAbsent::Unknown)
    );
    assert!(!entry.may_approve && entry.levels.is_empty());
    assert_eq!(entry.timeout, Duration::from_secs(10));
    assert_eq!(entry.discovery_url(), format!("{ISSUER}/.well-known/openid-configuration"));
    assert_eq!(entry.callback_path(), "/signin/corp/callback");
}

#[test]
fn all_that_can_be_said_is_read() {
    let entry = provider(
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "e1f0",
        "ca_file = '/ca.pem'\nproxy = 'http://proxy.internal:3128'\nscopes = ['openid', 'offline_access']\n\
         algorithms = ['RS256', 'ES384']\nsubject = ['tid', 'oid']\ntrusted_audiences = ['other']\n\
         groups_claim = 'roles'\ngroups_from = 'userinfo'\ngroups_absent = 'none'\nmay_approve = true\n\
         timeout = '3s'\nsign_in_within = '5m'\n\
         required_claims = { tid = ['t-1'], acct = ['0'] }\n\
         [identity_providers.levels.mfa]\nacrs = ['c1']\nprompt = 'login'\ncounts = { acrs = ['c1'] }",
    );
    let url = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration";
    assert_eq!(entry.discovery_url(), url);
    assert_eq!(entry.levels["mfa"].acrs, ["c1"]);
    assert!(entry.may_approve && entry.required_claims.names("acct"));
}

#[test]
fn every_error_is_reported_with_its_field() {
    assert_eq!(
        errors(
            "name = 'Corp_1'\nissuer = 'http://id.corp.example'\nclient_authentication = {}\nalgorithms = ['HS256', 'none']\n\
             groups = 'x'\nsign_in_within = '2h'"
        ),
        [
            "[0].name: expected at most 40 lower-case letters, digits and hyphens, such as `corp`, got `Corp_1`",
            "[0].issuer: expected `https://..`, or `http://` on a loopback address such as `127.0.0.1`, got `http://id.corp.example`",
            "[0].client_id: is required",
            "[0].client_authentication: expected exactly one of `secret_file`, `private_key_file`, `assertion_file` and `certificate_file`, got 0",
            "[0].algorithms[0]: expected \"RS256\" or \"PS256\" or \"ES256\" or \"ES384\" or \"EdDSA\"",
            "[0].algorithms[1]: expected \"RS256\" or \"PS256\" or \"ES256\" or \"ES384\" or \"EdDSA\"",
            "[0].sign_in_within: expected at most 1h: the browser that began it may be another person's by then",
            "[0].groups: unknown field; the fields here are `algorithms`, `ca_file`, `client_authentication`, `client_id`, `groups_absent`, `groups_claim`, `groups_from`, `issuer`, `levels`, `may_approve`, `name`, `proxy`, `qualify_groups`, `required_claims`, `scopes`, `sign_in_within`, `subject`, `timeout`, `trusted_audiences`",
        ]
    );
}

#[test]
fn a_mistake_is_told_where_it_is_made() {
    for (fields, field, said) in [
        ("scopes = ['profile']", "scopes", "without it there is no ID token"),
        ("scopes = []", "scopes", "an empty list never means all"),
        ("scopes = ['openid email']", "scopes[0]", "without blanks"),
        ("subject = ['email']", "subject[0]", "can change"),
        ("subject = ['sub', 'sub']", "subject[1]", "named twice"),
        ("trusted_audiences = ['breakglass']", "trusted_audiences[0]", "remove it"),
        ("proxy = 'socks5://proxy:1080'", "proxy", "http://proxy.internal:3128"),
        ("required_claims = {}", "required_claims", "an empty table never means all"),
        ("required_claims = { hd = [] }", "required_claims.hd", "an empty list never means all"),
        ("groups_absent = 'empty'", "groups_absent", "expected \"unknown\" or \"none\""),
        ("levels.mfa = { acr_values = ['mfa'] }", "levels.mfa.counts", "is required"),
        (
            "levels.mfa = { acr_values = ['mfa'], counts = {} }",
            "levels.mfa.counts",
            "by which answer the level is reached",
        ),
        (
            "levels.mfa = { counts = { acr = ['mfa'] } }",
            "levels.mfa",
            "by what the level is asked for",
        ),
        (
            "levels.MFA = { acr_values = ['mfa'], counts = { acr = ['mfa'] } }",
            "levels.MFA",
            "lower-case letters",
        ),
        (
            "levels.mfa = { prompt = 'none', counts = { acr = ['mfa'] } }",
            "levels.mfa.prompt",
            "`login`",
        ),
    ] {
        let errors = errors_with(fields);
        let prefix = format!("[0].{field}: ");
        let is_told = |error: &String| error.starts_with(&prefix) && error.contains(said);
        assert!(errors.len() == 1 && errors.iter().any(is_told), "{fields}: {errors:?}");
    }
}

#[test]
fn the_service_proves_itself_in_exactly_one_way() {
    let with = |fields: &str| {
        let text = format!(
            "[[identity_providers]]\nname = 'corp'\nissuer = '{ISSUER}'\nclient_id = 'breakglass'\n\
             client_authentication = {{ {fields} }}"
        );
        read(&text)
            .map(|mut entries| entries.remove(0).client_authentication)
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let key = ClientAuthentication::PrivateKey { file: "/k".into(), id: "1".to_owned() };
    assert_eq!(with("private_key_file = '/k', private_key_id = '1'"), Ok(key));
    assert_eq!(with("assertion_file = '/a'"), Ok(ClientAuthentication::Assertion("/a".into())));
    let certificate =
        ClientAuthentication::Certificate { file: "/c".into(), key_file: "/k".into() };
    assert_eq!(with("certificate_file = '/c', certificate_key_file = '/k'"), Ok(certificate));
    for (fields, said) in [
        ("secret_file = '/s', assertion_file = '/a'", "got 2"),
        ("private_key_file = '/k'", "private_key_id: is required with `private_key_file`"),
        ("certificate_file = '/c'", "certificate_key_file: is required with `certificate_file`"),
        ("secret_file = '/s', private_key_id = '1'", "it is for `private_key_file`"),
        ("secret = 's3cret'", "unknown field"),
    ] {
        let errors = with(fields).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(said)), "{fields}: {errors:?}");
        assert!(
            !errors.iter().any(|error| error.contains("s3cret")),
            "a secret is repeated: {errors:?}"
        );
    }
}

#[test]
fn a_provider_that_is_open_to_all_needs_a_claim_that_says_whose_people_may() {
    for (issuer, claim) in [
        ("https://accounts.google.com", "hd"),
        ("https://login.microsoftonline.com/{tenantid}/v2.0", "tid"),
    ] {
        let entry = |more: &str| {
            let text = format!(
                "[[identity_providers]]\nname = 'corp'\nissuer = '{issuer}'\nclient_id = 'c'\n\
                 client_authentication.secret_file = '/s'\n{more}"
            );
            read(&text).map(|_| ()).map_err(|errors| errors[0].to_string())
        };
        let error = entry("").unwrap_err();
        assert!(
            error.starts_with("[0].required_claims: expected") && error.contains(claim),
            "{error}"
        );
        assert!(entry("required_claims = { other = ['x'] }").is_err());
        assert_eq!(entry(&format!("required_claims = {{ {claim} = ['x'] }}")), Ok(()));
    }
}

#[test]
fn two_entries_are_not_one_and_one_person_not_two() {
    let entry = |name: &str, issuer: &str, more: &str| {
        format!(
            "[[identity_providers]]\nname = '{name}'\nissuer = '{issuer}'\nclient_id = 'c'\n{more}\n\
             client_authentication = {{ private_key_file = '/{name}.pem', private_key_id = '1' }}\n"
        )
    };
    let (one, two) = ("https://one.example", "https://two.example");
    let both = |first: String, second: String| {
        let errors = read(&(first + &second)).map(|_| ());
        errors.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let qualified = "qualify_groups = true";
    assert_eq!(both(entry("a", one, qualified), entry("b", two, "may_approve = true")), Ok(()));
    for (first, second, said) in [
        (entry("a", one, ""), entry("a", two, ""), "[1].name: `a` is also the name"),
        (entry("lab-l", one, ""), entry("lab-1", two, ""), "[1].name: looks like the name of"),
        (entry("a", one, ""), entry("b", one, ""), "[1].issuer: also the issuer"),
        (
            entry("a", one, ""),
            entry("b", "https://one.example/", ""),
            "[1].issuer: also the issuer",
        ),
        (
            entry("a", one, "may_approve = true"),
            entry("b", two, "may_approve = true"),
            "[1].may_approve: identity_providers[0] has it too",
        ),
        (
            entry("a", one, ""),
            entry("b", two, "").replace("/b.pem", "/a.pem"),
            "[1].client_authentication.private_key_file: also the key",
        ),
    ] {
        let errors = both(first, second).unwrap_err();
        assert!(errors.iter().any(|error| error.starts_with(said)), "{errors:?}");
    }
}

/// What a group of one provider allows must never be for another provider to give.
#[test]
fn of_several_providers_one_at_most_has_groups_without_its_name() {
    let errors = |entries: &[&str]| {
        let entry = |(index, more): (usize, &&str)| {
            format!(
                "[[identity_providers]]\nname = 'p{index}'\nissuer = 'https://{index}.example'\nclient_id = 'c'\n\
                 client_authentication.secret_file = '/s'\n{more}\n"
            )
        };
        let text: String = entries.iter().enumerate().map(entry).collect();
        let errors = read(&text).err().unwrap_or_default();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (plain, approves, qualified, both) = (
        "",
        "may_approve = true",
        "qualify_groups = true",
        "may_approve = true\nqualify_groups = true",
    );
    for right in [
        &[plain][..],
        &[approves],
        &[qualified],
        &[both],
        &[plain, qualified],
        &[qualified, plain, qualified],
        &[qualified, approves],
        &[both, qualified],
        &[qualified, qualified],
    ] {
        assert_eq!(errors(right), Vec::<String>::new(), "{right:?}");
    }
    for (wrong, field, said) in [
        (
            &[plain, plain][..],
            "[1].qualify_groups: expected `true`: ",
            "`p0` (identity_providers[0]) does not",
        ),
        (
            &[plain, approves],
            "[0].qualify_groups: expected `true`: ",
            "`p1` (identity_providers[1]) does not",
        ),
        (&[plain, both], "[0].qualify_groups: expected `true`: ", "only the groups of `p1`"),
        (
            &[qualified, both, plain],
            "[2].qualify_groups: expected `true`: ",
            "only the groups of `p1`",
        ),
    ] {
        let errors = errors(wrong);
        let is_told = |error: &String| error.starts_with(field) && error.contains(said);
        assert!(errors.len() == 1 && errors.iter().all(is_told), "{wrong:?}: {errors:?}");
    }
    assert_eq!(errors(&[plain, plain, plain]).len(), 2, "both that come after");
}
