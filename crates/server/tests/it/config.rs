//! The configuration: everything that is wrong with it, at once.

use breakglass_config_schema::{Object, reference, with_generated};
use breakglass_server::config::{Config, InvalidConfig};

use breakglass_testing::service::config;

const EXAMPLE: &str = include_str!("../../breakglass.example.toml");

const EMPTY: &str = "an empty list never means all: name at least one, or leave the field out if it is \
    optional";

fn errors(text: &str) -> Vec<String> {
    match Config::parse(text) {
        Err(InvalidConfig::Fields(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_example_is_valid() {
    let config = Config::parse(EXAMPLE).unwrap();
    assert_eq!(config.warnings(), [""; 0]);
    assert_eq!(config.people.len(), 4);
    assert_eq!(config.auditors, ["security"]);
    assert_eq!(config.scope("orders:write").unwrap().max_duration, 1800);
}

#[test]
fn says_everything_that_is_wrong_each_with_its_field() {
    let text = EXAMPLE
        .replace(r#"listen = "127.0.0.1:8300""#, "listen = 8300")
        .replace(r#"issuer = "https"#, r#"issuer = "ftp"#)
        .replace(r#"pending_lifetime = "15m""#, r#"pending_lifetime = "soon""#)
        .replace("00001\"", "x\"")
        .replace(r#"groups = ["incident-commanders"]"#, "groups = []\nadmin = true")
        .replace(r#"name = "envoy-payments-prod""#, "")
        .replace(r#"max_duration = "30m""#, r#"max_duration = "2days""#)
        .replace(r#"name = "orders:write""#, r#"name = "orders write""#);
    let found = errors(&text);
    let paths: Vec<&str> = found.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "listen",
            "issuer",
            "pending_lifetime",
            "people[0].token_sha256",
            "people[2].groups",
            "people[2].admin",
            "proxies[0].name",
            "scopes[1].name",
            "scopes[1].max_duration",
        ],
        "{found:#?}"
    );
}

#[test]
fn a_field_that_is_missing_or_an_empty_list_is_an_error() {
    let found = errors("people = []\nproxies = []\nscopes = [1]\ncolour = \"red\"");
    assert_eq!(
        found,
        [
            "listen: is required, unless `listeners` is given",
            "issuer: is required",
            "database: is required",
            "key_directory: is required",
            &format!("people: {EMPTY}"),
            &format!("proxies: {EMPTY}"),
            "scopes[0]: expected an object, found a number",
            "colour: unknown field; the fields here are `activate_within`, `administrators`, `approval_rules`, `auditors`, `database`, `definitions`, `device_sign_in`, `evidence_database`, \
             `evidence_retention`, `evidence_thin_after`, \
             `identity_providers`, `incident_check`, `incident_pattern`, `insecure_http`, `issuer`, `keep_grants_of_leavers`, `key_directory`, `listen`, `listeners`, \
             `max_alert_pages`, `max_connections`, `max_connections_per_address`, `max_directory_age`, \
             `max_pending_requests`, `on_call`, `outage_directory_age`, `pending_lifetime`, `people`, `proxies`, `responders`, `rotations`, `scopes`, `signing_keys`, `sinks`, \
             `tls`, `trail_heads`",
        ]
    );
    for field in ["requesters", "approvers"] {
        let text =
            EXAMPLE.replacen(&format!("{field} = [\"oncall\"]"), &format!("{field} = []"), 1);
        let text = text.replacen(
            &format!("{field} = [\"incident-commanders\"]"),
            &format!("{field} = []"),
            1,
        );
        let expected = format!("scopes[0].{field}: {EMPTY}");
        assert_eq!(errors(&text), [expected]);
    }
}

#[test]
fn names_and_credentials_are_given_once() {
    let text = EXAMPLE
        .replace("bob@example.com", "alice@example.com")
        .replace("00003\"", "00004\"")
        .replace("orders:write", "orders:read");
    assert_eq!(
        errors(&text),
        [
            "people[1].name: `alice@example.com` is also the name of people[0]",
            "proxies[0].token_sha256: also the credential of people[2]",
            "scopes[1].name: `orders:read` is also the name of scopes[0]",
        ]
    );
}

#[test]
fn a_wrong_digest_is_not_repeated() {
    let text = EXAMPLE.replace(
        "0d7bcf3def4bb1ca0b4a15a43ca7d58d30e0c2ad0ba2b5e6b4a7c8d3e1f00001",
        "breakglass_the-token-itself",
    );
    let found = errors(&text);
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("the-token-itself"), "{found:?}");
}

#[test]
fn warns_of_a_scope_that_nobody_else_could_approve() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::parse(&config(&directory)).unwrap();
    assert_eq!(config.warnings(), ["scopes[4] (`lonely`): nobody else could approve it for alice"]);
    let nobody = EXAMPLE.replace(r#"requesters = ["oncall"]"#, r#"requesters = ["sre"]"#);
    let warnings = Config::parse(&nobody).unwrap().warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].ends_with("nobody is in a group that may ask for it"), "{warnings:?}");
}

#[test]
fn the_documented_fields_are_those_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/approval-service.md");
    let document = std::fs::read_to_string(path).unwrap();
    let made = with_generated(&document, "fields", &reference(&Config::describe())).unwrap();
    if std::env::var_os("BREAKGLASS_GENERATE").is_some() {
        std::fs::write(path, &made).unwrap();
    } else {
        assert!(document == made, "docs/approval-service.md is out of date: run scripts/generate");
    }
}

#[test]
fn names_that_look_alike_are_refused() {
    for alike in ["Alice@example.com", "alice@example.com ", "\u{430}lice@example.com"] {
        let text = EXAMPLE.replace("bob@example.com", alike);
        let expected = format!(
            "people[1].name: `{alike}` looks like `alice@example.com`, the name in people[0].name: \
             rename one of them"
        );
        assert_eq!(errors(&text), [expected]);
    }
    let text = EXAMPLE.replace("envoy-payments-prod", "Bob@Example.com");
    assert!(errors(&text)[0].starts_with("proxies[0].name: "), "{:?}", errors(&text));
    let text = EXAMPLE.replace("orders:write", "Orders:read");
    assert!(errors(&text)[0].starts_with("scopes[1].name: "), "{:?}", errors(&text));
    let text = EXAMPLE.replace("bob@example.com", "bo\u{200b}b@example.com");
    assert_eq!(errors(&text).len(), 1);
    assert!(errors(&text)[0].ends_with("got U+200B"), "{:?}", errors(&text));
}

#[test]
fn a_pattern_for_incidents_is_for_the_whole_of_it() {
    let with = |pattern: &str| format!("incident_pattern = '{pattern}'\n{EXAMPLE}");
    let pattern = Config::parse(&with("INC-[0-9]+|CHG-1")).unwrap().incident_pattern.unwrap();
    for (incident, matches) in
        [("INC-1", true), ("CHG-1", true), ("xINC-1", false), ("INC-1x", false)]
    {
        assert_eq!(pattern.is_match(incident), matches, "{incident}");
    }
    for pattern in ["INC-(", "a)|(b", "["] {
        assert!(errors(&with(pattern))[0].starts_with("incident_pattern: "), "{pattern}");
    }
}

#[test]
fn responders_are_a_list_of_groups_or_a_table_of_lists_by_audience() {
    let with = |responders: &str| format!("responders = {responders}\n{EXAMPLE}");
    let parse = |responders: &str| Config::parse(&with(responders)).unwrap();
    let none: [&str; 0] = [];
    assert_eq!(Config::parse(EXAMPLE).unwrap().responders.over("payments-prod"), none);
    let config = parse(r#"["security", "sec-oncall"]"#);
    for audience in ["payments-prod", "another"] {
        assert_eq!(config.responders.over(audience), ["security", "sec-oncall"]);
    }
    let config = parse(r#"{ payments-prod = ["sec-oncall"] }"#);
    assert_eq!(config.responders.over("payments-prod"), ["sec-oncall"]);
    assert_eq!(config.responders.over("another"), none);
    assert_eq!(config.warnings(), none);
    // As for the audiences of a proxy.
    let nowhere = parse(r#"{ payments-prd = ["security"], payments-prod = ["Security"] }"#);
    assert_eq!(
        nowhere.warnings(),
        [
            "responders: no scope is for `payments-prd`",
            "the groups `Security` and `security` look alike, and are compared byte for byte",
        ]
    );
    for (wrong, expected) in [
        ("[]", format!("responders: {EMPTY}")),
        ("{}", format!("responders: {}", EMPTY.replace("list", "table"))),
        ("{ a = [] }", format!("responders.a: {EMPTY}")),
        (r#"{ a = ["g", "g"] }"#, "responders.a[1]: named twice".to_owned()),
        ("1", "responders: expected a list of groups, or a table of such lists by audience, found a number".to_owned()),
    ] {
        assert_eq!(errors(&with(wrong)), [expected], "{wrong}");
    }
}
