//! `breakglass scopes narrow`: what a scope opens against what it was used for.

use breakglass_core::config::Config;
use serde_json::{Value, json};

use crate::stand_in::{Reply, StandIn, good};

/// A service whose answer is changed.
fn changed(change: fn(&mut Value)) -> StandIn {
    StandIn::start(move |_, call| match good(call) {
        Reply::Json(200, mut answer) => {
            change(&mut answer);
            Reply::Json(200, answer)
        }
        other => other,
    })
}

#[test]
fn what_was_never_used_is_left_out_of_the_proposal() {
    let service = StandIn::start(|_, call| good(call));
    let ran = service.run(&["scopes", "narrow", "orders:read", "--since", "2026-11-01T00:00:00Z"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let sent = service.calls().into_iter().last().unwrap();
    assert_eq!(sent.path, "/v1/scopes/uses?scope=orders%3Aread&since=2026-11-01T00%3A00%3A00Z");
    for line in [
        "were used for. Proxies reported records of 3 of them;",
        "# Left out, never used: methods: HEAD",
        "# Left out, never used: paths: /v1/orders/{id}",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {ran:?}");
    }
    // A filter takes it as it is.
    let scopes = ran.stdout.split_once("scopes:\n").unwrap().1;
    let (name, rest) =
        scopes.trim_start().strip_prefix("- name: ").unwrap().split_once('\n').unwrap();
    let mut scope = json!({ "name": serde_json::from_str::<Value>(name).unwrap() });
    for line in rest.lines() {
        let (member, value) = line.trim().split_once(": ").unwrap();
        scope[member] = serde_json::from_str(value).unwrap();
    }
    let expected = json!({ "name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "require": { "max_lifetime": "900s" } });
    assert_eq!(scope, expected);
    let filter = json!({ "issuers": [{ "issuer": "https://a.test", "audiences": ["prod"],
            "jwks": { "remote": { "cluster": "a", "authority": "a.test", "path": "/jwks" } } }],
        "scopes": [scope], "revocation": { "on_unavailable": "allow" } });
    Config::parse(filter.to_string().as_bytes(), &|_| None).unwrap();
    let json = service.run(&["scopes", "narrow", "orders:read", "--json"]).json();
    assert_eq!(json["proposal"], expected);
}

#[test]
fn nothing_is_proposed_where_not_all_is_known() {
    for (change, words) in [
        (
            (|answer| answer["other_records"] = json!(5)) as fn(&mut Value),
            "5 records of these grants are of no known kind",
        ),
        (|answer| answer["more"] = json!(true), "there are more than the 4 grants"),
        (
            |answer| answer["removed_before"] = json!("2099-01-01T00:00:00Z"),
            "reported before 2099-01-01T00:00:00Z is gone",
        ),
    ] {
        let service = changed(change);
        let ran = service.run(&["scopes", "narrow", "orders:read"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains(words) && ran.stderr.contains("`--anyway`"), "{ran:?}");
        assert_eq!(
            service.run(&["scopes", "narrow", "orders:read", "--json"]).json()["proposal"],
            Value::Null
        );
        let anyway = service.run(&["scopes", "narrow", "orders:read", "--anyway"]);
        assert_eq!(anyway.code, 0, "{anyway:?}");
        assert!(anyway.stdout.contains(&"# NOT KNOWN: ".to_owned()), "{anyway:?}");
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let undefined = changed(|answer| drop(answer.as_object_mut().unwrap().remove("rules")));
    let ran = undefined.run(&["scopes", "narrow", "orders:read", "--anyway"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("the service has no definition of the scope"), "{ran:?}");
    let unused = changed(|answer| answer["uses"] = json!([]));
    let ran = unused.run(&["scopes", "narrow", "orders:read"]);
    assert!(ran.stderr.starts_with("no grant was used for anything"), "{ran:?}");
    let elsewhere = changed(|answer| answer["uses"][1]["outcome"] = json!("cut"));
    let ran = elsewhere.run(&["scopes", "narrow", "orders:read"]);
    assert!(ran.stdout.contains("methods: [\"GET\",\"HEAD\"]"), "{ran:?}");
    let service = StandIn::start(|_, call| good(call));
    for since in ["yesterday", "0s", "9999y"] {
        assert_eq!(
            service.run(&["scopes", "narrow", "orders:read", "--since", since]).code,
            3,
            "{since}"
        );
    }
    assert_eq!(service.run(&["scopes", "--all", "narrow", "orders:read"]).code, 3);
}
