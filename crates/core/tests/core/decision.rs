//! One request at a time: each rule with a request that only this rule refuses, beside one that it
//! lets through.

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, NOW, Request, Stage, assert_permitted, assert_refused, b64, claims, config, reason, test,
    with,
};

fn decide(config: &Value, request: &Request) -> Step {
    Stage::new(config).request(1, request)
}

fn token(changes: Value) -> String {
    Key::new(1).sign(&with(claims(), changes))
}

fn require(requirements: Value) -> Value {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "require": requirements});
    with(config(), json!({"scopes": [scope]}))
}

#[test]
fn a_token_without_a_scope_that_is_configured_opens_nothing() {
    let step = decide(&config(), &Request::under(&token(json!({"scope": "nothing:here"}))));
    assert_refused(&step, "out_of_scope");
}

#[test]
fn a_request_without_a_token_is_not_ours() {
    let step = decide(&config(), &Request::new("DELETE", "/anything/../;?"));
    let Step::Pass(pass) = step else { panic!("{step:?}") };
    assert!(pass.remove.is_empty() && pass.record.is_none());
}

#[test]
fn a_request_without_a_token_is_refused_where_one_is_needed() {
    let deny = with(config(), json!({"unauthenticated": "deny"}));
    assert_refused(&decide(&deny, &Request::new("GET", "/")), "token_missing");
    let protected = with(
        config(),
        json!({"protected": [
        {"paths": ["/admin/**"]}, {"methods": ["DELETE"], "hosts": ["orders.internal"]}]}),
    );
    for (method, path) in [
        ("GET", "/admin"),
        ("GET", "/Admin/x"),
        ("GET", "/pub/%2e%2e/admin/x"),
        ("DELETE", "/x"),
        ("CONNECT", ""),
    ] {
        assert_refused(&decide(&protected, &Request::new(method, path)), "token_missing");
    }
    // Some upstreams read `_` as `-`, and some take the first of a list.
    for (name, value) in [
        ("x-http-method-override", "delete"),
        ("x_http_method_override", "delete"),
        ("x-http_method-override", "DELETE"),
        ("x-method-override", " DELETE\t"),
        ("x-http-method", "DELETE, GET"),
        ("x-http-method", "get,delete"),
    ] {
        let overridden = Request::new("POST", "/x").header(name, value);
        assert_refused(&decide(&protected, &overridden), "token_missing");
    }
    assert_eq!(reason(&decide(&protected, &Request::new("GET", "/x"))), "no_token");
}

#[test]
fn a_permit_says_who_and_under_which_grant_and_hides_the_token() {
    let step = decide(&config(), &Request::under(&token(json!({"sub": "zoë 100%\u{7f}x"}))));
    assert_refused(&step, "claim_invalid");
    let step = decide(&config(), &Request::under(&token(json!({"sub": "zoë 100%"}))));
    let Step::Permit(permit) = step else { panic!("{step:?}") };
    assert_eq!(permit.remove(), ["x-breakglass-token"]);
    let set: Vec<_> = permit.set().iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(
        set,
        [
            ("x-breakglass-grant", "grant-1"),
            ("x-breakglass-subject", "zo%C3%AB%20100%25"),
            ("x-envoy-upstream-stream-duration-ms", "805150"),
        ]
    );
}

#[test]
fn spoofed_headers_are_removed_with_and_without_a_token() {
    let spoof = |request: Request| {
        request
            .header("x-breakglass-subject", "root")
            .header("x-breakglass-grant", "g")
            .header("x-breakglass-grant", "h")
            .header("x_breakglass_anything", "x")
            .header("x-breakglas", "kept")
    };
    let wanted = ["x-breakglass-grant", "x-breakglass-subject", "x_breakglass_anything"];
    let Step::Pass(pass) = decide(&config(), &spoof(Request::new("GET", "/"))) else { panic!() };
    assert_eq!(pass.remove, wanted);
    let request = spoof(Request::under(&token(json!({}))));
    let Step::Permit(permit) = decide(&config(), &request) else { panic!() };
    assert_eq!(permit.remove()[..3], wanted);
    let bearer_only = json!({"token_sources": [{"header": "authorization", "scheme": "Bearer"}]});
    let request = Request::under(&token(json!({})));
    let Step::Pass(pass) = decide(&with(config(), bearer_only), &request) else { panic!() };
    assert_eq!(pass.remove, ["x-breakglass-token"]);
}

