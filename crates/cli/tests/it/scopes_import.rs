//! `breakglass scopes import`: from a filter's configuration to a file of definitions.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use breakglass_core::config::Config;
use breakglass_server::definitions::Definitions;
use serde_json::{Value, json};

use crate::process::{Ran, breakglass};

/// A filter's configuration; its credential comes from the environment, where it is not set here.
fn configuration(audiences: &[&str], path: &str) -> Value {
    json!({
        "issuers": [{ "issuer": "https://approvals.test", "audiences": audiences, "algorithms": ["ES256"],
            "jwks": { "remote": { "cluster": "approvals", "authority": "approvals.test", "path": "/jwks" } } }],
        "scopes": [
            { "name": "orders:read", "methods": ["HEAD", "GET", "GET"], "paths": [path], "hosts": ["Orders.test"] },
            { "name": "orders:write", "methods": ["POST"], "paths": ["/v1/x"], "routes": ["a\u{202e}b"], "hosts": ["a.test"], "require": { "max_lifetime": "15m" },
              "cut": "finish", "same_digest": true },
        ],
        "revocation": { "introspection": { "cluster": "approvals", "authority": "approvals.test",
            "path": "/oauth2/introspect" }, "credential": { "env": "APPROVALS_TOKEN" } },
    })
}

fn import(text: &str, arguments: &[&str]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, text).unwrap();
    Ran::from(breakglass().args(["scopes", "import"]).arg(path).args(arguments).output().unwrap())
}

#[test]
fn prints_definitions_with_the_digests_that_the_filter_makes() {
    let configuration = configuration(&["prod", "staging"], "/v1/orders/{id}");
    let printed = import(&configuration.to_string(), &[]).done();
    assert!(!printed.contains('\u{202e}'), "nothing steers the terminal: {printed}");
    let file: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        file,
        json!({
            "audiences": ["prod", "staging"],
            "scopes": {
                "orders:read": { "hosts": ["orders.test"], "methods": ["GET", "HEAD"], "paths": ["/v1/orders/{id}"], "v": 1 },
                "orders:write": { "methods": ["POST"], "paths": ["/v1/x"], "routes": ["a\u{202e}b"], "hosts": ["a.test"], "require": { "max_lifetime": "900s" }, "v": 1 },
            },
        })
    );
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.json"), &printed).unwrap();
    let definitions = Definitions::read(directory.path(), &["a.json".into()]).unwrap();
    let placeholder = |_: &str| Some("x".to_owned());
    let config = Config::parse(configuration.to_string().as_bytes(), &placeholder).unwrap();
    for audience in ["prod", "staging"] {
        for (name, digest) in config.scopes.digests() {
            assert_eq!(definitions.get(audience, name).unwrap().digest, *digest, "{name}");
        }
    }
}

#[test]
fn finds_the_configuration_in_whatever_carries_it() {
    let one = configuration(&["prod"], "/v1/orders/{id}");
    let expected = import(&one.to_string(), &[]).done();
    let typed = |value: Value| json!({ "root_id": "breakglass", "configuration": { "@type": "t", "value": value } });
    let list = json!({ "items": [{ "spec": { "pluginConfig": one } }, { "spec": { "pluginConfig": { "a": 1 } } }] });
    let yaml = serde_yaml_ng::to_string(&one).unwrap();
    for (carrier, arguments) in [
        (yaml.clone(), &[] as &[&str]),
        (format!("kind: Other\n---\n{yaml}"), &["--audience", "prod"]),
        (json!({ "static_resources": [typed(json!(one.to_string()))] }).to_string(), &[]),
        (json!({ "static_resources": [typed(one.clone())] }).to_string(), &[]),
        // Two listeners with the same rules.
        (json!([typed(one.clone()), typed(json!(one.to_string()))]).to_string(), &[]),
        (serde_yaml_ng::to_string(&list).unwrap(), &[]),
    ] {
        assert_eq!(import(&carrier, arguments).done(), expected, "{carrier}");
    }
    let mut child = breakglass()
        .args(["scopes", "import", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(yaml.as_bytes()).unwrap();
    assert_eq!(Ran::from(child.wait_with_output().unwrap()).done(), expected);
}

#[test]
fn what_cannot_be_imported_says_why() {
    let (prod, staging) = (configuration(&["prod"], "/a"), configuration(&["staging"], "/b"));
    let other = configuration(&["prod"], "/b");
    let mut wrong = prod.clone();
    wrong["scopes"][0]["paths"] = json!(["x"]);
    for (text, arguments, expected) in [
        (
            json!([prod, staging]),
            &[] as &[&str],
            "configurations for different audiences: import them one by one",
        ),
        (json!([prod, other]), &[], "define `orders:read` differently for the same audience"),
        (
            prod.clone(),
            &["--audience", "test"],
            "--audience test: no issuer of the configuration has it; there are: prod",
        ),
        (json!({ "a": 1 }), &[], "no configuration of a filter is in it"),
        (json!("a: b: c"), &[], "no configuration of a filter is in it"),
        (wrong, &[], "scopes[0].paths[0]: "),
    ] {
        let ran = import(&text.to_string(), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{expected}: {ran:?}");
    }
    assert!(import("a: b: c", &[]).stderr.contains("expected JSON or YAML"));
    let both = json!([prod, staging]).to_string();
    let one: Value =
        serde_json::from_str(&import(&both, &["--audience", "staging"]).done()).unwrap();
    assert_eq!(
        (&one["audiences"], &one["scopes"]["orders:read"]["paths"]),
        (&json!(["staging"]), &json!(["/b"]))
    );
    let gone = Ran::from(breakglass().args(["scopes", "import", "/nowhere"]).output().unwrap());
    assert!(gone.code == 3 && gone.stderr.contains("/nowhere: "), "{gone:?}");
}

/// The shipped configurations can be imported as they are.
#[test]
fn what_is_shipped_can_be_imported() {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "envoy"].iter().collect();
    for file in ["envoy.yaml", "gateway/envoyextensionpolicy.yaml"] {
        let ran = Ran::from(
            breakglass().args(["scopes", "import"]).arg(root.join(file)).output().unwrap(),
        );
        let imported: Value = serde_json::from_str(&ran.done()).unwrap();
        assert!(imported["scopes"].as_object().is_some_and(|scopes| !scopes.is_empty()), "{file}");
    }
}
