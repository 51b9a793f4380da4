//! Paths of a whole request: with two readings they are refused under a token, and are no way around `protected`.

use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, reason, test, with,
};

/// A scope that covers everything, and a path that is protected.
fn open() -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/**", "/{a}/**"]});
    with(config(), json!({"scopes": [scope], "protected": [{"paths": ["/admin/**"]}]}))
}

fn under_token(path: &str) -> breakglass_core::step::Step {
    let request = Request::new("GET", path);
    let token = Key::new(1).sign(&claims());
    Stage::new(&open()).request(1, &request.header("x-breakglass-token", token))
}

fn without(method: &str, path: &str) -> String {
    reason(&Stage::new(&open()).request(1, &Request::new(method, path)))
}

/// Under `/v1/**`, so that nothing but the ambiguity refuses them.
const AMBIGUOUS: [&str; 35] = [
    "/v1/orders/../admin",
    "/v1/orders/..",
    "/v1/orders/.",
    "/v1/./orders",
    "/v1/orders/...%2f",
    "/v1//orders",
    "/v1/orders//",
    "//v1/orders",
    "/v1/orders/%2e%2e/admin",
    "/v1/orders/%2E%2E/admin",
    "/v1/orders/.%2e/admin",
    "/v1/orders/%2e",
    "/v1/orders/a%2eb",
    "/v1/orders%2f17",
    "/v1/orders%2F17",
    "/v1/orders%5c17",
    "/v1/orders%5C17",
    "/v1/orders\\17",
    "/v1/orders\\..\\admin",
    "/v1/orders;v=1",
    "/v1/orders;/17",
    "/v1/..;/admin",
    "/v1/orders/%3b",
    "/v1/orders/%00",
    "/v1/orders/17%00.json",
    "/v1/orders/%",
    "/v1/orders/%2",
    "/v1/orders/%zz",
    "/v1/orders/%g0",
    "/v1/orders/%u002f",
    // A second decoding changes them.
    "/v1/orders/%252f",
    "/v1/orders/%252e%252e/admin",
    "/v1/orders/%255c",
    "/v1/orders/%c0%af",
    "/v1/orders/%c0%ae%c0%ae/admin",
];

#[test]
fn every_ambiguous_path_is_refused_under_a_token() {
    assert_permitted(&under_token("/v1/orders"));
    for path in AMBIGUOUS {
        assert_refused(&under_token(path), "ambiguous_path");
        assert_refused(&under_token(&format!("{path}?query")), "ambiguous_path");
    }
}

#[test]
fn what_is_unusual_but_has_one_reading_is_permitted() {
    for path in [
        "/v1/orders/...",
        "/v1/orders/.hidden",
        "/v1/orders/17.json",
        "/v1/orders/a:b@c",
        "/v1/orders/%20",
        "/v1/orders/%C3%A9",
        "/v1/orders/a+b,c=d&e!f$g'h(i)j*k~l",
        "/v1/orders?next=/../admin//x;y%2f%00%zz",
    ] {
        assert_permitted(&under_token(path));
    }
}

#[test]
fn an_ambiguous_path_is_not_refused_without_a_token() {
    for path in ["/v1/orders/../x", "/v1//orders", "/v1/orders;v=1", "/v1/a%2fb"] {
        assert_eq!(without("GET", path), "no_token", "{path}");
    }
}

#[test]
fn no_spelling_slips_past_what_is_protected() {
    for path in [
        "/admin",
        "/admin/",
        "/admin/users",
        "/admin?x",
        "/admin/users?x=/y",
        "/ADMIN/users",
        "/Admin",
        "//admin/users",
        "///admin//users",
        "/./admin/users",
        "/x/../admin/users",
        "/x/y/../../admin",
        "/../admin",
        "/admin/./users",
        "/admin/../admin/users",
        "/admin/..;/admin/users",
        "/%61dmin/users",
        "/%41DMIN",
        "/%61%64%6d%69%6e",
        "/admin%2fusers",
        "/admin%2Fusers",
        "/admin%5cusers",
        "/admin\\users",
        "/x/%2e%2e/admin/users",
        "/x/.%2e/admin",
        "/x%2f..%2fadmin",
        "/x%2f%2e%2e%2fadmin/users",
        "/x/..\\admin",
        "/admin;v=1",
        "/admin;v=1/users",
        "/;x/admin",
        "/x;y=z/../admin",
        "/admin%00",
        "/admin%00.png",
        "/admin%3bx/users",
        "/%2561dmin/users",
        "/x/%252e%252e/admin",
        "/admin%252fusers",
    ] {
        for method in ["GET", "HEAD", "OPTIONS", "brew"] {
            assert_eq!(without(method, path), "token_missing", "{method} {path}");
        }
    }
}

#[test]
fn what_only_looks_like_what_is_protected_passes() {
    for path in ["/administrator", "/adminx/users", "/x/admin", "/v1/admin/users", "/?/admin", "/"]
    {
        assert_eq!(without("GET", path), "no_token", "{path}");
    }
}