#[test]
fn a_client_does_not_choose_the_route_by_headers_of_ours() {
    let scope = |name: &str, routes: Value| {
        with(
            json!({"name": name, "methods": ["GET"], "paths": ["/v1/orders"]}),
            json!({"routes": routes}),
        )
    };
    let scopes =
        json!([scope("orders:read", Value::Null), scope("orders:routed", json!(["orders"]))]);
    let config = with(config(), json!({ "scopes": scopes }));
    let plain = token(json!({}));
    let routed = token(json!({"scope": "orders:routed"}));
    let both = token(json!({"scope": "orders:read orders:routed"}));
    let ask = |token: &str, headers: &[&str]| {
        let mut request = Request::under(token);
        request.route = Some("orders");
        decide(&config, &headers.iter().fold(request, |request, name| request.header(name, "x")))
    };
    for headers in [
        &["x-breakglass-subject"][..],
        &["x-breakglass-grant"],
        &["x_breakglass_anything"],
        &["x-breakglass_decision", "x-other"],
        &["x_breakglass_token"],
    ] {
        for token in [&routed, &both] {
            assert_refused(&ask(token, headers), "reserved_header");
        }
        // Elsewhere they are removed.
        let Step::Permit(permit) = ask(&plain, headers) else { panic!("{headers:?}") };
        assert!(permit.remove().iter().any(|name| name == headers[0]));
    }
    for token in [&routed, &both, &plain] {
        assert_permitted(&ask(token, &["x-other", "x-breakglas", "breakglass-subject"]));
    }
    // A second source is one, whether it holds a token or not.
    let sources = json!([{"header": "x-breakglass-token"}, {"header": "x-breakglass-jwt"}]);
    let config = with(config.clone(), json!({ "token_sources": sources }));
    let mut request = Request::under(&routed).header("x-breakglass-jwt", "x");
    request.route = Some("orders");
    assert_permitted(&decide(&config, &request));
}

#[test]
fn the_token_is_forwarded_only_on_request() {
    let forward = json!({"token_sources": [{"header": "x-breakglass-token", "forward": true}]});
    let request = Request::under(&token(json!({})));
    let Step::Permit(permit) = decide(&with(config(), forward), &request) else { panic!() };
    assert!(permit.remove().is_empty());
}

#[test]
fn one_header_carries_one_token() {
    let token = token(json!({}));
    let twice = Request::under(&token).header("x-breakglass-token", &token);
    assert_refused(&decide(&config(), &twice), "token_duplicated");
    let joined = Request::under(&format!("{token},{token}"));
    assert_refused(&decide(&config(), &joined), "token_malformed");
    for value in [&b"\xff\xfe"[..], b"", b"a.b.c", "\u{1f511}".as_bytes()] {
        let request = Request::new("GET", "/v1/orders").header("x-breakglass-token", value);
        assert_refused(&decide(&config(), &request), "token_malformed");
    }
}

#[test]
fn a_token_over_the_cap_is_not_parsed() {
    let config = with(config(), json!({"max_token_bytes": 600}));
    let reason = |length: usize| {
        let breakglass = json!({"reason": "x".repeat(length), "approvers": ["bob"]});
        let token = token(json!({"breakglass": breakglass}));
        (reason(&decide(&config, &Request::under(&token))), token.len() > 600)
    };
    assert_eq!(reason(1), ("permit_unverified".into(), false));
    assert_eq!(reason(300), ("token_too_large".into(), true));
    let huge = Request::under(&"a".repeat(1_000_000));
    assert_refused(&decide(&config, &huge), "token_too_large");
}

