//! Of the canonical form: what is one digest, and what is not.

use serde_json::{Value, json};

use super::*;
use crate::testing::test;

fn set(texts: &[&str]) -> Texts {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn seconds(seconds: u64) -> Option<CanonicalDuration> {
    Some(CanonicalDuration(Duration::from_secs(seconds)))
}

/// Rules with every field.
fn whole() -> ScopeRules {
    let basis = [Basis::PreApproved, Basis::Approved].map(BasisWord);
    ScopeRules {
        hosts: set(&["orders.internal", "*.example.com"]),
        max_stream: seconds(1800),
        methods: set(&["POST", "GET"]).unwrap(),
        on_unavailable: Some(OnUnavailable::Deny),
        paths: set(&["/v1/orders/{id}", "/v1/orders"]).unwrap(),
        redirects: Some(SameAuthority::SameAuthority),
        require: RequiredOfHolder {
            acr: set(&["aal2"]),
            amr: set(&["mfa", "hwk"]),
            approvals: Some(2),
            basis: Some(basis.into()),
            max_auth_age: seconds(900),
            max_lifetime: Some(CanonicalDuration(Duration::from_millis(1500))),
            roles: set(&["oncall"]),
            sender_constrained: true,
            source_cidrs: set(&["10.0.0.0/8"]),
        },
        routes: set(&["orders"]),
        upgrades: set(&["websocket"]),
    }
}

#[test]
fn the_form_is_the_one_that_is_documented() {
    let form = concat!(
        r#"{"hosts":["*.example.com","orders.internal"],"max_stream":"1800s","methods":["GET","POST"],"#,
        r#""on_unavailable":"deny","paths":["/v1/orders","/v1/orders/{id}"],"redirects":"same_authority","#,
        r#""require":{"acr":["aal2"],"amr":["hwk","mfa"],"approvals":2,"basis":["approved","pre_approved"],"#,
        r#""max_auth_age":"900s","max_lifetime":"1500ms","roles":["oncall"],"sender_constrained":true,"#,
        r#""source_cidrs":["10.0.0.0/8"]},"routes":["orders"],"upgrades":["websocket"],"v":2}"#,
    );
    assert_eq!(whole().canonical(), form);
    assert_eq!(ScopeRules::from_canonical(serde_json::from_str(form).unwrap()), Ok(whole()));
}

/// Each vector: the form as it is hashed, and its digest. No line may ever change: grants name these digests.
#[test]
fn the_digests_are_those_of_the_vectors() {
    let vectors: Vec<(String, String)> =
        serde_json::from_str(include_str!("../../tests/vectors/scope_digests.json")).unwrap();
    assert!(vectors.len() >= 5);
    for (form, digest) in vectors {
        let rules = ScopeRules::from_canonical(serde_json::from_str(&form).unwrap()).unwrap();
        assert_eq!(rules.canonical(), form);
        assert_eq!(rules.digest().text(), digest, "{form}");
        assert_eq!(ScopeDigest::from_text(&digest), Some(rules.digest()));
    }
}

#[test]
fn what_is_at_its_default_is_not_there() {
    let least = ScopeRules {
        methods: set(&["GET"]).unwrap(),
        paths: set(&["/x"]).unwrap(),
        ..ScopeRules::default()
    };
    assert_eq!(least.canonical(), r#"{"methods":["GET"],"paths":["/x"],"v":1}"#);
}

/// The form and its digest, as SHA-256 of it was made before the newest fields were known: all that there was before, and
/// nothing of what came since. With each further field goes one more case, of the form as it is today.
#[test]
fn rules_without_the_newest_fields_have_the_digest_of_the_version_before() {
    let mut rules = whole();
    (rules.require.approvals, rules.require.basis) = (None, None);
    let form = concat!(
        r#"{"hosts":["*.example.com","orders.internal"],"max_stream":"1800s","methods":["GET","POST"],"#,
        r#""on_unavailable":"deny","paths":["/v1/orders","/v1/orders/{id}"],"redirects":"same_authority","#,
        r#""require":{"acr":["aal2"],"amr":["hwk","mfa"],"max_auth_age":"900s","max_lifetime":"1500ms","#,
        r#""roles":["oncall"],"sender_constrained":true,"source_cidrs":["10.0.0.0/8"]},"routes":["orders"],"#,
        r#""upgrades":["websocket"],"v":1}"#,
    );
    assert_eq!(rules.canonical(), form);
    assert_eq!(
        rules.digest().text(),
        "9cf5a0782d105f207f07f377c2208c92ff2ac541af67010ce000e2c30f6a0568"
    );
    // Only with one of the newest fields it is a form that the version before did not know.
    let newest: [fn(&mut ScopeRules); 2] = [
        |rules| rules.require.approvals = Some(1),
        |rules| rules.require.basis = Some([BasisWord(Basis::Approved)].into()),
    ];
    for set in newest {
        let mut newer = rules.clone();
        set(&mut newer);
        assert!(newer.canonical().ends_with(r#""v":2}"#), "{}", newer.canonical());
        assert_ne!(newer.digest(), rules.digest());
    }
}

/// A change of any field is another digest, and only the newest fields are of the newest version.
#[test]
fn each_field_is_in_the_digest() {
    let form: Value = serde_json::from_str(&whole().canonical()).unwrap();
    let mut digests = vec![whole().digest()];
    let mut without = |path: &[&str]| {
        let mut form = form.clone();
        let (last, before) = path.split_last().unwrap();
        let object = before.iter().fold(&mut form, |value, name| &mut value[*name]);
        object.as_object_mut().unwrap().remove(*last).unwrap();
        let rules = ScopeRules::from_canonical(form).unwrap();
        digests.push(rules.digest());
    };
    for name in ["hosts", "max_stream", "on_unavailable", "redirects", "routes", "upgrades"] {
        without(&[name]);
    }
    for name in form["require"].as_object().unwrap().keys() {
        without(&["require", name]);
    }
    without(&["require"]);
    for (name, value) in [("methods", json!(["GET"])), ("paths", json!(["/v1/orders"]))] {
        let mut form = form.clone();
        form[name] = value;
        digests.push(ScopeRules::from_canonical(form).unwrap().digest());
    }
    let all = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!((digests.len(), all), (all, 19));
}

#[test]
fn a_form_that_is_not_known_is_refused() {
    for (form, said) in [
        (json!({"v": 3, "methods": ["GET"], "paths": ["/"]}), "take a newer one"),
        (json!({"v": 0, "methods": ["GET"], "paths": ["/"]}), "take a newer one"),
        (json!({"methods": ["GET"], "paths": ["/"]}), "expected `v`"),
        (json!({"v": 1, "methods": ["GET"], "paths": ["/"], "more": 1}), "unknown field `more`"),
        (json!({"v": 1, "methods": ["GET"]}), "missing field `paths`"),
        (
            json!({"v": 1, "methods": ["GET"], "paths": ["/"], "max_stream": "soon"}),
            "expected a duration",
        ),
        (json!({"v": 1, "methods": ["GET"], "paths": ["/"], "on_unavailable": "ask"}), "\"allow\""),
        (
            json!({"v": 1, "methods": ["GET"], "paths": ["/"], "require": {"more": 1}}),
            "unknown field `more`",
        ),
        (json!([]), "expected an object"),
    ] {
        let refused = ScopeRules::from_canonical(form).unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_digest_is_64_lower_case_digits() {
    let digest = whole().digest();
    assert_eq!(serde_json::to_value(digest).unwrap(), digest.text());
    assert_eq!(serde_json::from_value::<ScopeDigest>(json!(digest.text())).unwrap(), digest);
    for text in ["", &digest.text().to_uppercase(), &digest.text().split_off(1), "x"] {
        assert_eq!(ScopeDigest::from_text(text), None, "{text}");
    }
}
