//! What the scopes of a token cover: methods, paths, hosts and routes, beside what it says and what it requires.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, assert_permitted, assert_refused, claims, config, reason, test, with,
};

fn token(changes: Value) -> String {
    Key::new(1).sign(&with(claims(), changes))
}

fn under(token: &str, method: &str, path: &str) -> Request {
    Request::new(method, path).header("x-breakglass-token", token)
}

fn decide(config: &Value, request: &Request) -> Step {
    Stage::new(config).request(1, request)
}

/// A configuration with these scopes.
fn scoped(scopes: Value) -> Value {
    with(config(), json!({ "scopes": scopes }))
}

/// Orders, their items, and what is written.
fn orders() -> Value {
    scoped(json!([
        {"name": "orders:read", "methods": ["GET", "HEAD"],
         "paths": ["/v1/orders", "/v1/orders/{id}", "/v1/orders/{id}/items/**"]},
        {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"]},
    ]))
}

#[test]
fn every_method_and_path_of_a_scope_is_covered() {
    let token = token(json!({}));
    for (method, path) in [
        ("GET", "/v1/orders"),
        ("HEAD", "/v1/orders"),
        ("GET", "/v1/orders/17"),
        ("GET", "/v1/orders/17?a=/../b&c=%2F"),
        ("GET", "/v1/orders/17/items/1"),
        ("GET", "/v1/orders/17/items/1/2/3"),
        ("GET", "/v1/orders/-._~!$&'()*+,=:@"),
    ] {
        assert_permitted(&decide(&orders(), &under(&token, method, path)));
    }
}

#[test]
fn no_other_method_or_path_is_covered() {
    let token = token(json!({}));
    for (method, path) in [
        ("POST", "/v1/orders"),
        ("DELETE", "/v1/orders/17"),
        ("OPTIONS", "/v1/orders"),
        ("get", "/v1/orders"),
        ("GET", "/v1/orders/"),
        ("GET", "/v1/orders/17/"),
        ("GET", "/v1/orders/17/items"),
        ("GET", "/v1/orders/17/items/"),
        ("GET", "/v1/ordersx"),
        ("GET", "/v1/order"),
        ("GET", "/V1/orders"),
        ("GET", "/v1/Orders"),
        ("GET", "/x/v1/orders"),
        ("GET", "/"),
        ("GET", "/v1/invoices"),
    ] {
        assert_refused(&decide(&orders(), &under(&token, method, path)), "out_of_scope");
    }
}

#[test]
fn any_of_the_scopes_is_enough_and_the_record_names_it() {
    let token = token(json!({"scope": "ghosts:read orders:read orders:write"}));
    let mut stage = Stage::new(&orders());
    for (stream, method, scope) in [(1, "GET", "orders:read"), (2, "POST", "orders:write")] {
        assert_permitted(&stage.request(stream, &under(&token, method, "/v1/orders")));
        assert_eq!(stage.logged(stream).unwrap()["scope"], scope);
    }
}

#[test]
fn scopes_that_nobody_configured_are_offered_beside_what_would_do() {
    let token = token(json!({"scope": "ghosts:read"}));
    let Step::Refuse(refusal, _) = decide(&orders(), &under(&token, "GET", "/v1/orders")) else {
        panic!()
    };
    let problem: Value = serde_json::from_slice(&refusal.body).unwrap();
    let remedy = problem["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with("breakglass request --scope ghosts:read --scope orders:read "),
        "{remedy}"
    );
}

#[test]
fn a_scope_with_hosts_covers_these_hosts_only() {
    let config = scoped(json!([
        {"name": "exact", "hosts": ["billing.internal"], "methods": ["GET"], "paths": ["/"]},
        {"name": "suffix", "hosts": ["*.eu.internal"], "methods": ["GET"], "paths": ["/"]},
    ]));
    for (scope, covered, others) in [
        (
            "exact",
            &["billing.internal", "BILLING.internal", "billing.internal:8443", "billing.internal."]
                [..],
            &["orders.internal", "billing.internal.evil.test", "xbilling.internal", "internal"][..],
        ),
        (
            "suffix",
            &["a.eu.internal", "a.b.eu.internal"],
            &["eu.internal", "xeu.internal", "a.eu.internal.evil.test", "a.us.internal"],
        ),
    ] {
        let token = token(json!({ "scope": scope }));
        let at =
            |host: &str| decide(&config, &under(&token, "GET", "/").replace(":authority", host));
        covered.iter().for_each(|host| assert_permitted(&at(host)));
        others.iter().for_each(|host| assert_refused(&at(host), "out_of_scope"));
    }
}

#[test]
fn the_ceiling_is_over_every_spelling_of_what_it_covers() {
    let ledger = json!([{"name": "ledger:all", "methods": ["GET", "DELETE"],
        "paths": ["/v1/ledger/**"]}]);
    let ceiling = json!([{"methods": ["DELETE"], "paths": ["/v1/ledger/**"]}]);
    let config = with(scoped(ledger), json!({ "ceiling": ceiling }));
    let token = token(json!({"scope": "ledger:all"}));
    assert_permitted(&decide(&config, &under(&token, "GET", "/v1/ledger/entries")));
    for (method, path) in [
        ("DELETE", "/v1/ledger/entries"),
        ("DELETE", "/v1/ledger"),
        ("DELETE", "/v1/ledger/"),
        ("DELETE", "/V1/Ledger/entries"),
        ("DELETE", "/v1//ledger/entries"),
        ("DELETE", "/v1/x/../ledger/entries"),
        ("DELETE", "/v1/%6cedger/entries"),
        ("DELETE", "/v1%2fledger%2fentries"),
        ("DELETE", "/v1/ledger;v=1/entries"),
        ("delete", "/v1/ledger/entries"),
    ] {
        assert_refused(&decide(&config, &under(&token, method, path)), "ceiling");
    }
}

#[test]
fn a_method_override_is_refused_whatever_it_says() {
    let token = token(json!({}));
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        for value in ["DELETE", "GET", "", "\u{e9}"] {
            let overridden = |request: Request| request.header(name, value);
            let request = overridden(Request::under(&token));
            assert_refused(&decide(&config(), &request), "method_override");
            let without = overridden(Request::new("GET", "/v1/orders"));
            assert_eq!(reason(&decide(&config(), &without)), "no_token");
        }
    }
    let harmless = with(config(), json!({"harmless_method_overrides": ["x-http-method-override"]}));
    let request = |name: &str| Request::under(&token).header(name, "DELETE");
    assert_permitted(&decide(&harmless, &request("x-http-method-override")));
    assert_refused(&decide(&harmless, &request("x-method-override")), "method_override");
}

