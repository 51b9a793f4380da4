//! A whole configuration with one field wrong: exactly that field is named.

use serde_json::{Value, json};

use crate::support::{Key, parse, test};

/// Every kind of field that the cases change; what requires something is `scopes[2]`.
fn whole() -> Value {
    json!({
        "issuers": [{
            "issuer": "https://issuer.example", "audiences": ["payments-prod"],
            "algorithms": ["ES256"], "typ": ["breakglass+jwt"], "max_lifetime": "1h",
            "jwks": {"inline": {"keys": [Key::new(1).jwk()]}},
        }],
        "protected": [{"paths": ["/admin/**"]}],
        "ceiling": [{"methods": ["DELETE"], "paths": ["/v1/ledger/**"]}],
        "scopes": [
            {"name": "orders:read", "methods": ["GET", "HEAD"],
             "paths": ["/v1/orders", "/v1/orders/{id}"]},
            {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"]},
            {"name": "needs:all", "hosts": ["billing.internal"], "methods": ["GET"],
             "paths": ["/needs"], "require": {"roles": ["oncall"], "max_auth_age": "15m",
                "source_cidrs": ["10.0.0.0/8", "2001:db8::/32"], "sender_constrained": true}},
        ],
        "revocation": {
            "introspection": {"cluster": "approvals", "authority": "approvals.internal",
                "path": "/oauth2/introspect", "timeout": "500ms", "cache": "5s"},
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"},
            "max_staleness": "10s", "on_unavailable": "deny",
        },
        "alerts": {"cluster": "approvals", "authority": "approvals.internal", "path": "/v1/alerts",
            "timeout": "2s"},
    })
}

/// What is wrong with it: the paths in order, without repetition, and all of the text.
fn wrong(config: &Value) -> (Vec<String>, String) {
    let errors = parse(config).err().unwrap_or_default();
    let text = format!("{errors:?}");
    let mut paths: Vec<_> = errors.into_iter().map(|error| error.path).collect();
    paths.sort();
    paths.dedup();
    (paths, text)
}

/// With one place changed, exactly this one is named.
fn refuses(cases: &[(&str, Value, &str)]) {
    assert_eq!(wrong(&whole()).0, [""; 0]);
    for (pointer, value, path) in cases {
        let mut changed = whole();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(parent).unwrap();
        match member.parse::<usize>() {
            Ok(index) => parent[index] = value.clone(),
            Err(_) => parent[member] = value.clone(),
        }
        assert_eq!(wrong(&changed).0, [*path], "{pointer} = {value}");
    }
}

#[test]
fn a_field_that_nobody_knows_is_named_wherever_it_is() {
    let x = json!("x");
    refuses(&[
        ("/isuers", x.clone(), "isuers"),
        ("/issuers/0/audience", x.clone(), "issuers[0].audience"),
        ("/issuers/0/jwks/url", x.clone(), "issuers[0].jwks.url"),
        ("/scopes/0/path", x.clone(), "scopes[0].path"),
        ("/scopes/2/require/role", x.clone(), "scopes[2].require.role"),
        ("/protected/0/path", x.clone(), "protected[0].path"),
        ("/ceiling/0/scope", x.clone(), "ceiling[0].scope"),
        ("/revocation/introspect", x.clone(), "revocation.introspect"),
        ("/revocation/introspection/url", x.clone(), "revocation.introspection.url"),
        ("/revocation/credential/token", x.clone(), "revocation.credential.token"),
        ("/alerts/url", x, "alerts.url"),
    ]);
}

#[test]
fn a_value_of_another_type_is_named() {
    refuses(&[
        ("/issuers", json!({}), "issuers"),
        ("/issuers/0", json!("x"), "issuers[0]"),
        ("/issuers/0/audiences", json!("payments-test"), "issuers[0].audiences"),
        ("/issuers/0/max_lifetime", json!(3600), "issuers[0].max_lifetime"),
        ("/scopes/0/paths", json!("/v1/orders"), "scopes[0].paths"),
        ("/scopes/0/methods/1", json!(7), "scopes[0].methods[1]"),
        (
            "/scopes/2/require/sender_constrained",
            json!("yes"),
            "scopes[2].require.sender_constrained",
        ),
        ("/clock_skew", json!(5), "clock_skew"),
        ("/max_token_bytes", json!("8192"), "max_token_bytes"),
        ("/revocation/introspection/timeout", json!(null), "revocation.introspection.timeout"),
        ("/alerts", json!("x"), "alerts"),
        ("/alerts/timeout", json!(2), "alerts.timeout"),
    ]);
}

#[test]
fn a_list_without_entries_never_means_all() {
    refuses(&[
        ("/issuers", json!([]), "issuers"),
        ("/issuers/0/audiences", json!([]), "issuers[0].audiences"),
        ("/issuers/0/algorithms", json!([]), "issuers[0].algorithms"),
        ("/issuers/0/typ", json!([]), "issuers[0].typ"),
        ("/issuers/0/jwks/inline/keys", json!([]), "issuers[0].jwks.inline.keys"),
        ("/issuers/0/jwks", json!({}), "issuers[0].jwks"),
        ("/token_sources", json!([]), "token_sources"),
        ("/protected", json!([]), "protected"),
        ("/protected/0", json!({}), "protected[0]"),
        ("/ceiling", json!([]), "ceiling"),
        ("/ceiling/0/methods", json!([]), "ceiling[0].methods"),
        ("/scopes", json!([]), "scopes"),
        ("/scopes/0/methods", json!([]), "scopes[0].methods"),
        ("/scopes/0/paths", json!([]), "scopes[0].paths"),
        ("/scopes/0/hosts", json!([]), "scopes[0].hosts"),
        ("/scopes/0/routes", json!([]), "scopes[0].routes"),
        ("/scopes/2/require/roles", json!([]), "scopes[2].require.roles"),
        ("/scopes/2/require/source_cidrs", json!([]), "scopes[2].require.source_cidrs"),
    ]);
}

#[test]
fn a_path_that_is_no_template_is_named() {
    let wrong = [
        "",
        "v1/orders",
        "/v1/**/x",
        "/v1/**x",
        "/v1/*",
        "/v1/{id",
        "/v1/id}",
        "/v1/{}",
        "/v1/x{id}",
        "/v1//x",
        "/v1/../x",
        "/v1/./x",
        "/v1/x?y",
        "/v1/x#y",
        "/v1/%2e",
        "/v1/x;y",
        "/v1/a\\b",
    ];
    let cases: Vec<_> =
        wrong.iter().map(|path| ("/scopes/0/paths/1", json!(path), "scopes[0].paths[1]")).collect();
    refuses(&cases);
}

#[test]
fn a_value_that_means_nothing_is_named() {
    refuses(&[
        ("/issuers/0/issuer", json!(""), "issuers[0].issuer"),
        ("/issuers/0/algorithms/0", json!("none"), "issuers[0].algorithms[0]"),
        ("/issuers/0/algorithms/0", json!("HS256"), "issuers[0].algorithms[0]"),
        ("/issuers/0/algorithms/0", json!("es256"), "issuers[0].algorithms[0]"),
        ("/issuers/0/max_lifetime", json!("1 hour"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("0s"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("-1h"), "issuers[0].max_lifetime"),
        ("/issuers/0/max_lifetime", json!("99999999999999999999s"), "issuers[0].max_lifetime"),
        ("/issuers/0/jwks/inline/keys/0/kty", json!("oct"), "issuers[0].jwks.inline.keys[0]"),
        ("/issuers/0/jwks/inline/keys/0/x", json!("AAAA"), "issuers[0].jwks.inline.keys[0]"),
        ("/clock_skew", json!("5 parsecs"), "clock_skew"),
        ("/enforcement", json!("maybe"), "enforcement"),
        ("/unauthenticated", json!("allow"), "unauthenticated"),
        ("/token_sources", json!([{"header": "not a header"}]), "token_sources[0].header"),
        ("/token_sources", json!([{"header": ""}]), "token_sources[0].header"),
        ("/max_token_bytes", json!(0), "max_token_bytes"),
        ("/max_token_bytes", json!(1_048_576), "max_token_bytes"),
        ("/max_token_bytes", json!(-1), "max_token_bytes"),
        ("/max_token_bytes", json!(700.5), "max_token_bytes"),
        ("/protected/0/paths/0", json!("admin"), "protected[0].paths[0]"),
        ("/scopes/0/name", json!(""), "scopes[0].name"),
        ("/scopes/0/name", json!("two words"), "scopes[0].name"),
        ("/scopes/1/name", json!("orders:read"), "scopes[1].name"),
        ("/scopes/0/methods/0", json!("GE T"), "scopes[0].methods[0]"),
        ("/scopes/0/methods/0", json!(""), "scopes[0].methods[0]"),
        ("/scopes/2/hosts/0", json!("a b"), "scopes[2].hosts[0]"),
        ("/scopes/2/hosts/0", json!("*"), "scopes[2].hosts[0]"),
        ("/scopes/2/hosts/0", json!("a.*.b"), "scopes[2].hosts[0]"),
        ("/scopes/0/on_unavailable", json!("shrug"), "scopes[0].on_unavailable"),
        ("/scopes/2/require/max_auth_age", json!("soon"), "scopes[2].require.max_auth_age"),
        (
            "/scopes/2/require/source_cidrs/0",
            json!("10.0.0.0/33"),
            "scopes[2].require.source_cidrs[0]",
        ),
        (
            "/scopes/2/require/source_cidrs/1",
            json!("2001:db8::/129"),
            "scopes[2].require.source_cidrs[1]",
        ),
        ("/scopes/2/require/source_cidrs/0", json!("10.0.0"), "scopes[2].require.source_cidrs[0]"),
        ("/revocation", json!({}), "revocation"),
        ("/revocation/on_unavailable", json!("perhaps"), "revocation.on_unavailable"),
        ("/revocation/introspection/timeout", json!("0s"), "revocation.introspection.timeout"),
        ("/revocation/introspection/cluster", json!(""), "revocation.introspection.cluster"),
        ("/revocation/introspection/path", json!("oauth2"), "revocation.introspection.path"),
        ("/alerts/timeout", json!("0s"), "alerts.timeout"),
        ("/alerts/timeout", json!("61s"), "alerts.timeout"),
        ("/alerts/path", json!("v1/alerts"), "alerts.path"),
        ("/revocation/credential/env", json!(""), "revocation.credential.env"),
        ("/revocation/credential/env", json!("NOT_SET_ANYWHERE"), "revocation.credential.env"),
    ]);
}

#[test]
fn what_is_missing_is_named() {
    for (parent, member, path) in [
        ("", "issuers", "issuers"),
        ("", "scopes", "scopes"),
        ("/issuers/0", "issuer", "issuers[0].issuer"),
        ("/issuers/0", "audiences", "issuers[0].audiences"),
        ("/issuers/0", "jwks", "issuers[0].jwks"),
        ("/scopes/0", "name", "scopes[0].name"),
        ("/scopes/0", "methods", "scopes[0].methods"),
        ("/scopes/0", "paths", "scopes[0].paths"),
        ("/revocation/introspection", "cluster", "revocation.introspection.cluster"),
    ] {
        let mut filter = whole();
        let place = filter.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(place.remove(member).is_some(), "{path}");
        assert_eq!(wrong(&filter).0, [path]);
    }
}

#[test]
fn an_error_does_not_repeat_a_secret() {
    let mut filter = whole();
    filter["revocation"]["credential"] = json!({"token": "hunter2"});
    let (paths, text) = wrong(&filter);
    assert!(paths.contains(&"revocation.credential.token".to_owned()), "{paths:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