#[test]
fn a_token_with_fractions_of_seconds_is_never_valid_longer_and_never_earlier() {
    // Without skew the rounding itself is seen.
    let config = with(config(), json!({"clock_skew": "0s"}));
    let text = claims().to_string();
    let replace = |name: &str, value: &str| {
        let old = format!("\"{name}\":{}", claims()[name]);
        assert!(text.contains(&old), "{text}");
        Key::new(1).sign_text(text.replace(&old, &format!("\"{name}\":{value}")).as_bytes())
    };
    for (name, value, wanted) in [
        ("exp", format!("{NOW}.999"), "token_expired"),
        ("exp", format!("{}.001", NOW + 1), "permit_unverified"),
        ("exp", format!("{}.0", NOW + 1), "permit_unverified"),
        ("iat", format!("{NOW}.001"), "token_not_yet_valid"),
        ("iat", format!("{}.999", NOW - 1), "permit_unverified"),
        ("iat", format!("{NOW}.0"), "permit_unverified"),
        ("iat", format!("{NOW}.0,\"nbf\":{NOW}.5"), "token_not_yet_valid"),
        ("iat", format!("{NOW}.0,\"nbf\":{}.5", NOW - 1), "permit_unverified"),
        // An hour and a half second counts as an hour: it can be used for no longer.
        ("exp", format!("{}.5", NOW - 100 + 3600), "permit_unverified"),
        ("exp", format!("{}.5", NOW - 100 + 3601), "lifetime_exceeded"),
        ("exp", "\"1.5\"".to_owned(), "claim_invalid"),
        ("exp", "-1.5".to_owned(), "claim_invalid"),
    ] {
        let step = decide(&config, &Request::under(&replace(name, &value)));
        assert_eq!(reason(&step), wanted, "{name}: {value}");
    }
}

#[test]
fn a_host_with_a_port_that_is_no_number_gets_no_permit_and_meets_each_rule() {
    let scope = json!({"name": "orders:read", "methods": ["GET"], "paths": ["/v1/orders"],
        "hosts": ["orders.internal", "[::1]"]});
    let scoped = with(config(), json!({"scopes": [scope]}));
    let protected = with(config(), json!({"protected": [{"hosts": ["admin.internal"]}]}));
    let at = |config: &Value, host: &str, token: Option<&str>| {
        let request = Request::new("GET", "/v1/orders").replace(":authority", host);
        let request = match token {
            Some(token) => request.header("x-breakglass-token", token),
            None => request,
        };
        reason(&decide(config, &request))
    };
    let token = token(json!({}));
    for host in ["orders.internal", "orders.internal:80", "ORDERS.internal.:443", "[0::1]:80"] {
        assert_eq!(at(&scoped, host, Some(&token)), "permit_unverified", "{host}");
        assert_eq!(at(&protected, host, None), "no_token", "{host}");
    }
    for host in [
        "orders.internal:+80",
        "orders.internal:",
        "orders.internal:99999",
        "u@orders.internal",
        "%6frders.internal",
        "[::1]:+80",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
        "",
    ] {
        assert_eq!(at(&scoped, host, Some(&token)), "out_of_scope", "{host}");
        assert_eq!(at(&protected, host, None), "token_missing", "{host}");
    }
}

#[test]
fn the_ceiling_holds_whatever_the_token_says() {
    let config = with(
        config(),
        json!({
            "ceiling": [{"methods": ["POST"], "paths": ["/v1/orders/**"]}],
            "scopes": [{"name": "orders:read", "methods": ["GET", "POST"], "paths": ["/v1/orders"]}],
        }),
    );
    let request = |method: &str, path: &str| {
        Request::new(method, path).header("x-breakglass-token", token(json!({})))
    };
    assert_permitted(&decide(&config, &request("GET", "/v1/orders")));
    for path in ["/v1/orders", "/v1/orders/", "/V1/Orders", "/v1//orders", "/v1/%6frders/x"] {
        assert_refused(&decide(&config, &request("POST", path)), "ceiling");
    }
    let overridden = request("GET", "/v1/orders").header("x-method-override", "POST");
    assert_refused(&decide(&config, &overridden), "ceiling");
}

