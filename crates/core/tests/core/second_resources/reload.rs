//! A new configuration ends what it would refuse by a header or a parameter: it judges running requests as it
//! would judge new ones.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, assert_permitted, assert_refused, claims, config, parse, reason,
    test, with,
};

/// What a new configuration does to a request that an old one lets through: how it ends what runs, and what it
/// says to a new one.
fn reloaded(old: &Value, new: &Value, request: &Request) -> (Option<String>, String) {
    let mut stage = Stage::new(old);
    assert_permitted(&stage.request(1, request));
    let steps = stage.worker.supersede(Rc::new(parse(new).unwrap()), stage.now);
    assert!(steps.len() < 2);
    (steps.first().map(|(_, step)| reason(step)), reason(&Stage::new(new).request(1, request)))
}

fn token() -> String {
    Key::new(1).sign(&claims())
}

#[test]
fn a_running_request_ends_with_the_configuration_that_refuses_it() {
    let plain = config();
    let get = |path: &str| Request::new("GET", path).header("x-breakglass-token", token());
    let audiences =
        json!({"issuers": [with(config()["issuers"][0].clone(), json!({"audiences": ["other"]}))]});
    let lifetime =
        json!({"issuers": [with(config()["issuers"][0].clone(), json!({"max_lifetime": "5m"}))]});
    for (old, new, request, wanted) in [
        // A header or parameter that counts from now on.
        (
            json!({}),
            json!({"path_headers": ["x-tenant"]}),
            get("/v1/orders").header("x-tenant", "a"),
            "second_resource",
        ),
        (
            json!({}),
            json!({"namespace_headers": ["x-realm"]}),
            get("/v1/orders").header("x_realm", "a"),
            "second_resource",
        ),
        (
            json!({}),
            json!({"path_parameters": [{"name": "index"}]}),
            get("/v1/orders?index=a"),
            "second_resource",
        ),
        (
            json!({}),
            json!({"path_headers": ["x-tenant"], "ceiling": [{"paths": ["/secret"]}]}),
            get("/v1/orders").header("x-tenant", "secret"),
            "ceiling",
        ),
        // One that is harmless no more.
        (
            json!({"harmless_second_resources": ["destination"]}),
            json!({}),
            get("/v1/orders").header("destination", "/x"),
            "second_resource",
        ),
        (
            json!({"harmless_second_resources": ["?from"]}),
            json!({}),
            get("/v1/orders?from=a&mount=b"),
            "second_resource",
        ),
        (
            json!({"harmless_second_resources": ["x-forwarded-host"]}),
            json!({"ceiling": [{"hosts": ["secret.internal"]}]}),
            get("/v1/orders").header("x-forwarded-host", "secret.internal"),
            "ceiling",
        ),
        (
            json!({"harmless_method_overrides": ["x-http-method"]}),
            json!({}),
            get("/v1/orders").header("x-http-method", "GET"),
            "method_override",
        ),
        // The token.
        (json!({}), audiences, get("/v1/orders"), "audience_mismatch"),
        (json!({}), lifetime, get("/v1/orders"), "lifetime_exceeded"),
    ] {
        let (old, new) = (with(plain.clone(), old), with(plain.clone(), new));
        let (ended, decided) = reloaded(&old, &new, &request);
        assert_eq!(decided, wanted, "{new}");
        assert_eq!(ended.as_deref(), Some("scope_withdrawn"), "{new}");
    }
}

#[test]
fn a_running_request_goes_on_where_the_new_configuration_lets_it_through() {
    let get = |path: &str| Request::new("GET", path).header("x-breakglass-token", token());
    for (old, new, request) in [
        (json!({}), json!({"path_headers": ["x-tenant"]}), get("/v1/orders")),
        (
            json!({}),
            json!({"path_parameters": [{"name": "index", "with": "x"}]}),
            get("/v1/orders?index=a"),
        ),
        (
            json!({"harmless_second_resources": ["destination"]}),
            json!({"harmless_second_resources": ["Destination", "x-rewrite-url"]}),
            get("/v1/orders").header("destination", "/x"),
        ),
        (
            json!({"harmless_method_overrides": ["x-http-method"]}),
            json!({"harmless_method_overrides": ["x-http-method"]}),
            get("/v1/orders").header("x-http-method", "GET"),
        ),
        (json!({}), json!({"token_sources": [{"header": "x-other"}]}), get("/v1/orders")),
    ] {
        let (old, new) = (with(config(), old), with(config(), new));
        assert_eq!(reloaded(&old, &new, &request).0, None, "{new}");
    }
}

#[test]
fn a_request_that_waits_is_judged_by_both() {
    let asking = crate::support::asking_config();
    let mut stage = Stage::new(&asking);
    let request = Request::under(&token()).header("x-tenant", "a");
    assert!(matches!(stage.request(1, &request), breakglass_core::step::Step::Wait));
    let call = stage.call();
    let successor = parse(&with(asking, json!({"path_headers": ["x-tenant"]}))).unwrap();
    assert!(stage.worker.supersede(Rc::new(successor), stage.now).is_empty());
    let steps = stage.answer(&call, 200, &json!({"active": true, "exp": NOW + 800}));
    assert_refused(&steps[0].1, "scope_withdrawn");
}