#[test]
fn what_is_protected_can_be_a_host_or_a_method() {
    let rules = json!([
        {"hosts": ["vault.internal"]},
        {"methods": ["PURGE"], "paths": ["/v1/**"]},
        {"hosts": ["*.secret.internal"], "paths": ["/keys/**"]},
    ]);
    let protected = with(config(), json!({ "protected": rules }));
    let at = |method: &str, path: &str, host: &str| {
        reason(&decide(&protected, &Request::new(method, path).replace(":authority", host)))
    };
    for (method, path, host) in [
        ("GET", "/", "vault.internal"),
        ("GET", "/x", "VAULT.internal"),
        ("PURGE", "/v1/x", "orders.internal"),
        ("purge", "/v1/x", "orders.internal"),
        ("GET", "/keys/1", "a.secret.internal"),
    ] {
        assert_eq!(at(method, path, host), "token_missing", "{method} {path} {host}");
    }
    for (method, path, host) in [
        ("GET", "/keys/1", "orders.internal"),
        ("GET", "/v1/x", "orders.internal"),
        ("PURGE", "/v2/x", "orders.internal"),
        ("GET", "/other", "a.secret.internal"),
    ] {
        assert_eq!(at(method, path, host), "no_token", "{method} {path} {host}");
    }
}

#[test]
fn a_token_in_another_place_is_no_token() {
    let token = token(json!({}));
    let protected = with(config(), json!({"protected": [{"paths": ["/admin/**"]}]}));
    let elsewhere = Request::new("GET", &format!("/admin/users?x-breakglass-token={token}"))
        .header("cookie", format!("x-breakglass-token={token}"))
        .header("authorization", format!("Bearer {token}"));
    assert_refused(&decide(&protected, &elsewhere), "token_missing");
}

#[test]
fn each_requirement_is_met_by_what_it_names_and_by_nothing_else() {
    for (requirements, wanted, met, unmet) in [
        (
            json!({"roles": ["oncall", "sre"]}),
            "role_missing",
            vec![json!({"roles": ["oncall"]}), json!({"roles": ["developer", "sre"]})],
            vec![json!({"roles": ["developer"]}), json!({"roles": ["ONCALL"]}), json!({})],
        ),
        (
            json!({"amr": ["mfa", "hwk"]}),
            "step_up_required",
            vec![json!({"amr": ["pwd", "hwk", "mfa"]})],
            vec![json!({"amr": ["mfa"]}), json!({})],
        ),
        (
            json!({"acr": ["aal2", "aal3"]}),
            "step_up_required",
            vec![json!({"acr": "aal2"}), json!({"acr": "aal3"})],
            vec![json!({"acr": "aal1"}), json!({})],
        ),
        (
            json!({"max_auth_age": "15m"}),
            "step_up_required",
            vec![json!({"auth_time": NOW - 890}), json!({"auth_time": NOW - 904})],
            vec![json!({"auth_time": NOW - 920}), json!({})],
        ),
        (
            json!({"max_lifetime": "5m"}),
            "scope_lifetime_exceeded",
            vec![json!({"iat": NOW, "exp": NOW + 300})],
            vec![json!({"iat": NOW, "exp": NOW + 301})],
        ),
    ] {
        let config = scoped(json!([{"name": "orders:read", "methods": ["GET"],
            "paths": ["/v1/orders"], "require": requirements}]));
        for changes in met {
            assert_permitted(&decide(&config, &Request::under(&token(changes))));
        }
        for changes in unmet {
            assert_refused(&decide(&config, &Request::under(&token(changes))), wanted);
        }
    }
}

#[test]
fn a_scope_whose_requirements_are_met_is_enough_beside_one_whose_are_not() {
    let scope = |name: &str, requirements: Value| json!({"name": name, "methods": ["GET"], "paths": ["/v1/orders"], "require": requirements});
    let config = scoped(json!([
        scope("a", json!({"roles": ["oncall"], "amr": ["mfa"]})),
        scope("b", json!({"acr": ["aal3"]})),
    ]));
    let decided = |changes: Value| {
        decide(&config, &Request::under(&token(with(changes, json!({"scope": "a b"})))))
    };
    assert_permitted(&decided(json!({"roles": ["oncall"], "amr": ["mfa"]})));
    assert_permitted(&decided(json!({"acr": "aal3"})));
    assert_refused(&decided(json!({"roles": ["oncall"]})), "step_up_required");
}