#[test]
fn a_method_override_is_refused_unless_it_is_harmless() {
    let request =
        || Request::under(&token(json!({}))).header("x-http-method-override", b"\xff".as_slice());
    assert_refused(&decide(&config(), &request()), "method_override");
    let harmless = json!({"harmless_method_overrides": ["X-HTTP-Method-Override"]});
    assert_permitted(&decide(&with(config(), harmless), &request()));
}

#[test]
fn an_ambiguous_path_is_refused_even_where_a_scope_would_cover_it() {
    let wide = json!({"scopes": [{"name": "orders:read", "methods": ["GET"], "paths": ["/**"]}]});
    let request =
        |path: &str| Request::new("GET", path).header("x-breakglass-token", token(json!({})));
    assert_permitted(&decide(&with(config(), wide.clone()), &request("/v1/orders/7?x=%2f..")));
    for path in ["/v1/../x", "/v1//x", "/a%2fb", "/a;b", "/a%00b", "/%c0%ae", "/a%zz", "*"] {
        let step = decide(&with(config(), wide.clone()), &request(path));
        assert_refused(&step, "ambiguous_path");
    }
}

#[test]
fn a_scope_covers_host_route_method_and_path_together() {
    let scope = json!({"name": "orders:read", "hosts": ["orders.internal"], "routes": ["orders"],
        "methods": ["GET"], "paths": ["/v1/orders"]});
    let config = with(config(), json!({"scopes": [scope]}));
    let request = |host: &str, route, method: &str, path: &str| {
        let mut request = Request::new(method, path)
            .header("x-breakglass-token", token(json!({})))
            .header(":authority", host);
        request.route = route;
        reason(&decide(&config, &request))
    };
    let ours = Some("orders");
    assert_eq!(request("Orders.Internal:80", ours, "GET", "/v1/orders"), "permit_unverified");
    assert_eq!(request("other.internal", ours, "GET", "/v1/orders"), "out_of_scope");
    assert_eq!(request("orders.internal@evil", ours, "GET", "/v1/orders"), "out_of_scope");
    assert_eq!(request("orders.internal", Some("other"), "GET", "/v1/orders"), "out_of_scope");
    assert_eq!(request("orders.internal", None, "GET", "/v1/orders"), "out_of_scope");
    assert_eq!(request("orders.internal", ours, "get", "/v1/orders"), "out_of_scope");
    assert_eq!(request("orders.internal", ours, "GET", "/v1/orders/"), "out_of_scope");
}

#[test]
fn each_requirement_is_asked_for_by_itself() {
    let hour_ago = NOW - 3600;
    for (requirements, wanted, unmet, met) in [
        (
            json!({"roles": ["oncall", "sre"]}),
            "role_missing",
            json!({"roles": ["dev"]}),
            json!({"roles": ["dev", "sre"]}),
        ),
        (
            json!({"amr": ["mfa", "hwk"]}),
            "step_up_required",
            json!({"amr": ["mfa"]}),
            json!({"amr": ["hwk", "pwd", "mfa"]}),
        ),
        (
            json!({"acr": ["aal2", "aal3"]}),
            "step_up_required",
            json!({"acr": "aal1"}),
            json!({"acr": "aal3"}),
        ),
        (json!({"acr": ["aal2"]}), "step_up_required", json!({}), json!({"acr": "aal2"})),
        (
            json!({"max_auth_age": "15m"}),
            "step_up_required",
            json!({"auth_time": hour_ago}),
            json!({"auth_time": NOW - 904}),
        ),
        (json!({"max_auth_age": "15m"}), "step_up_required", json!({}), json!({"auth_time": NOW})),
        (
            json!({"max_auth_age": "15m"}),
            "step_up_required",
            json!({"auth_time": NOW + 60}),
            json!({"auth_time": NOW + 5}),
        ),
        (
            json!({"max_lifetime": "10m"}),
            "scope_lifetime_exceeded",
            json!({}),
            json!({"exp": NOW + 500}),
        ),
    ] {
        let config = require(requirements.clone());
        assert_refused(&decide(&config, &Request::under(&token(unmet))), wanted);
        assert_permitted(&decide(&config, &Request::under(&token(met))));
    }
}

