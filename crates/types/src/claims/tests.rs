//! Of the claims: what is read, what is written, and that the document lists them.

use super::*;
use crate::scope_rules::ScopeRules;
use crate::testing::test;

const MINIMAL: &str = r#"{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2,"jti":"j",
    "scope":"x y","breakglass":{"reason":"r","approvers":["bob"]}}"#;

fn read(text: &str) -> Result<Claims, InvalidClaims> {
    Claims::from_json(&Json::parse(text.as_bytes()).unwrap())
}

#[test]
fn reads_what_it_writes() {
    let claims = Claims {
        nbf: Some(1),
        roles: vec!["oncall".into()],
        groups: vec!["sre".into()],
        amr: vec!["mfa".into()],
        acr: Some("aal2".into()),
        auth_time: Some(1),
        cnf: Some(Confirmation { x5t_s256: "A".repeat(43) }),
        ..read(MINIMAL).unwrap()
    };
    assert_eq!(claims.scope, ["x", "y"]);
    assert_eq!(read(&serde_json::to_string(&claims).unwrap()), Ok(claims));
}

#[test]
fn names_the_claim_that_is_missing() {
    for name in ["iss", "sub", "aud", "iat", "exp", "jti", "scope", "breakglass"] {
        let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
            panic!("an object")
        };
        members.remove(name);
        assert_eq!(Claims::from_json(&Json::Object(members)), Err(InvalidClaims::Missing(name)));
    }
    assert_eq!(read("[]"), Err(InvalidClaims::NotAnObject));
}

/// The members of [`Claims`], as docs/tokens.md lists them: the name, and whether it is required.
const LISTED: [(&str, bool); 22] = [
    ("iss", true),
    ("sub", true),
    ("aud", true),
    ("exp", true),
    ("nbf", false),
    ("iat", true),
    ("jti", true),
    ("scope", true),
    ("roles", false),
    ("groups", false),
    ("amr", false),
    ("acr", false),
    ("auth_time", false),
    ("cnf", false),
    ("breakglass", true),
    ("breakglass.reason", true),
    ("breakglass.approvers", true),
    ("breakglass.incident", false),
    ("breakglass.emergency", false),
    ("breakglass.basis", false),
    ("breakglass.approvals", false),
    ("breakglass.scopes", false),
];

#[test]
fn the_documented_claims_are_those_that_are_read() {
    let document = include_str!("../../../../docs/tokens.md");
    let claims = document.split("## Claims").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = claims.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let mut cells = row.split(" | ");
        (cells.next().unwrap().trim_end_matches('`'), cells.next().unwrap() == "yes")
    });
    assert_eq!(rows.collect::<Vec<_>>(), LISTED);
    // Each of them is read, and those without which there are no claims are required.
    for (path, required) in LISTED {
        for change in [None, Some(Json::Array(vec![Json::Bool(true)]))] {
            let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
                panic!("an object")
            };
            let object = match (path.split_once('.'), members.get_mut("breakglass")) {
                (Some(_), Some(Json::Object(inner))) => inner,
                _ => &mut members,
            };
            let name = path.rsplit('.').next().unwrap();
            let missing = change.is_none();
            match change {
                Some(other) => object.insert(name.into(), other),
                None => object.remove(name),
            };
            let read = Claims::from_json(&Json::Object(members));
            match (missing, required) {
                (true, true) => assert_eq!(read, Err(InvalidClaims::Missing(path))),
                (true, false) => assert!(read.is_ok(), "{path}"),
                (false, _) => assert_eq!(read, Err(InvalidClaims::Invalid(path))),
            }
        }
    }
}

