//! Configurations: every error at once, each with its path.

use serde_json::{Value, json};

use crate::support::{Key, asking_config, config, parse, test, with};

/// The paths of the errors, in order.
fn wrong(config: &Value) -> Vec<String> {
    match parse(config) {
        Ok(_) => Vec::new(),
        Err(errors) => {
            for error in &errors {
                assert!(!error.message.is_empty());
            }
            let mut paths: Vec<_> = errors.into_iter().map(|error| error.path).collect();
            paths.sort();
            paths
        }
    }
}

#[test]
fn takes_the_smallest_configuration_and_the_largest() {
    assert_eq!(wrong(&config()), [""; 0]);
    let largest = json!({
        "issuers": [{
            "issuer": "https://approvals.internal", "audiences": ["payments-prod"],
            "algorithms": ["ES256", "EdDSA", "ES384", "RS256", "PS256"],
            "typ": ["breakglass+jwt"], "max_lifetime": "1h",
            "jwks": {
                "remote": {"cluster": "approvals", "authority": "approvals.internal",
                    "path": "/.well-known/jwks.json", "refresh": "300s", "timeout": "1s"},
                "inline": {"keys": [Key::new(1).jwk()]},
            },
        }],
        "token_sources": [
            {"header": "x-breakglass-token"},
            {"header": "authorization", "scheme": "Bearer", "forward": true},
        ],
        "max_token_bytes": 8192, "clock_skew": "5s", "enforcement": "shadow",
        "unauthenticated": "deny",
        "protected": [{"paths": ["/admin/**"]}],
        "ceiling": [{"methods": ["DELETE"], "hosts": ["*.internal"], "paths": ["/v1/ledger/**"]}],
        "harmless_method_overrides": ["X-HTTP-Method"],
        "harmless_second_resources": ["X-Original-URL"],
        "scopes": [{
            "name": "orders:read", "hosts": ["orders.internal"], "routes": ["orders"],
            "methods": ["GET", "HEAD"], "paths": ["/v1/orders/{id}/items/**"],
            "require": {"roles": ["oncall"], "amr": ["mfa"], "acr": ["aal2"],
                "max_auth_age": "15m", "source_cidrs": ["10.0.0.0/8", "2001:db8::/32"],
                "max_lifetime": "30m", "sender_constrained": true},
            "on_unavailable": "allow",
        }],
        "revocation": {
            "feed": {"cluster": "approvals", "authority": "approvals.internal",
                "path": "/v1/revocations", "wait": "25s"},
            "introspection": {"cluster": "approvals", "authority": "approvals.internal",
                "path": "/oauth2/introspect", "timeout": "500ms", "cache": "5s"},
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"},
            "max_staleness": "10s", "on_unavailable": "deny", "unavailable_for": "15m",
        },
    });
    assert_eq!(wrong(&largest), [""; 0]);
}

#[test]
fn takes_every_object_with_nothing_but_what_it_requires() {
    let endpoint = json!({"cluster": "approvals", "authority": "approvals.internal", "path": "/x"});
    let least = json!({
        "issuers": [{"issuer": "https://approvals.internal", "audiences": ["payments-prod"],
            "jwks": {"remote": endpoint}}],
        "token_sources": [{"header": "x-breakglass-token"}],
        "scopes": [{"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
            "require": {}, "request_body": {"capture": {}}, "response_body": {"capture": {}}}],
        "revocation": {"feed": endpoint, "introspection": endpoint,
            "credential": {"env": "BREAKGLASS_PROXY_TOKEN"}},
        "audit": {"heads": endpoint},
        "alerts": endpoint,
    });
    assert_eq!(wrong(&least), [""; 0]);
    // What is left out is what the default says, as if it were written.
    let defaults = json!({"token_sources": [{"header": "x-breakglass-token", "forward": false}],
        "max_token_bytes": 8192, "clock_skew": "5s", "enforcement": "enforce",
        "unauthenticated": "pass"});
    let reading = |config: &Value| format!("{:?}", parse(config).unwrap());
    assert_eq!(reading(&least), reading(&with(least.clone(), defaults)));
    let without_sources = with(least.clone(), json!({"token_sources": null}));
    assert_eq!(reading(&without_sources), reading(&least));
}

