//! Groups: known, none, or unknown; and what a person may be shown.

use breakglass_identity::{ExpectedIdToken, Groups, IdentityProvider, Person, Userinfo};
use serde_json::{Value, json};

use crate::support::{TestIssuer, body, example, keycloak};

const NOW: u64 = 1_795_673_720;

/// The groups and the person by an ID token of Keycloak with these claims changed, and by what userinfo says.
fn read(
    entry: &IdentityProvider,
    changes: Value,
    userinfo: Option<&Userinfo>,
) -> (Groups, Result<Person, String>) {
    let issuer = TestIssuer::new("k");
    let mut token = example("keycloak-id_token-pwd.json");
    for (claim, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(token["payload"].as_object_mut().unwrap().remove(claim)),
            false => token["payload"][claim] = value.clone(),
        }
    }
    let expected = ExpectedIdToken { provider: entry, nonce: "a798fddbbcc68466" };
    let verified = issuer.verify(&issuer.sign_example(&token), &expected, NOW).unwrap();
    let person = Person::read(entry, verified.identity(), userinfo);
    let groups = Groups::read(entry, verified.identity(), userinfo);
    (groups, person.map_err(|error| error.to_string()))
}

fn is_unknown(groups: &Groups, said: &str) -> bool {
    matches!(groups, Groups::Unknown(why) if why.contains(said)) && groups.contains("x").is_none()
}

#[test]
fn groups_are_complete_where_the_claim_is_there_and_unknown_where_not() {
    let entry = keycloak("algorithms = ['ES256']");
    let groups = |changes: Value| read(&entry, changes, None).0;
    let known = groups(json!({}));
    assert_eq!(known, Groups::Known(vec!["/sre/payments".to_owned()]));
    assert_eq!(
        (known.contains("/sre/payments"), known.contains("/sre")),
        (Some(true), Some(false))
    );
    // An empty list is an answer.
    assert_eq!(groups(json!({"groups": []})), Groups::None);
    assert_eq!(Groups::None.contains("/sre"), Some(false));
    for (changes, said) in [
        (json!({"groups": null}), "has no claim `groups`"),
        (json!({"groups": "/sre/payments"}), "a list of texts"),
        (json!({"groups": ["/sre", 7]}), "a list of texts"),
        (json!({"groups": {"/sre": true}}), "a list of texts"),
        (json!({"groups": vec!["g"; 4097]}), "at most 4096"),
    ] {
        assert!(is_unknown(&groups(changes.clone()), said), "{changes}");
    }
    // A name that no configuration can have is not one of them; others are compared as they are.
    let odd = groups(json!({"groups": ["x".repeat(257), "", "\u{202e}x"]}));
    assert_eq!(odd, Groups::Known(vec!["\u{202e}x".to_owned()]));
}

#[test]
fn an_absent_claim_is_none_only_where_the_entry_says_so() {
    let entry = keycloak("algorithms = ['ES256']\ngroups_absent = 'none'");
    assert_eq!(read(&entry, json!({"groups": null}), None).0, Groups::None);
    // Never one that Entra left out for its size, whichever way it says so.
    for overage in [
        json!({"groups": null, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}}),
        json!({"groups": ["a"], "_claim_names": {"groups": "src1"}}),
        json!({"groups": null, "hasgroups": true}),
        json!({"groups": null, "hasgroups": "true"}),
    ] {
        assert!(
            is_unknown(&read(&entry, overage.clone(), None).0, "left `groups` out"),
            "{overage}"
        );
    }
}