#[test]
fn the_client_must_come_from_an_allowed_network() {
    let config = require(json!({"source_cidrs": ["10.0.0.0/8", "2001:db8::/32"]}));
    let mut request = Request::under(&token(json!({})));
    for source in ["10.9.8.7:1", "[2001:db8::7]:1", "[::ffff:10.0.0.1]:1"] {
        request.source = Some(source);
        assert_permitted(&decide(&config, &request));
    }
    for source in [Some("192.0.2.1:1"), Some("[2001:db9::7]:1"), Some("/run/x"), None] {
        request.source = source;
        assert_refused(&decide(&config, &request), "source_not_allowed");
    }
}

#[test]
fn a_bound_token_counts_with_its_certificate_only() {
    let thumbprint = b64([0xab; 32]);
    let bound = token(json!({"cnf": {"x5t#S256": thumbprint}}));
    let digest = "ab".repeat(32);
    let asked = require(json!({"sender_constrained": true}));
    for config in [&config(), &asked] {
        let mut request = Request::under(&bound);
        assert_refused(&decide(config, &request), "sender_mismatch");
        request.certificate = Some("cd".repeat(32));
        assert_refused(&decide(config, &request), "sender_mismatch");
        request.certificate = Some(digest.clone());
        assert_permitted(&decide(config, &request));
    }
    let mut unbound = Request::under(&token(json!({})));
    unbound.certificate = Some(digest);
    assert_refused(&decide(&asked, &unbound), "sender_mismatch");
}

#[test]
fn the_requirements_are_met_within_one_scope_not_across_two() {
    let config = with(
        config(),
        json!({"scopes": [
            {"name": "a", "methods": ["GET"], "paths": ["/v1/orders"],
             "require": {"roles": ["oncall"], "amr": ["mfa"]}},
            {"name": "b", "methods": ["GET"], "paths": ["/v1/orders"],
             "require": {"roles": ["sre"]}},
        ]}),
    );
    let step = |changes| decide(&config, &Request::under(&token(changes)));
    assert_refused(&step(json!({"scope": "a b", "roles": ["oncall"]})), "step_up_required");
    assert_permitted(&step(json!({"scope": "a b", "roles": ["sre"]})));
    assert_refused(&step(json!({"scope": "a", "roles": ["sre"]})), "role_missing");
}

#[test]
fn shadow_mode_decides_and_never_refuses() {
    let config = with(config(), json!({"enforcement": "shadow", "unauthenticated": "deny"}));
    let mut stage = Stage::new(&config);
    for (stream, request, wanted) in [
        (1, Request::new("GET", "/"), "token_missing"),
        (2, Request::under("x"), "token_malformed"),
        (3, Request::under(&token(json!({"scope": "orders:write"}))), "out_of_scope"),
    ] {
        let step = stage.request(stream, &request);
        assert!(matches!(step, Step::Pass(_)), "{step:?}");
        assert_eq!(reason(&step), wanted);
        assert_eq!(stage.logged(stream).unwrap()["decision"], "shadow_deny");
    }
    let step = stage.request(4, &Request::under(&token(json!({}))));
    assert_permitted(&step);
}

#[test]
fn a_known_token_is_verified_once_and_its_time_each_time() {
    let mut stage = Stage::new(&config());
    let request = Request::under(&token(json!({})));
    assert_permitted(&stage.request(1, &request));
    assert_permitted(&stage.request(2, &request));
    stage.wait_millis(804_999);
    assert_permitted(&stage.request(3, &request));
    stage.wait_millis(1);
    assert_refused(&stage.request(4, &request), "token_expired");
}