#[test]
fn names_every_wrong_field_at_once() {
    let broken = json!({
        "issuers": [{"issuer": "", "audiences": [], "algorithms": ["none"], "max_lifetime": "soon",
            "jwks": {"remote": {"cluster": "c", "authority": "a b", "path": "x"}}, "typo": 1}],
        "scopes": [{"name": "a b", "methods": ["get"], "paths": ["/x/../y"],
            "require": {"source_cidrs": ["10.0.0.1/8"], "role": ["x"]}}],
        "clock_skew": 5,
        "revocation": {"on_unavailable": "maybe"},
        "enforce": true,
    });
    assert_eq!(
        wrong(&broken),
        [
            "clock_skew",
            "enforce",
            "issuers[0].algorithms[0]",
            "issuers[0].audiences",
            "issuers[0].issuer",
            "issuers[0].jwks.remote.authority",
            "issuers[0].jwks.remote.path",
            "issuers[0].max_lifetime",
            "issuers[0].typo",
            "revocation.on_unavailable",
            "scopes[0].methods[0]",
            "scopes[0].name",
            "scopes[0].paths[0]",
            "scopes[0].require.role",
            "scopes[0].require.source_cidrs[0]",
        ]
    );
}

#[test]
fn names_the_field_that_is_wrong_by_itself() {
    let scope = |change: Value| json!({"scopes": [with(json!({"name": "x", "methods": ["GET"], "paths": ["/x"]}), change)]});
    let issuer = |change: Value| {
        let keys = json!({"inline": {"keys": [Key::new(1).jwk()]}});
        json!({"issuers": [with(json!({"issuer": "i", "audiences": ["a"], "jwks": keys}), change)]})
    };
    let inline = |change: Value| {
        issuer(json!({"jwks": {"inline": {"keys": [with(Key::new(1).jwk(), change)]}}}))
    };
    let key = Key::new(1).jwk();
    for (path, change) in [
        ("issuers", json!({"issuers": null})),
        ("issuers", json!({"issuers": []})),
        ("issuers", json!({"issuers": {}})),
        ("issuers[0]", json!({"issuers": ["x"]})),
        ("issuers[0].issuer", issuer(json!({"issuer": 5}))),
        ("issuers[0].audiences", issuer(json!({"audiences": "a"}))),
        ("issuers[0].audiences[0]", issuer(json!({"audiences": [""]}))),
        ("issuers[0].algorithms", issuer(json!({"algorithms": []}))),
        ("issuers[0].algorithms[0]", issuer(json!({"algorithms": ["HS256"]}))),
        ("issuers[0].typ", issuer(json!({"typ": []}))),
        ("issuers[0].max_lifetime", issuer(json!({"max_lifetime": "0s"}))),
        ("issuers[0].jwks", issuer(json!({"jwks": {}}))),
        ("issuers[0].jwks.inline.keys", issuer(json!({"jwks": {"inline": {"keys": []}}}))),
        ("issuers[0].jwks.inline.keys", issuer(json!({"jwks": {"inline": {"keys": [key, key]}}}))),
        ("issuers[0].jwks.inline", issuer(json!({"algorithms": ["EdDSA"]}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"d": "secret"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"kid": null}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"use": "enc"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"alg": "HS256"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"alg": "ES384"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"crv": "P-521"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"x": "AAAA"}))),
        ("issuers[0].jwks.inline.keys[0]", inline(json!({"kty": "oct", "k": "AAAA"}))),
        ("token_sources", json!({"token_sources": []})),
        ("token_sources[0].scheme", json!({"token_sources": [{"header": "authorization"}]})),
        ("token_sources[0].header", json!({"token_sources": [{"header": "a b"}]})),
        ("token_sources[0].header", json!({"token_sources": [{"header": ":path"}]})),
        ("token_sources[1].header", json!({"token_sources": [{"header": "a"}, {"header": "A"}]})),
        ("max_token_bytes", json!({"max_token_bytes": 100})),
        ("max_token_bytes", json!({"max_token_bytes": 1e9})),
        ("clock_skew", json!({"clock_skew": "2m"})),
        ("enforcement", json!({"enforcement": "dry-run"})),
        ("unauthenticated", json!({"unauthenticated": true})),
        ("protected", json!({"protected": []})),
        ("protected[0]", json!({"protected": [{}]})),
        ("protected[0].path", json!({"protected": [{"path": "/admin", "paths": ["/admin"]}]})),
        ("ceiling[0].paths[0]", json!({"ceiling": [{"paths": ["admin"]}]})),
        ("ceiling[0].methods", json!({"ceiling": [{"methods": []}]})),
        ("scopes", json!({"scopes": null})),
        ("scopes", json!({"scopes": []})),
        ("scopes[0].name", scope(json!({"name": null}))),
        ("scopes[0].hosts", scope(json!({"hosts": []}))),
        ("scopes[0].hosts[0]", scope(json!({"hosts": ["https://x"]}))),
        ("scopes[0].routes", scope(json!({"routes": []}))),
        ("scopes[0].methods", scope(json!({"methods": null}))),
        ("scopes[0].paths", scope(json!({"paths": []}))),
        ("scopes[0].paths[0]", scope(json!({"paths": ["/x/**/y"]}))),
        ("scopes[0].require.acr", scope(json!({"require": {"acr": []}}))),
        ("scopes[0].require.amr[0]", scope(json!({"require": {"amr": [5]}}))),
        ("scopes[0].require.max_auth_age", scope(json!({"require": {"max_auth_age": "x"}}))),
        ("scopes[0].require.scopes", scope(json!({"require": {"scopes": ["unknown"]}}))),
        (
            "scopes[0].require.sender_constrained",
            scope(json!({"require": {"sender_constrained": 1}})),
        ),
        ("scopes[0].on_unavailable", scope(json!({"on_unavailable": "pass"}))),
        (
            "revocation.unavailable_for",
            json!({"revocation": {"on_unavailable": "allow", "unavailable_for": "0s"}}),
        ),
        ("revocation", json!({"revocation": null})),
        ("revocation", json!({"revocation": {}})),
        (
            "revocation.introspection.path",
            json!({"revocation": {"introspection":
            {"cluster": "c", "authority": "a", "path": "x"}}}),
        ),
        (
            "revocation.introspection.timeout",
            json!({"revocation": {"introspection":
            {"cluster": "c", "authority": "a", "path": "/x", "timeout": "0s"}}}),
        ),
        (
            "revocation.introspection.timeout",
            json!({"revocation": {"introspection":
            {"cluster": "c", "authority": "a", "path": "/x", "timeout": "2m"}}}),
        ),
        (
            "revocation.feed.cluster",
            json!({"revocation": {"feed":
            {"authority": "a", "path": "/x"}, "on_unavailable": "allow"}}),
        ),
        (
            "revocation.credential.env",
            json!({"revocation": {"credential": {"env": "NOT_SET"},
            "on_unavailable": "allow"}}),
        ),
        ("harmless_method_overrides", json!({"harmless_method_overrides": []})),
        ("harmless_second_resources", json!({"harmless_second_resources": []})),
    ] {
        assert_eq!(wrong(&with(config(), change.clone())), [path], "{change}");
    }
}

#[test]
fn names_a_scope_or_an_issuer_that_is_there_twice() {
    let scope = json!({"name": "x", "methods": ["GET"], "paths": ["/x"]});
    assert_eq!(wrong(&with(config(), json!({"scopes": [scope, scope]}))), ["scopes[1].name"]);
    let issuer = &config()["issuers"][0];
    assert_eq!(wrong(&with(config(), json!({"issuers": [issuer, issuer]}))), ["issuers"]);
}

#[test]
fn refuses_what_is_no_json_or_has_a_member_twice() {
    for text in ["", "{", "[]", "null", r#"{"issuers": 1, "issuers": 2}"#, "issuers: []"] {
        let errors = breakglass_core::config::Config::parse(text.as_bytes(), &|_| None);
        assert_eq!(errors.unwrap_err().len(), 1, "{text}");
    }
}

#[test]
fn a_secret_is_in_no_debug_output() {
    let config = with(
        asking_config(),
        json!({"revocation": with(asking_config()["revocation"].clone(),
            json!({"credential": {"env": "BREAKGLASS_PROXY_TOKEN"}}))}),
    );
    assert!(!format!("{:?}", parse(&config).unwrap()).contains("proxy-secret"));
}