#[test]
fn userinfo_counts_for_the_same_person_alone() {
    let sub = "205ea049-48e3-4401-b32e-43eff045bb2a";
    let entry = keycloak("algorithms = ['ES256']\ngroups_from = 'userinfo'");
    let userinfo = Userinfo::read(&body("keycloak-userinfo.json"), sub).unwrap();
    let (groups, _) = read(&entry, json!({"groups": ["/of/the/token"]}), Some(&userinfo));
    assert_eq!(groups, Groups::Known(vec!["/sre/payments".to_owned()]));
    assert!(is_unknown(&read(&entry, json!({}), None).0, "was not asked"));
    for (body, said) in [
        (body("keycloak-userinfo.json"), "another person's"),
        (b"{}".to_vec(), "expected a JSON object with `sub`"),
        (b"[]".to_vec(), "expected a JSON object with `sub`"),
        (b"<html>".to_vec(), "userinfo:"),
        (br#"{"sub":"mallory","sub":"mallory2"}"#.to_vec(), "twice"),
    ] {
        let error = Userinfo::read(&body, "mallory").unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn a_person_is_known_by_what_does_not_change() {
    let entry = keycloak("algorithms = ['ES256']");
    let person = read(&entry, json!({}), None).1.unwrap();
    assert_eq!(person.subject, "205ea049-48e3-4401-b32e-43eff045bb2a");
    assert_eq!((person.provider.as_str(), person.issuer), ("corp", entry.issuer.clone()));
    assert_eq!(person.name.as_deref(), Some("Alice Archer"));
    assert_eq!(person.mail.as_deref(), Some("alice@corp.example"));
    // Renamed: the same person.
    let renamed = json!({"name": "Bob", "email": "bob@corp.example", "preferred_username": "bob"});
    let renamed = read(&entry, renamed, None).1.unwrap();
    assert_eq!(renamed.subject, person.subject);
    // Hostile text is shown without what steers a terminal, and not at length.
    let hostile = format!("\u{1b}]0;x\u{7}\u{202e}\n{}", "A".repeat(10_000));
    let hostile = read(&entry, json!({"name": hostile, "email": " \t "}), None).1.unwrap();
    let name = hostile.name.unwrap();
    assert!(
        name.starts_with("\u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}A") && name.ends_with("A…"),
        "{name}"
    );
    assert_eq!((name.chars().count(), hostile.mail), (129, None));
    // For showing, userinfo may know more; who it is, it never says.
    let userinfo =
        br#"{"sub":"205ea049-48e3-4401-b32e-43eff045bb2a","name":"From Userinfo","oid":"o"}"#;
    let userinfo = Userinfo::read(userinfo, &person.subject).unwrap();
    let nameless = json!({"name": null, "preferred_username": null});
    let person = read(&entry, nameless, Some(&userinfo)).1.unwrap();
    assert_eq!(person.name.as_deref(), Some("From Userinfo"));
    let entra = keycloak("algorithms = ['ES256']\nsubject = ['tid', 'oid']");
    let error = read(&entra, json!({"tid": "t"}), Some(&userinfo)).1.unwrap_err();
    assert!(error.starts_with("ID token: `oid` says who a person is"), "{error}");
}

#[test]
fn a_subject_of_several_claims_is_one_persons() {
    let entry = keycloak("algorithms = ['ES256']\nsubject = ['tid', 'oid']");
    let subject = |tid: Value, oid: Value| {
        read(&entry, json!({"tid": tid, "oid": oid}), None).1.map(|person| person.subject)
    };
    assert_eq!(subject(json!("t"), json!("o")).as_deref(), Ok("t/o"));
    for (tid, oid) in [
        (json!("t/o"), json!("x")),
        (json!("t"), json!("o/x")),
        (json!(""), json!("o")),
        (json!(7), json!("o")),
        (json!("t"), json!("o\u{200b}")),
        (json!("t"), json!(["o"])),
    ] {
        assert!(subject(tid.clone(), oid.clone()).is_err(), "{tid} {oid}");
    }
}

/// An address is written to only where the provider has verified that very one: nothing of it was cut or replaced for showing.
#[test]
fn a_mail_address_is_verified_by_the_answer_that_has_it() {
    let entry = keycloak("algorithms = ['ES256']");
    let subject = read(&entry, json!({}), None).1.unwrap().subject;
    let userinfo = |more: serde_json::Value| {
        let mut body = json!({ "sub": subject });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Userinfo::read(body.to_string().as_bytes(), &subject).unwrap()
    };
    let long = format!("{}@corp.example", "a".repeat(200));
    for (token, asked, expected) in [
        (json!({ "email": "a@x.test", "email_verified": true }), json!({}), true),
        (json!({ "email": "a@x.test", "email_verified": "true" }), json!({}), true),
        (json!({ "email": "a@x.test", "email_verified": false }), json!({}), false),
        (json!({ "email": "a@x.test", "email_verified": null }), json!({}), false),
        (json!({ "email": "a@x.test", "email_verified": 1 }), json!({}), false),
        (
            json!({ "email": null, "email_verified": null }),
            json!({ "email": "a@x.test", "email_verified": true }),
            true,
        ),
        // That of the one says nothing of that of the other.
        (
            json!({ "email": "a@x.test", "email_verified": null }),
            json!({ "email": "b@x.test", "email_verified": true }),
            false,
        ),
        (json!({ "email": "a@x.test\r\nBcc: b@x.test", "email_verified": true }), json!({}), false),
        (json!({ "email": long, "email_verified": true }), json!({}), false),
    ] {
        let said = userinfo(asked.clone());
        let person = read(&entry, token.clone(), Some(&said)).1.unwrap();
        assert_eq!(person.mail_verified, expected, "{token} {asked}");
    }
}