#[test]
fn the_final_record_says_what_came_of_it() {
    let mut stage = Stage::new(&config());
    assert_permitted(&stage.request(1, &Request::under(&token(json!({})))));
    stage.traffic.add_received(3);
    stage.traffic.add_sent(5);
    stage.wait_millis(42);
    let mut record = stage.logged(1).unwrap();
    let hash = record.as_object_mut().unwrap().remove("hash").unwrap();
    assert_eq!(hash.as_str().unwrap().len(), 64);
    // printf '%s' '{"methods":["GET","HEAD"],"paths":["/v1/orders","/v1/orders/{id}"],"v":1}' | sha256sum
    let digest = "f17d3010ab3395e40e19a22d0c3a987a65d28c68d5e06a77b68891b36a8a58cd";
    assert_eq!(
        record,
        json!({
            "v": 1, "time": "2027-01-15T08:00:00.000Z", "decision": "allow",
            "reason": "permit_unverified", "grant": "grant-1", "subject": "alice",
            "issuer": "https://issuer.example", "incident": "INC-1", "justification": "pager",
            "approvers": ["bob"], "emergency": false, "basis": null, "scope": "orders:read",
            "scope_digest": digest, "rule": "/v1/orders",
            "method": "GET", "host": "orders.internal", "path": "/v1/orders", "route": null,
            "source_ip": "192.0.2.7", "request_id": "request-1", "status": 200,
            "response_flags": "-", "duration_ms": 42, "bytes_received": 3, "bytes_sent": 5,
            "bytes_after_revocation": null, "expires_in_s": 800, "epoch": null, "epoch_age_ms": null,
            "revocation_source": "not_configured", "upstream": "198.51.100.1:80", "node": "edge-1",
            "phase": "end", "stream": 1, "grant_seq": 1, "seq": 1, "prev": null,
            "chain": "01010101010101010101010101010101",
        })
    );
    assert_eq!(stage.logged(1), None, "each request is recorded once");
}

#[test]
fn an_unverified_claim_is_in_no_record_and_no_answer() {
    let forged = Key::new(9).sign(&with(claims(), json!({"sub": "mallory", "jti": "forged"})));
    let step = decide(&config(), &Request::under(&forged));
    let Step::Refuse(refusal, record) = &step else { panic!("{step:?}") };
    let body = String::from_utf8(refusal.body.clone()).unwrap();
    for text in [record, &body] {
        assert!(!text.contains("mallory") && !text.contains("forged") && !text.contains(&forged));
    }
}

#[test]
fn a_scope_that_asks_for_a_certificate_does_not_keep_another_one_from_covering() {
    let scope = |name: &str, bound: bool| {
        json!({"name": name, "methods": ["GET"], "paths": ["/v1/orders"],
            "require": {"sender_constrained": bound}})
    };
    let config = with(config(), json!({"scopes": [scope("bound", true), scope("free", false)]}));
    for scopes in ["free bound", "bound free"] {
        let step = decide(&config, &Request::under(&token(json!({"scope": scopes}))));
        assert_permitted(&step);
    }
    let step = decide(&config, &Request::under(&token(json!({"scope": "bound"}))));
    assert_refused(&step, "sender_mismatch");
}

#[test]
fn no_token_of_ours_reaches_the_upstream_whichever_decides() {
    let config = |forward: bool| {
        with(
            config(),
            json!({"token_sources": [{"header": "x-breakglass-token"},
                {"header": "authorization", "scheme": "Bearer", "forward": forward}]}),
        )
    };
    let removed = |config: &Value, bearer: &str| {
        let request =
            Request::under(&token(json!({}))).header("authorization", format!("Bearer {bearer}"));
        let step = decide(config, &request);
        let Step::Permit(permit) = step else { panic!("{step:?}") };
        permit.remove().to_vec()
    };
    let other = token(json!({"jti": "grant-2"}));
    assert_eq!(removed(&config(false), &other), ["x-breakglass-token", "authorization"]);
    assert_eq!(removed(&config(true), &other), ["x-breakglass-token"]);
    assert_eq!(removed(&config(false), "somebody-elses"), ["x-breakglass-token"]);
}