/// What is written has the members that are listed, and no other.
#[test]
fn the_documented_claims_are_those_that_are_written() {
    let claims = Claims {
        nbf: Some(1),
        roles: vec!["oncall".into()],
        groups: vec!["sre".into()],
        amr: vec!["mfa".into()],
        acr: Some("aal2".into()),
        auth_time: Some(1),
        cnf: Some(Confirmation { x5t_s256: "A".repeat(43) }),
        breakglass: Breakglass {
            incident: Some("INC-1".into()),
            basis: Some(Basis::PreApproved),
            approvals: Some(2),
            scopes: [("x".to_owned(), ScopeRules::default().digest())].into(),
            ..read(MINIMAL).unwrap().breakglass
        },
        ..read(MINIMAL).unwrap()
    };
    let written = Json::parse(serde_json::to_string(&claims).unwrap().as_bytes()).unwrap();
    let members = |json: &Json, before: &str| -> Vec<String> {
        json.as_object().unwrap().keys().map(|name| format!("{before}{name}")).collect()
    };
    let mut found = members(&written, "");
    found.extend(members(written.member("breakglass").unwrap(), "breakglass."));
    let mut listed = LISTED.map(|(name, _)| name.to_owned());
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

/// By hand: a reader and a writer that are wrong in the same way read what they write.
#[test]
fn writes_what_other_verifiers_read() {
    let text = r#"{"iss":"i","sub":"s","aud":["a"],"iat":1,"exp":2,"jti":"j","scope":"x y","breakglass":{"reason":"r","approvers":["bob"],"emergency":false}}"#;
    assert_eq!(serde_json::to_string(&read(MINIMAL).unwrap()).unwrap(), text);
}

#[test]
fn a_fraction_makes_the_time_of_a_token_shorter_and_never_longer() {
    let read = |name: &str, value: &str| {
        let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
            panic!("an object")
        };
        members.insert(name.into(), Json::parse(value.as_bytes()).unwrap());
        Claims::from_json(&Json::Object(members)).unwrap()
    };
    for (value, down, up) in [
        ("2", 2, 2),
        ("2.0", 2, 2),
        ("2e0", 2, 2),
        ("1.8e9", 1_800_000_000, 1_800_000_000),
        ("1800000000.000001", 1_800_000_000, 1_800_000_001),
        ("1800000000.5", 1_800_000_000, 1_800_000_001),
        ("1800000000.999999", 1_800_000_000, 1_800_000_001),
        ("0.5", 0, 1),
        ("1e-300", 0, 1),
        ("-0.0", 0, 0),
        ("253402300798.5", 253_402_300_798, LAST_INSTANT),
    ] {
        assert_eq!(read("exp", value).exp, down, "{value}");
        assert_eq!(read("auth_time", value).auth_time, Some(down), "{value}");
        assert_eq!(read("iat", value).iat, up, "{value}");
        assert_eq!(read("nbf", value).nbf, Some(up), "{value}");
    }
}

#[test]
fn names_the_claim_that_is_of_another_type_or_out_of_bounds() {
    for (name, value) in [
        ("exp", r#""2""#),
        ("exp", "-1"),
        ("exp", "-0.5"),
        ("nbf", "-1e-9"),
        ("exp", "253402300800"),
        ("exp", "253402300800.0"),
        ("exp", "1e300"),
        ("iat", "253402300799.5"),
        ("exp", r#""2.5""#),
        ("exp", "18446744073709551616"),
        ("exp", "null"),
        ("iat", "true"),
        ("nbf", "[]"),
        ("auth_time", r#""now""#),
        ("iss", "1"),
        ("sub", r#""""#),
        ("sub", r#""a\nb""#),
        ("jti", r#""a b""#),
        ("jti", r#""é""#),
        ("aud", "[]"),
        ("aud", "[1]"),
        ("scope", r#"["x"]"#),
        ("scope", r#""x  y""#),
        ("roles", r#""oncall""#),
        ("amr", "{}"),
        ("acr", "2"),
        ("cnf", r#"{"jkt":"x"}"#),
        ("cnf", r#"{"x5t#S256":"short"}"#),
        ("breakglass", "[]"),
    ] {
        let Json::Object(mut members) = Json::parse(MINIMAL.as_bytes()).unwrap() else {
            panic!("an object")
        };
        members.insert(name.into(), Json::parse(value.as_bytes()).unwrap());
        assert_eq!(
            Claims::from_json(&Json::Object(members)),
            Err(InvalidClaims::Invalid(name)),
            "{name} = {value}"
        );
    }
}
